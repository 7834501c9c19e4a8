"""The channels of a network that can be pruned, and which entries of which variables belong to each. No framework.

A channel is what a filter of a convolution, a unit of a dense or recurrent layer or a dimension of an embedding makes.
What has to go together, such as the partners of a residual addition, is one channel with one id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]

FIXED = -1  # the id of a channel that always stays: the image's, the logits'

#: Variables that act on a channel where it is made: one that is removed may keep them, since nobody reads it.
_NOT_READING = ("biases", "bias", "attention_b", "gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True)
class Channels:
    """Ids 0 .. N-1 of the channels that can be pruned.

    `variables`: for each variable and each of its axes, the ids int32 [length of the axis], or None where no entry
    belongs to a channel (the height of a kernel, the words of an embedding). An id may occur several times on an axis,
    as after a flattening or in the gates of an LSTM.
    `producers`: for each kernel that makes channels, the axis along which it does: a filter is what lies across it.
    `groups`: channels made by exactly the same producers, which only together can lose a multiple of some number;
    named after the scope of their first producer, sorted ids.
    """

    variables: Mapping[str, tuple[Ids | None, ...]]
    producers: Mapping[str, int]
    groups: Mapping[str, Ids]

    @property
    def count(self) -> int:
        """The number of channels that can be pruned."""
        return sum(len(ids) for ids in self.groups.values())

    def reading_axes(self, name: str) -> tuple[int, ...]:
        """Return the axes along which a variable reads channels: it holds zeros there for a channel that is removed."""
        if name.rpartition("/")[2] in _NOT_READING:
            return ()
        made = self.producers.get(name)
        return tuple(axis for axis, ids in enumerate(self.variables[name]) if ids is not None and axis != made)


def kept(ids: Ids, keep: Mask) -> Mask:
    """Which entries of an axis with these ids stay."""
    stays: Mask = (ids == FIXED) | keep[ids]
    return stays
