"""Score the importance of channels by the criteria of pruning. This module imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tocompress.compression.pruning.channels import FIXED, Channels, Ids

Criterion = Literal["l1", "l2", "random"]  # on the weights alone, while `taylor` needs data (see taylor.py)
Scores = NDArray[np.float64]
#: A value for each place along an axis, by the variable's name and the axis along which it reads channels.
Readings = Mapping[tuple[str, int], NDArray[np.floating]]

_POWER = {"l1": 1, "l2": 2}


def importance(
    criterion: Criterion, weights: Mapping[str, NDArray[np.float32]], channels: Channels, seed: int
) -> Scores:
    """Return a score float64 [N] for each channel. A higher score means a more important channel.

    `l1` and `l2` give the norm of a filter over the mean norm of its layer. H. Li and others (2017, arXiv 1608.08710)
    rank within a layer, and the mean makes layers comparable. A channel of several producers, such as the partners of a
    residual addition, has the mean of its filters' scores. `random` is uniform by `seed` and is the control.

    `weights` have the deployed form. Batch norm undoes the scale of the kernel before it, so the kernel's own norm says
    nothing.
    """
    if criterion == "random":
        return np.random.default_rng(seed).random(channels.count)
    power = _POWER[criterion]
    norms = {
        name: sum_filters(np.abs(weights[name]) ** power, name, channels) ** (1 / power) for name in channels.producers
    }
    return _mean_over_producers({name: _over(norm, norm.mean()) for name, norm in norms.items()}, channels)


def sum_readers(readings: Readings, channels: Channels) -> Scores:
    """Return the sum of `readings` for each channel, over all variables and axes that read it, float64 [N]."""
    total = np.zeros(channels.count)
    for (name, axis), sums in readings.items():
        ids = channels.variables[name][axis]
        assert ids is not None
        total += np.bincount(ids[ids != FIXED], sums[ids != FIXED], minlength=channels.count)
    return total


def made_by(producer: str, channels: Channels) -> Ids:
    """Return the sorted channels that a producer makes, one for each of its filters."""
    ids = _ids(producer, channels)
    return np.unique(ids[ids != FIXED])


def sum_filters(entries: NDArray[np.floating], producer: str, channels: Channels) -> Scores:
    """Return the sum of a producer's `entries` over each filter, float64 in the order of `made_by`.

    The four gates of an LSTM's unit are one filter.
    """
    axis, ids = channels.producers[producer], _ids(producer, channels)
    across = tuple(other for other in range(entries.ndim) if other != axis)
    sums = entries.sum(axis=across, dtype=np.float64)
    made = ids != FIXED
    of_channels = np.bincount(ids[made], sums[made], minlength=channels.count).astype(np.float64)
    return of_channels[made_by(producer, channels)]


def _ids(producer: str, channels: Channels) -> Ids:
    ids = channels.variables[producer][channels.producers[producer]]
    assert ids is not None
    return ids


def _over(scores: Scores, measure: np.floating) -> Scores:
    """Return scores in units of a measure of their layer. The scores of an all-zero layer stay zero."""
    return scores / (measure or 1.0)


def _mean_over_producers(scores: Mapping[str, Scores], channels: Channels) -> Scores:
    total, producers = np.zeros(channels.count), np.zeros(channels.count)
    for producer, of_filters in scores.items():
        made = made_by(producer, channels)
        total[made] += of_filters
        producers[made] += 1
    return total / producers
