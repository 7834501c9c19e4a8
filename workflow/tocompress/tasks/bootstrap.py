"""Compute intervals by resampling the test set. Two models are paired by judging both on the same resamples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tocompress.tasks.metrics import Comparison

#: Maps the number of draws of each example, int64 [examples], to one or more scores.
Statistic = Callable[[np.ndarray], np.ndarray | float]


def resample(statistic: Statistic, examples: int, *, resamples: int, seed: int) -> np.ndarray:
    """Return `statistic` of each resample of the examples, with replacement, float64 [resamples, ...].

    The draws depend on `examples` and `seed` alone, so two statistics of the same examples are paired row by row.
    """
    random = np.random.default_rng(seed)
    draws = (np.bincount(random.integers(examples, size=examples), minlength=examples) for _ in range(resamples))
    return np.array([statistic(times) for times in draws], np.float64)


def interval(resampled: np.ndarray, level: float) -> tuple[float, float]:
    """Return the percentile interval of values float64 [resamples], or NaN where a resample has no value.

    The interval shows the sampling of examples, not the bias of a score. With few examples a class, macro precision and
    F1 are biased, and their intervals hold the truth less often than `level`.
    """
    if not np.isfinite(resampled).all():
        return np.nan, np.nan
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compared(
    value: float, baseline: float, resampled: np.ndarray, resampled_baseline: np.ndarray, level: float
) -> Comparison:
    """Return the ratio to the baseline and the difference from it, both with intervals on the same resamples."""
    change = interval(resampled - resampled_baseline, level)
    return Comparison(*paired_ratio(value, baseline, resampled, resampled_baseline, level), value - baseline, *change)


def paired_ratio(
    value: float, baseline: float, resampled: np.ndarray, resampled_baseline: np.ndarray, level: float
) -> tuple[float, float, float]:
    """Return value / baseline and its interval on the same resamples, or NaN where the baseline is zero."""
    if baseline == 0:
        return np.nan, np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = resampled / resampled_baseline
    return (value / baseline, *interval(ratios, level))
