"""TensorFlow's BasicLSTMCell as pure functions of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras import ops

Tensor = Any
Weights = Mapping[str, Tensor]
#: Takes a kernel's name and the rows that it multiplies, [T, B, inputs].
Watch = Callable[[str, Tensor], None]


class CellState(NamedTuple):
    """State of one LSTM cell. Both are [B, units], or [T, B, units] where stacked over time."""

    cell: Tensor
    output: Tensor


def lstm(weights: Weights, scope: str, inputs: Tensor, state: CellState) -> CellState:
    """Run one step of a cell on inputs [B, features]."""
    joined = ops.concatenate([inputs, state.output], axis=-1)
    return gate(ops.matmul(joined, weights[f"{scope}/kernel"]) + weights[f"{scope}/bias"], state.cell)


def gate(gates: Tensor, cell: Tensor) -> CellState:
    """Return a cell's state after its matrix product. Its gates are in the order i, j, f, o. The forget bias is 1."""
    write, candidate, keep, expose = ops.split(gates, 4, axis=-1)
    cell = cell * ops.sigmoid(keep + 1.0) + ops.sigmoid(write) * ops.tanh(candidate)
    return CellState(cell, ops.tanh(cell) * ops.sigmoid(expose))


def split_kernel(weights: Weights, scope: str, inputs: int) -> tuple[Tensor, Tensor]:
    """Return a cell's kernel in two parts: for the first `inputs` features, and for the previous step's features."""
    kernel = weights[f"{scope}/kernel"]
    return kernel[:inputs], kernel[inputs:]


def run_cell(
    weights: Weights, scope: str, inputs: Tensor, initial: CellState | None = None, watch: Watch | None = None
) -> CellState:
    """Run a cell over inputs [T, B, features] from `initial`, or from zeros. Return the stacked states of all steps."""
    input_kernel, recurrent_kernel = split_kernel(weights, scope, inputs.shape[-1])
    projected = ops.matmul(inputs, input_kernel) + weights[f"{scope}/bias"]
    if initial is None:
        nothing = ops.zeros((ops.shape(inputs)[1], recurrent_kernel.shape[0]), projected.dtype)
        initial = CellState(nothing, nothing)

    def step(state: CellState, current: Tensor) -> tuple[CellState, CellState]:
        state = gate(current + ops.matmul(state.output, recurrent_kernel), state.cell)
        return state, state

    states: CellState
    _, states = ops.scan(step, initial, projected)
    if watch:
        watch(f"{scope}/kernel", ops.concatenate([inputs, before(initial.output, states.output)], axis=-1))
    return states


def before(first: Tensor, values: Tensor) -> Tensor:
    """Return the value of the step before each step: `first` [B, features], then all of `values` but the last."""
    return ops.concatenate([first[None], values[:-1]], axis=0)


def backwards(sequence: Tensor, last: Tensor) -> Tensor:
    """Return positions [T, B] in `sequence` [T, B, features]: from `last` [B] down to 0, then the padding."""
    position = ops.arange(ops.shape(sequence)[0], dtype="int32")[:, None]
    return ops.where(position <= last, last - position, position)


def at(sequence: Tensor, position: Tensor) -> Tensor:
    """Return `sequence` [T, B, features] at each sentence's own position(s) [..., B]."""
    _, batch, features = ops.shape(sequence)
    rows = position * batch + ops.arange(batch, dtype="int32")
    return ops.take(ops.reshape(sequence, (-1, features)), rows, axis=0)
