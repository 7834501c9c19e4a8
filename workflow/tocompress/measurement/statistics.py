"""Intervals of medians, means and ratios. Too few observations give no interval, never a narrow one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95

#: The paper's rule (section III-B): the 95 % confidence bound of each model and input within 5 % of the value.
TARGET = 0.05


class Interval(NamedTuple):
    """A value and its confidence bounds, which are None together when there are too few observations."""

    value: float
    low: float | None
    high: float | None


def median_interval(samples: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """The median of independent samples, with bounds by ranks: no distribution is assumed.

    The bounds are the l-th smallest and l-th largest sample, with the largest l that leaves at most (1 - level) / 2 of
    the binomial distribution on either side; at 95 % they exist from 6 samples on.
    """
    ordered = np.sort(np.asarray(samples, dtype=float))
    value = float(np.median(ordered))
    rank = int(stats.binom.ppf((1 - level) / 2, len(ordered), 0.5))
    if rank < 1:
        return Interval(value, None, None)
    return Interval(value, float(ordered[rank - 1]), float(ordered[-rank]))


def mean_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """The mean of independent values with Student's interval; no interval for fewer than two."""
    observed = np.asarray(values, dtype=float)
    if len(observed) == 0:
        raise ValueError("no observation to average")
    mean = float(np.mean(observed))
    if len(observed) < 2:
        return Interval(mean, None, None)
    error = float(np.std(observed, ddof=1)) / np.sqrt(len(observed))
    half_width = float(stats.t.ppf((1 + level) / 2, len(observed) - 1)) * error
    return Interval(mean, mean - half_width, mean + half_width)


def between_processes(medians: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """The final interval of a latency: Student's, over the medians of fresh processes.

    Samples of one process share its memory layout and its moment, so their own spread says too little about the next
    process; the spread between processes holds both.
    """
    return mean_interval(medians, level)


def ratio_interval(
    values: Sequence[float] | np.ndarray, references: Sequence[float] | np.ndarray, level: float = LEVEL
) -> Interval:
    """The geometric mean of values / references, paired round by round, with Student's interval of the log ratios.

    Pairs of one round saw the same state of the machine, so what drifts between rounds cancels. All must be positive.
    """
    logarithms = np.log(np.asarray(values, dtype=float)) - np.log(np.asarray(references, dtype=float))
    ratio, low, high = mean_interval(logarithms, level)
    return Interval(
        float(np.exp(ratio)),
        None if low is None else float(np.exp(low)),
        None if high is None else float(np.exp(high)),
    )


def converged(interval: Interval, target: float = TARGET) -> bool:
    """Whether the interval's half-width is within `target` of the value; without an interval it is not."""
    if interval.low is None or interval.high is None:
        return False
    return (interval.high - interval.low) / 2 <= target * abs(interval.value)
