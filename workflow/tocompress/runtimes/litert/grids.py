"""Find which operations of a network compute in integers of 8 bits, and the grid of each activation.

LiteRT's kernels of integers each want certain grids of their inputs and their output. An operation without such a
kernel computes in floats. So do the operations after it, until one reads another activation in integers or has a
kernel of weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ai_edge_litert.schema_py_generated import ModelT, OperatorT, SubGraphT, TensorType

from tocompress.errors import StudyError
from tocompress.runtimes.litert.flatbuffer import is_constant, kind
from tocompress.runtimes.litert.ranges import Range


class Grid(NamedTuple):
    """The steps of an int8 activation: value = (integer - zero_point) * scale."""

    scale: np.float32
    zero_point: int


#: Operations with a kernel of weights, and the axis of its output channels.
CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
#: LiteRT computes these in integers only if their input and output have the same grid.
_SAME_GRID = (
    *("AVERAGE_POOL_2D", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "MAX_POOL_2D", "MIRROR_PAD", "PAD", "PADV2"),
    *("REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE"),
    *("SPACE_TO_DEPTH", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE"),
)
#: All inputs of these have the grid of the output, so that they only select values.
_COMMON_GRID = ("CONCATENATION", "MAXIMUM", "MINIMUM")
#: These clip, as the grid of their output does.
_CLIPPING = ("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")
_OWN_GRID = (
    *(*CHANNEL_AXIS, *_COMMON_GRID, *_CLIPPING),
    *("ADD", "ELU", "GELU", "HARD_SWISH", "LEAKY_RELU", "MEAN", "MUL", "PRELU", "SUB", "SUM"),
)
#: Kernels with the one grid of their output that LiteRT takes.
_FIXED_GRID = {
    "LOGISTIC": Grid(np.float32(1 / 256), -128),
    "SOFTMAX": Grid(np.float32(1 / 256), -128),
    "TANH": Grid(np.float32(1 / 128), 0),
}

_LEVELS = 255  # steps of an int8 activation, -128 to 127


def grid(low: float, high: float) -> Grid:
    """Return the grid of int8 over a range that holds 0."""
    span = high - low
    if span < _LEVELS * np.finfo(np.float32).tiny:  # the activation was always 0, so any scale will do
        span = 1.0
    scale = np.float32(span / _LEVELS)
    return Grid(scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))


class Grids:
    """The grids of a network's activations. `of` holds the grids of integers by the tensors' numbers."""

    def __init__(self, model: ModelT, subgraph: SubGraphT, ranges: Mapping[int, Range]) -> None:
        self._model, self._subgraph, self._ranges = model, subgraph, ranges
        self._floats = {
            number
            for number, tensor in enumerate(subgraph.tensors)
            if tensor.type == TensorType.FLOAT32 and not is_constant(model, tensor)
        }
        self._joined = self._joined_outputs()
        self.of = {int(number): self._own(int(number)) for number in subgraph.inputs}
        for part in subgraph.operators:
            if (given := self._output_grid(part)) is not None:
                self.of[int(part.outputs[0])] = given

    def in_integers(self, part: OperatorT) -> bool:
        """Return whether an operation computes in integers."""
        return any(int(number) in self.of for number in part.outputs)

    def is_activation(self, number: int) -> bool:
        """Return whether a tensor, by its number, was computed in floats. It may be in integers now."""
        return number in self._floats

    def wanted(self, part: OperatorT, number: int) -> Grid | None:
        """Return the grid that an operation wants of an input or a constant, or None for floats."""
        if not self.in_integers(part):
            return None
        if kind(self._model, part) in (*_SAME_GRID, *_COMMON_GRID):
            return self.of[int(part.outputs[0])]
        return self.of[number] if number in self.of else self._own(number)

    def shares_grids(self, part: OperatorT) -> bool:
        """Return whether the constants of an operation have the grid of its output."""
        return kind(self._model, part) in (*_SAME_GRID, *_COMMON_GRID)

    def _output_grid(self, part: OperatorT) -> Grid | None:
        """Return the grid of an operation's output, or None where it computes in floats."""
        name, output = kind(self._model, part), int(part.outputs[0])
        integers = [self.of[int(number)] for number in part.inputs if int(number) in self.of]
        if name in CHANNEL_AXIS:
            kernel = self._subgraph.tensors[part.inputs[1]]
            return self._own(output) if is_constant(self._model, kernel) else None
        if not integers or output not in self._floats:
            return None
        if name in _SAME_GRID:
            return integers[0]
        return self._own(output) if name in _OWN_GRID else _FIXED_GRID.get(name)

    def _own(self, number: int) -> Grid:
        """Return the grid of an activation's range, or the grid of the operation which it is joined to."""
        while number in self._joined:
            number = self._joined[number]
        if number not in self._ranges:
            name = self._subgraph.tensors[number].name.decode()
            raise StudyError(f"the calibration tells no range of {name} (tensor {number}); calibrate again")
        return grid(*self._ranges[number])

    def _joined_outputs(self) -> dict[int, int]:
        """Return the output of the operation that each activation can share its grid with.

        Nothing else reads the activation, and the operation selects or clips its values.
        """
        operators = self._subgraph.operators
        readers = Counter(int(number) for part in operators for number in part.inputs)
        computed = {int(part.outputs[0]) for part in operators if kind(self._model, part) in _OWN_GRID}
        return {
            int(number): int(part.outputs[0])
            for part in operators
            if kind(self._model, part) in (*_COMMON_GRID, *_CLIPPING)
            for number in part.inputs
            if int(number) in computed and readers[int(number)] == 1
        }
