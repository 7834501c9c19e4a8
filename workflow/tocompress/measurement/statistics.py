"""Compute changes, and intervals of medians, means and ratios. Too few observations give no interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from tocompress.vocabulary.levels import LEVEL, TARGET

#: Enough for Student's quantile to be near the normal one. Few enough for a batch to outlast the samples' correlation.
BATCHES = 20


class Interval(NamedTuple):
    """A value and its confidence bounds, which are None together when there are too few observations."""

    value: float
    low: float | None
    high: float | None


class Change(NamedTuple):
    """A change as a fraction, and its probability by chance. Each is None where too little was observed."""

    size: float | None
    p: float | None


def median_interval(samples: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Return the median of independent samples, with bounds by ranks. No distribution is assumed.

    The bounds are the l-th smallest and l-th largest sample, with the largest l that leaves at most (1 - level) / 2 of
    the binomial distribution on either side. At 95 % they exist from 6 samples on.

    >>> median_interval([3, 1, 2, 5, 4, 6])
    Interval(value=3.5, low=1.0, high=6.0)
    """
    ordered = np.sort(np.asarray(samples, dtype=float))
    value = float(np.median(ordered))
    rank = _median_rank(len(ordered), level)
    if rank < 1:
        return Interval(value, None, None)
    return Interval(value, float(ordered[rank - 1]), float(ordered[-rank]))


def mean_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Return the mean of independent values with Student's interval. Fewer than two have no interval.

    >>> mean_interval([1.0])
    Interval(value=1.0, low=None, high=None)
    """
    observed = np.asarray(values, dtype=float)
    if len(observed) == 0:
        raise ValueError("no observation to average")
    mean = float(np.mean(observed))
    if len(observed) < 2:
        return Interval(mean, None, None)
    error = float(np.std(observed, ddof=1)) / np.sqrt(len(observed))
    half_width = _student_quantile(level, len(observed) - 1) * float(error)
    return Interval(mean, mean - half_width, mean + half_width)


def batch_interval(samples: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Return the mean of a series in time order, with Student's interval over the means of up to `BATCHES` batches.

    The means of long batches are nearly independent even where neighbouring samples are not. Batches have equal
    weight, and their lengths differ by one sample at most.
    """
    series = np.asarray(samples, dtype=float)
    batches = min(BATCHES, len(series))
    bounds = np.arange(batches + 1) * len(series) // max(batches, 1)
    return mean_interval(np.add.reduceat(series, bounds[:-1]) / np.diff(bounds), level)


def between_processes(medians: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Return the final interval of a latency: Student's interval over the medians of fresh processes.

    Samples of one process share its memory layout and its moment, so their spread says too little about the next
    process. The spread between processes includes both.
    """
    return mean_interval(medians, level)


def relative_spread(values: np.ndarray) -> float:
    """Return the standard deviation of two or more values as a fraction of their mean."""
    return float(np.std(values, ddof=1) / abs(np.mean(values)))


def expected_half_width(spread: float, n: int, level: float = LEVEL) -> float:
    """Return the half-width, as a fraction, of Student's interval of the mean of n values with this relative spread."""
    return _student_quantile(level, n - 1) * spread / math.sqrt(n)


def ratio_interval(
    values: Sequence[float] | np.ndarray, references: Sequence[float] | np.ndarray, level: float = LEVEL
) -> Interval:
    """Return the geometric mean of values / references, paired by round, with Student's interval of the log ratios.

    Pairs of one round saw the same state of the machine, so drift between rounds cancels. All must be positive.
    """
    logarithms = np.log(np.asarray(values, dtype=float)) - np.log(np.asarray(references, dtype=float))
    ratio, low, high = mean_interval(logarithms, level)
    return Interval(
        float(np.exp(ratio)),
        None if low is None else float(np.exp(low)),
        None if high is None else float(np.exp(high)),
    )


def relative_half_width(interval: Interval) -> float | None:
    """Return half of the interval's width as a fraction of the value's magnitude, or None without an interval."""
    if interval.low is None or interval.high is None:
        return None
    half_width = (interval.high - interval.low) / 2
    if half_width == 0:
        return 0.0
    return half_width / abs(interval.value) if interval.value else math.inf


def converged(interval: Interval, target: float = TARGET) -> bool:
    """Return whether there is an interval whose half-width is within `target` of the value."""
    width = relative_half_width(interval)
    return width is not None and width <= target


def trend(times: np.ndarray, values: np.ndarray, levels: int = 1) -> Change:
    """Return how positive values change over the span of their times: Theil and Sen's slope, and p of Spearman's rho.

    `levels` groups of the values were divided by their own median before. Each group costs a degree of freedom.
    """
    first, second = np.triu_indices(len(values), 1)
    apart = times[first] != times[second]
    if not apart.any():
        return Change(None, None)
    slopes = ((values[second] - values[first])[apart]) / (times[second] - times[first])[apart]
    size = float(np.median(slopes) * np.ptp(times) / np.median(values))
    rho, degrees = correlation(stats.rankdata(times), stats.rankdata(values)), len(values) - levels - 1
    if rho is None or degrees < 1:
        return Change(size, None)
    return Change(size, _chance_of(rho, np.sqrt((1 - rho**2) / degrees), degrees))


def shared_change(ratios: np.ndarray) -> Change:
    """Return the geometric mean of independent positive ratios as a change, with p of Student's test of their logs."""
    if len(ratios) == 0:
        return Change(None, None)
    logarithms = np.log(ratios)
    mean, degrees = float(np.mean(logarithms)), len(ratios) - 1
    if degrees < 1:
        return Change(float(np.expm1(mean)), None)
    error = float(np.std(logarithms, ddof=1)) / np.sqrt(len(ratios))
    return Change(float(np.expm1(mean)), _chance_of(mean, error, degrees))


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return Pearson's correlation, or None for fewer than three pairs or a constant side."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))


def _chance_of(estimate: float, error: float, degrees: int) -> float:
    """Return Student's two-sided p of an estimate against zero."""
    if estimate == 0:
        return 1.0
    return float(2 * special.stdtr(degrees, -abs(estimate) / error)) if error > 0 else 0.0


# scipy is slow, and a session asks for the same few arguments again and again.


@cache
def _median_rank(n: int, level: float) -> int:
    """Return the rank of the lower bound of the median of n samples, or 0 where there is none."""
    return int(stats.binom.ppf((1 - level) / 2, n, 0.5))


@cache
def _student_quantile(level: float, degrees: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, degrees))
