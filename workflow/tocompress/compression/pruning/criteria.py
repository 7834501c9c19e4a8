"""How much each channel matters: the criteria that pruning ranks by. Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tocompress.compression.pruning.channels import FIXED, Channels, Ids

Criterion = Literal["l1", "l2", "random"]  # of weights alone; `taylor` needs data, see training/taylor.py
Scores = NDArray[np.float64]
#: By a variable's name and an axis along which it reads channels: a value for each place along that axis.
Readings = Mapping[tuple[str, int], NDArray[np.floating]]

_POWER = {"l1": 1, "l2": 2}


def importance(
    criterion: Criterion, weights: Mapping[str, NDArray[np.float32]], channels: Channels, seed: int
) -> Scores:
    """Return a score float64 [N] for each channel: the higher, the more it matters.

    `l1` and `l2`: the norm of the filter over the mean of its layer's (H. Li and others, 2017, arXiv 1608.08710, rank
    within a layer; the mean lets layers compare). A channel that several producers make, such as the partners of a
    residual addition, has the mean of its filters' scores. `random`: uniform by `seed`, the control.

    `weights` are those of the deployed form: batch norm undoes the scale of a kernel before it, so the kernel's own
    norm says nothing.
    """
    if criterion == "random":
        return np.random.default_rng(seed).random(channels.count)
    power = _POWER[criterion]
    norms = {
        name: sum_filters(np.abs(weights[name]) ** power, name, channels) ** (1 / power) for name in channels.producers
    }
    return _mean_over_producers({name: _over(norm, norm.mean()) for name, norm in norms.items()}, channels)


def sum_readers(readings: Readings, channels: Channels) -> Scores:
    """Return the sum over all weights that read each channel, float64 [N], of sums along each axis that reads."""
    total = np.zeros(channels.count)
    for (name, axis), sums in readings.items():
        ids = channels.variables[name][axis]
        assert ids is not None
        total += np.bincount(ids[ids != FIXED], sums[ids != FIXED], minlength=channels.count)
    return total


def made_by(producer: str, channels: Channels) -> Ids:
    """The channels that a producer makes, sorted: one for each of its filters."""
    ids = _ids(producer, channels)
    return np.unique(ids[ids != FIXED])


def sum_filters(entries: NDArray[np.floating], producer: str, channels: Channels) -> Scores:
    """The sum over each filter, float64 in the order of `made_by`, of what is given for each entry of a producer.

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
    """Scores in units of a measure of their layer; a layer that is all zero stays so."""
    return scores / (measure or 1.0)


def _mean_over_producers(scores: Mapping[str, Scores], channels: Channels) -> Scores:
    total, producers = np.zeros(channels.count), np.zeros(channels.count)
    for producer, of_filters in scores.items():
        made = made_by(producer, channels)
        total[made] += of_filters
        producers[made] += 1
    return total / producers
