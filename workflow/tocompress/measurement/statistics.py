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

#: Probability that the true spread is below the largest likely one.
LIKELY = 0.8


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
    return _student(mean, float(np.var(observed, ddof=1)) / len(observed), len(observed) - 1, level)


def moderated_intervals(rows: np.ndarray, level: float = LEVEL) -> list[Interval]:
    """Return the mean of each row [rows, observations] with Student's moderated interval. NaN is no observation.

    The variance of a row of few observations is itself uncertain. So it is drawn towards the variance that the rows
    share, the more the more alike their variances are. A row that a few observations show as narrow by luck becomes
    wider. (Smyth, Linear models and empirical Bayes methods, 2004, sections 3 to 6.2, as in R's limma.)
    """
    observed = [row[np.isfinite(row)] for row in rows]
    spread = [row for row in observed if len(row) > 1]  # the others have no variance
    degrees = np.array([len(row) - 1.0 for row in spread])
    prior, prior_degrees = _shared_variance(np.array([np.var(row, ddof=1) for row in spread]), degrees)

    def interval(row: np.ndarray) -> Interval:
        if len(row) < 2:
            return Interval(float(row[0]) if len(row) else math.nan, None, None)
        own, own_degrees = float(np.var(row, ddof=1)), len(row) - 1
        weight = 1.0 if math.isinf(prior_degrees) else prior_degrees / (prior_degrees + own_degrees)
        variance = weight * prior + (1 - weight) * own
        return _student(
            float(row.mean()), variance / len(row), min(prior_degrees + own_degrees, float(degrees.sum())), level
        )

    return [interval(row) for row in observed]


def _shared_variance(variances: np.ndarray, degrees: np.ndarray) -> tuple[float, float]:
    """Return the variance that the rows share, and its degrees of freedom, infinite where rows do not differ in it.

    limma has pooled such variances since 2017. Ratios to one reference share its variation, which makes their variances
    more alike than if they were independent. Pooled, they would give intervals that are too narrow.
    """
    usable = variances > 0
    if usable.sum() < 2:
        return (float(variances[usable].mean()) if usable.any() else 0.0), 0.0
    half = degrees[usable] / 2
    logarithms = np.log(variances[usable]) - special.digamma(half) + np.log(half)
    spread = float(np.var(logarithms, ddof=1) - np.mean(special.polygamma(1, half)))
    if spread <= 0:
        return float(np.exp(np.mean(logarithms))), math.inf
    prior = 2 * _inverse_trigamma(spread)
    return float(np.exp(np.mean(logarithms) + special.digamma(prior / 2) - math.log(prior / 2))), prior


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value > 0, by Newton's method on 1 / trigamma (Smyth, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x


def exponential(interval: Interval) -> Interval:
    """Return the interval of a value from the interval of its logarithm."""
    value, low, high = (None if bound is None else math.exp(bound) for bound in interval)
    assert value is not None
    return Interval(value, low, high)


def batch_interval(samples: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Return the mean of a series in time order, with Student's interval over the means of up to `BATCHES` batches.

    The means of long batches are nearly independent even where neighbouring samples are not. Batches have equal
    weight, and their lengths differ by one sample at most.
    """
    series = np.asarray(samples, dtype=float)
    batches = min(BATCHES, len(series))
    bounds = np.arange(batches + 1) * len(series) // max(batches, 1)
    return mean_interval(np.add.reduceat(series, bounds[:-1]) / np.diff(bounds), level)


def largest_half_width(spread: float, n: int, level: float = LEVEL) -> float | None:
    """Return the half-width of the interval of a mean of n values whose true spread is as large as is likely.

    `spread` is the observed one. The true spread is below the largest likely one with a probability of `LIKELY`.
    """
    if n < 2 or math.isnan(spread):
        return None
    largest = spread * math.sqrt((n - 1) / float(special.chdtri(n - 1, LIKELY)))
    return float(special.ndtri((1 + level) / 2)) * largest / math.sqrt(n)


def half_width_left(n: int, more: int, level: float = LEVEL) -> float:
    """Return the part of the half-width of Student's interval of n values that is left after `more` of like spread."""
    if n < 2:
        return 0.0
    quantiles = _student_quantile(level, n + more - 1) / _student_quantile(level, n - 1)
    return quantiles * math.sqrt(n / (n + more))


def ratio_interval(
    values: Sequence[float] | np.ndarray, references: Sequence[float] | np.ndarray, level: float = LEVEL
) -> Interval:
    """Return the geometric mean of values / references, paired by round, with Student's interval of the log ratios.

    Pairs of one round saw the same state of the machine, so drift between rounds cancels. All must be positive.
    """
    logarithms = np.log(np.asarray(values, dtype=float)) - np.log(np.asarray(references, dtype=float))
    return exponential(mean_interval(logarithms, level))


def relative_half_width(interval: Interval) -> float | None:
    """Return half of the interval's width as a fraction of the value's magnitude, or None without an interval."""
    if interval.low is None or interval.high is None:
        return None
    half_width = (interval.high - interval.low) / 2
    if half_width == 0:
        return 0.0
    return half_width / abs(interval.value) if interval.value else math.inf


def within(interval: Interval, target: float = TARGET) -> bool:
    """Return whether there is an interval whose half-width is within `target` of the value."""
    width = relative_half_width(interval)
    return width is not None and width <= target


def trend(times: np.ndarray, values: np.ndarray) -> Change:
    """Return how positive values change over the span of their times (Theil and Sen), and p of Spearman's rho."""
    first, second = np.triu_indices(len(values), 1)
    apart = times[first] != times[second]
    if not apart.any():
        return Change(None, None)
    slopes = ((values[second] - values[first])[apart]) / (times[second] - times[first])[apart]
    size = float(np.median(slopes) * np.ptp(times) / np.median(values))
    rho, degrees = correlation(stats.rankdata(times), stats.rankdata(values)), len(values) - 2
    if rho is None or degrees < 1:
        return Change(size, None)
    return Change(size, _chance_of(rho, np.sqrt((1 - rho**2) / degrees), degrees))


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


def _student(mean: float, variance: float, degrees: float, level: float) -> Interval:
    """Return the interval of a mean from its variance."""
    half_width = _student_quantile(level, degrees) * math.sqrt(variance)
    return Interval(mean, mean - half_width, mean + half_width)


def _student_quantile(level: float, degrees: float) -> float:
    return float(special.stdtrit(degrees, (1 + level) / 2))


@cache  # scipy is slow, and a session asks for the same few arguments again and again
def _median_rank(n: int, level: float) -> int:
    """Return the rank of the lower bound of the median of n samples, or 0 where there is none."""
    return int(stats.binom.ppf((1 - level) / 2, n, 0.5))
