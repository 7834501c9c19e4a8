"""Train through quantization, so that the result loses nothing when it is stored on a grid.

Kernels are read as `compression.quantization` would store them. The gradient goes straight through to the float kernels
(Y. Bengio and others, 2013, arXiv 1308.3432, and B. Jacob and others, 2018, arXiv 1712.05877).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from tocompress.errors import StudyError

Tensor = Any


class Grid(NamedTuple):
    """The levels of a stored kernel, over the whole kernel or over each channel along `axis`."""

    bits: int
    axis: int | None = None
    symmetric: bool = False


def fake_quantized(kernel: Tensor, grid: Grid) -> Tensor:
    """Return a float32 kernel as `dequantize(quantize(kernel, *grid))`, with the gradient of the kernel itself.

    On JAX, which has no float64 by default, the scale may differ in its last bit.
    """
    wide = "float32" if keras.config.backend() == "jax" else "float64"
    kernel = ops.convert_to_tensor(kernel)
    others = None if grid.axis is None else [axis for axis in range(len(kernel.shape)) if axis != grid.axis]
    low, high = (ops.cast(reduce(kernel, axis=others, keepdims=True, initial=0), wide) for reduce in (ops.min, ops.max))
    scale, zero_point = _levels(low, high, grid, wide)
    places = ops.clip(ops.round(kernel * (1 / scale) + zero_point), int(grid.symmetric), 2**grid.bits - 1)
    quantized = (places - zero_point) * scale
    # This adds exactly 0. The other way, `kernel + stopped(quantized - kernel)`, would leave the grid by a rounding.
    return ops.stop_gradient(quantized) + (kernel - ops.stop_gradient(kernel))


def _levels(low: Tensor, high: Tensor, grid: Grid, wide: str) -> tuple[Tensor, Tensor]:
    """Return scale and zero point, float32, for ranges of the float type `wide`."""
    if grid.symmetric:
        scale = _scale(2 * ops.maximum(-low, high), 2**grid.bits - 2)
        return scale, ops.full_like(scale, 2 ** (grid.bits - 1))
    highest = 2**grid.bits - 1
    scale = _scale(high - low, highest)
    return scale, ops.cast(ops.clip(ops.round(-low / ops.cast(scale, wide)), 0, highest), "float32")


def _scale(span: Tensor, steps: int) -> Tensor:
    # An all-zero kernel has no range, so any scale will do.
    return ops.cast(ops.maximum(span / steps, np.finfo(np.float32).tiny), "float32")


class FakeQuantized(keras.Model):  # type: ignore[misc]
    """A model of `network` that reads the kernels in `grids` from their grids, by their names in `variables`.

    It has the network's variables. A name that is not in `variables` raises StudyError.
    """

    def __init__(
        self, network: keras.Model, variables: Mapping[str, keras.Variable], grids: Mapping[str, Grid]
    ) -> None:
        super().__init__(name=f"{network.name}_quantized")
        if unknown := [name for name in grids if name not in variables]:
            raise StudyError(f"{network.name}: no variable {', '.join(unknown)} to quantize")
        self.network = network
        grid_of = {id(variables[name]): Grid(*grid) for name, grid in grids.items()}
        self._grids = [grid_of.get(id(variable)) for variable in network.trainable_variables]
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        trainable = [
            variable if grid is None else fake_quantized(variable, grid)
            for variable, grid in zip(self.network.trainable_variables, self._grids, strict=True)
        ]
        state = self.network.non_trainable_variables  # batch norm statistics, the seeds of dropout
        outputs, new_state, losses = self.network.stateless_call(
            trainable, state, inputs, training=training, return_losses=True
        )
        for variable, value in zip(state, new_state, strict=True):
            variable.assign(value)
        if losses:
            self.add_loss(sum(losses))
        return outputs
