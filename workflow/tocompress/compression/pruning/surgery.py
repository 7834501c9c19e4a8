"""Remove channels from weights, which leaves a smaller dense network. This module imports no framework."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tocompress.compression.pruning.channels import Channels, Ids, Mask, kept
from tocompress.errors import StudyError
from tocompress.weights import QuantizedTensor, Weights


def cut(weights: Weights, channels: Channels, keep: Mask) -> Weights:
    """Return smaller, contiguous arrays of the same types that hold only the channels of `keep`.

    Raise StudyError for a quantized tensor and for a tensor that does not fit the network.
    """
    smaller: Weights = {}
    for name, tensor in weights.items():
        values = _values(name, tensor)
        for axis, ids in enumerate(_axes(name, values.shape, channels, keep)):
            if ids is not None:
                values = values.compress(kept(ids, keep), axis)
        smaller[name] = np.asarray(values, order="C")
    return smaller


def cut_shapes(shapes: Mapping[str, tuple[int, ...]], channels: Channels, keep: Mask) -> dict[str, tuple[int, ...]]:
    """Return the shapes that `cut` leaves of arrays of these `shapes`. Raise StudyError as `cut` does."""
    return {
        name: tuple(
            length if ids is None else int(np.count_nonzero(kept(ids, keep)))
            for length, ids in zip(shape, _axes(name, shape, channels, keep), strict=True)
        )
        for name, shape in shapes.items()
    }


def silenced(weights: Weights, channels: Channels, keep: Mask) -> Weights:
    """Return the weights in their shapes, with zeros wherever one reads a channel that `keep` lacks.

    The network then equals the network after `cut`. Raise StudyError as `cut` does.
    """
    silent: Weights = {}
    for name, tensor in weights.items():
        values = _values(name, tensor)
        axes = _axes(name, values.shape, channels, keep)
        for axis in channels.reading_axes(name):
            ids = axes[axis]
            assert ids is not None
            others = tuple(other for other in range(values.ndim) if other != axis)
            values = np.where(np.expand_dims(kept(ids, keep), others), values, 0)
        silent[name] = values
    return silent


def _values(name: str, tensor: NDArray[np.floating] | QuantizedTensor) -> NDArray[np.floating]:
    if isinstance(tensor, QuantizedTensor):
        raise StudyError(f"{name}: quantized to {tensor.bits} bits; channels are removed from float values only")
    return tensor


def _axes(name: str, shape: tuple[int, ...], channels: Channels, keep: Mask) -> tuple[Ids | None, ...]:
    """Return the channels along the axes of a variable. Raise StudyError where they do not fit its shape."""
    if len(keep) != channels.count:
        raise StudyError(f"a mask of {len(keep)} channels for a network with {channels.count} that can be pruned")
    if name not in channels.variables:
        raise StudyError(f"{name}: the network whose channels are known has no such variable")
    axes = channels.variables[name]
    fitting = tuple(length if ids is None else len(ids) for length, ids in zip(shape, axes, strict=False))
    if len(shape) != len(axes) or fitting != tuple(shape):
        raise StudyError(f"{name}: shape {list(shape)}, but its network's channels fit {list(fitting)}")
    return axes
