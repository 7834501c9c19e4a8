"""The prunable channels of a network, and the entries of its variables that belong to each channel.

A channel is the output of a filter of a convolution, of a unit of a dense or recurrent layer, or of a dimension of an
embedding. Channels that must go together, such as the partners of a residual addition, are one channel with one id.
This module imports no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]

FIXED = -1  # the id of a channel that always stays, such as a channel of the image or the logits

#: Variables that act on a channel where it is made. A removed channel may keep them, since nobody reads it.
_NOT_READING = ("biases", "bias", "attention_b", "gamma", "beta", "moving_mean", "moving_variance", "alpha")


@dataclass(frozen=True)
class Channels:
    """Ids 0 .. N-1 of the prunable channels.

    `variables`: the ids int32 [length] of each axis of each variable. An axis without channels has None, such as the
    height of a kernel or the words of an embedding. An id may occur several times, as in the gates of an LSTM.
    `producers`: each kernel that makes channels, with the axis along which it makes them. A filter lies across the
    axis.
    `groups`: the sorted ids of channels with exactly the same producers, by the scope of the first producer. Rounding
    to a multiple makes sense for a whole group only.
    `gated`: whether channels are units with gates, whose work is counted where they are made and where they are read.
    `whole`: the reason, in words, why a layer's channels cannot be followed and always stay, by the layer's name.
    """

    variables: Mapping[str, tuple[Ids | None, ...]]
    producers: Mapping[str, int]
    groups: Mapping[str, Ids]
    whole: Mapping[str, str] = field(default_factory=dict)
    gated: bool = False

    @property
    def count(self) -> int:
        """Return the number of prunable channels."""
        return sum(len(ids) for ids in self.groups.values())

    def reading_axes(self, name: str) -> tuple[int, ...]:
        """Return the axes along which a variable reads channels. Zeros along them silence a removed channel."""
        if name.rpartition("/")[2] in _NOT_READING:
            return ()
        made = self.producers.get(name)
        return tuple(axis for axis, ids in enumerate(self.variables[name]) if ids is not None and axis != made)

    def counted_axes(self, name: str) -> tuple[int, ...]:
        """Return the axes along which weight x gradient tells the worth of the channels, for `taylor`.

        A filter with ReLU passes a scale on to its readers, so the readers tell all. The gates of a unit
        saturate, so the readers and the makers tell different things, and both count.
        """
        if not self.gated:
            return self.reading_axes(name)
        return tuple(axis for axis, ids in enumerate(self.variables[name]) if ids is not None)


def kept(ids: Ids, keep: Mask) -> Mask:
    """Return a mask of the entries of an axis with these ids that stay."""
    stays: Mask = (ids == FIXED) | keep[ids]
    return stays


def left_whole(channels: Channels) -> list[str]:
    """Return a line of warning that names the layers whose channels always stay, or no line."""
    layers_of: dict[str, list[str]] = {}
    for layer, reason in channels.whole.items():
        layers_of.setdefault(reason, []).append(layer)
    reasons = "; ".join(f"{', '.join(layers)} ({reason})" for reason, layers in layers_of.items())
    return [f"Warning: left whole by pruning: {reasons}"] if reasons else []
