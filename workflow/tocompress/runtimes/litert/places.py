"""The places of weights in a LiteRT model: a tensor, and the order in which it holds rows of a weight.

A weight is taken as a matrix, whose columns are the last axis: a row is one input's weights for all outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The tensor holds the rows one after another, as the weight does. Kernels of depthwise convolutions and tables do so.
SAME = "same"
#: The tensor holds the columns one after another. Kernels of convolutions and matrix products do so.
TRANSPOSED = "transposed"
#: The tensor is g * v / |v| of two weights, the vector v and the scalar g, which the converter has computed.
DIRECTION, LENGTH = "direction", "length"


@dataclass(frozen=True)
class Place:
    """A row of the table `places`: rows `start` to `stop` of a weight lie in a tensor of a subgraph."""

    weight: str
    subgraph: int
    tensor: int
    layout: str
    start: int
    stop: int

    def laid_out(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the tensor's values in its order, flat, of the values of the whole weight."""
        rows = values.reshape(-1, columns(values.shape))[self.start : self.stop]
        return (rows.T if self.layout == TRANSPOSED else rows).reshape(-1)


def columns(shape: tuple[int, ...]) -> int:
    """Return the columns of a weight as a matrix. A scalar has one."""
    return shape[-1] if shape else 1


def rows(shape: tuple[int, ...]) -> int:
    """Return the rows of a weight as a matrix. A vector or a scalar has one."""
    return prod(shape[:-1])


def scaled_direction(direction: NDArray[np.float32], length: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return g * v / |v|, as `gnmt.attention_over` does."""
    scaled: NDArray[np.float32] = direction * (length / np.sqrt(np.sum(direction * direction)))
    return scaled
