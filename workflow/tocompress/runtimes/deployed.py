"""Make the deployed form of weights by folding batch norm into kernels. This module imports no framework.

Batch norm after a kernel equals a factor for each output channel of the kernel, and a bias. A float kernel is
multiplied by the factor. A quantized kernel keeps its integers, and the factor goes into the scale and offset of its
dequantization. So dequantization costs the same with and without batch norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocompress.errors import StudyError
from tocompress.weights import QuantizedTensor, Weights, channel_axis

Floats = NDArray[np.float32]
#: Kernels may be stored in floats of half the size.
StoredFloats = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True)
class AffineTensor:
    """A tensor stored as integers: value = integer * scale + offset. The zero point gives exactly 0.

    `integers` and `bits` are as in `QuantizedTensor`. `scale` and `offset` are float32 of shape [] or [shape[axis]].
    """

    integers: NDArray[np.uint8] | NDArray[np.uint16]
    bits: int
    shape: tuple[int, ...]
    scale: Floats
    offset: Floats
    axis: int | None


DeployedTensor = StoredFloats | AffineTensor

_BATCH_NORM = "/BatchNorm/"
#: The pointwise kernel comes first, since batch norm follows it in a separable convolution.
_NORMALIZED_KERNELS = ("pointwise_weights", "depthwise_weights", "weights")


def deployed(weights: Weights, epsilon: float | None) -> dict[str, DeployedTensor]:
    """Return the tensors of the network's deployed form, by name.

    `scope/BatchNorm/*` becomes `scope/biases`. Without a kernel in its scope, it becomes the factor `scope/gamma` and
    the offset `scope/beta`. `epsilon` belongs to the network's batch norm. It is None without batch norm. Raise
    StudyError for a batch norm that lacks a statistic.
    """
    factors: dict[str, NDArray[np.float64]] = {}
    added: dict[str, DeployedTensor] = {}
    for scope in dict.fromkeys(name.partition(_BATCH_NORM)[0] for name in weights if _BATCH_NORM in name):
        if epsilon is None:
            raise StudyError(f"{scope}: has batch norm, but its network is known to have none")
        factor, offset = _batch_norm(weights, scope, epsilon)
        if kernel := _normalized_kernel(weights, scope):
            factors[kernel] = factor
            added[f"{scope}/biases"] = (offset + factor * _bias(weights, scope)).astype(np.float32)
        else:
            added |= {f"{scope}/gamma": factor.astype(np.float32), f"{scope}/beta": offset.astype(np.float32)}
    kernels = {
        name: _scaled(name, tensor, factors[name]) if name in factors else _unscaled(tensor)
        for name, tensor in weights.items()
        if _BATCH_NORM not in name
    }
    return kernels | added


def _batch_norm(weights: Weights, scope: str, epsilon: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the factor and the offset of each channel that equal batch norm in inference."""

    def statistic(name: str) -> NDArray[np.float64]:
        try:
            return np.asarray(weights[f"{scope}{_BATCH_NORM}{name}"], np.float64)
        except KeyError as error:
            raise StudyError(f"{scope}: its batch norm lacks {name}") from error

    factor = 1 / np.sqrt(statistic("moving_variance") + epsilon)
    if f"{scope}{_BATCH_NORM}gamma" in weights:  # the Inceptions learn no scale
        factor *= statistic("gamma")
    offset = -factor * statistic("moving_mean")
    if f"{scope}{_BATCH_NORM}beta" in weights:
        offset += statistic("beta")
    return factor, offset


def _normalized_kernel(weights: Weights, scope: str) -> str | None:
    return next((name for kind in _NORMALIZED_KERNELS if (name := f"{scope}/{kind}") in weights), None)


def _bias(weights: Weights, scope: str) -> NDArray[np.float64]:
    """Return the bias that a kernel has before its batch norm, or 0."""
    return np.asarray(weights.get(f"{scope}/biases", 0), np.float64)


def _scaled(name: str, tensor: StoredFloats | QuantizedTensor, factor: NDArray[np.float64]) -> DeployedTensor:
    """Return the tensor times a factor for each output channel. Floats keep their size."""
    axis = channel_axis(name, len(tensor.shape))
    if isinstance(tensor, QuantizedTensor):
        return _affine(tensor, (tensor.scale * factor).astype(np.float32), axis)
    along_axis = [-1 if dimension == axis else 1 for dimension in range(tensor.ndim)]
    scaled: NDArray[Any] = (tensor * factor.reshape(along_axis)).astype(tensor.dtype)
    return scaled


def _unscaled(tensor: StoredFloats | QuantizedTensor) -> DeployedTensor:
    return _affine(tensor, tensor.scale, tensor.axis) if isinstance(tensor, QuantizedTensor) else tensor


def _affine(tensor: QuantizedTensor, scale: Floats, axis: int | None) -> AffineTensor:
    # The zero point must give exactly 0, so this rounds as the runtime rounds integer * scale.
    offset = -(tensor.zero_point.astype(np.float32) * scale)
    return AffineTensor(tensor.integers, tensor.bits, tensor.shape, scale, offset, axis)
