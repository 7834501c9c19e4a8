"""Make the deployed form of weights by folding batch norm into kernels. This module imports no framework.

Batch norm after a kernel equals a factor for each output channel of the kernel, and a bias. A float kernel is
multiplied by the factor. A quantized kernel keeps its integers, and the factor goes into the scale and offset of its
dequantization. So dequantization costs the same with and without batch norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocompress.errors import StudyError
from tocompress.weights import QuantizedTensor, Weights, channel_axis

Floats = NDArray[np.float32]


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


DeployedTensor = Floats | AffineTensor

_BATCH_NORM = "/BatchNorm/"
#: The pointwise kernel comes first, since batch norm follows it in a separable convolution.
_NORMALIZED_KERNELS = ("pointwise_weights", "depthwise_weights", "weights")


def deployed(weights: Weights, epsilon: float | None) -> dict[str, DeployedTensor]:
    """Return the tensors of the network built with `folded=True`, by name. `scope/BatchNorm/*` becomes `scope/biases`.

    `epsilon` belongs to the network's batch norm. It is None without batch norm. Raise StudyError for a batch norm that
    has no kernel or lacks a statistic.
    """
    factors: dict[str, NDArray[np.float64]] = {}
    biases: dict[str, DeployedTensor] = {}
    for scope in dict.fromkeys(name.partition(_BATCH_NORM)[0] for name in weights if _BATCH_NORM in name):
        if epsilon is None:
            raise StudyError(f"{scope}: has batch norm, but its network is known to have none")
        factor, biases[f"{scope}/biases"] = _batch_norm(weights, scope, epsilon)
        factors[_normalized_kernel(weights, scope)] = factor
    kernels = {
        name: _scaled(name, tensor, factors[name]) if name in factors else _unscaled(tensor)
        for name, tensor in weights.items()
        if _BATCH_NORM not in name
    }
    return kernels | biases


def _batch_norm(weights: Weights, scope: str, epsilon: float) -> tuple[NDArray[np.float64], Floats]:
    """Return the factor and the bias of each channel that equal batch norm in inference."""

    def statistic(name: str) -> NDArray[np.float64]:
        try:
            return np.asarray(weights[f"{scope}{_BATCH_NORM}{name}"], np.float64)
        except KeyError as error:
            raise StudyError(f"{scope}: its batch norm lacks {name}") from error

    factor = 1 / np.sqrt(statistic("moving_variance") + epsilon)
    if f"{scope}{_BATCH_NORM}gamma" in weights:  # the Inceptions learn no scale
        factor *= statistic("gamma")
    bias = statistic("beta") - factor * statistic("moving_mean")
    return factor, bias.astype(np.float32)


def _normalized_kernel(weights: Weights, scope: str) -> str:
    for kind in _NORMALIZED_KERNELS:
        if (name := f"{scope}/{kind}") in weights:
            return name
    raise StudyError(f"{scope}: batch norm without a kernel to fold it into")


def _scaled(name: str, tensor: Floats | QuantizedTensor, factor: NDArray[np.float64]) -> DeployedTensor:
    """Return the tensor times a factor for each output channel."""
    axis = channel_axis(name, len(tensor.shape))
    if isinstance(tensor, QuantizedTensor):
        return _affine(tensor, (tensor.scale * factor).astype(np.float32), axis)
    along_axis = [-1 if dimension == axis else 1 for dimension in range(tensor.ndim)]
    return (tensor * factor.reshape(along_axis)).astype(np.float32)


def _unscaled(tensor: Floats | QuantizedTensor) -> DeployedTensor:
    return _affine(tensor, tensor.scale, tensor.axis) if isinstance(tensor, QuantizedTensor) else tensor


def _affine(tensor: QuantizedTensor, scale: Floats, axis: int | None) -> AffineTensor:
    # The zero point must give exactly 0, so this rounds as the runtime rounds integer * scale.
    offset = -(tensor.zero_point.astype(np.float32) * scale)
    return AffineTensor(tensor.integers, tensor.bits, tensor.shape, scale, offset, axis)
