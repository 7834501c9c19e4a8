"""Judge configurations by observations that were made together, and by the bounds of intervals alone.

An array holds the observations of a metric, [configurations, n]. A column of hits (0 or 1) is an example. A column of
a cost is a round of a session, in the order of time. A column of BLEU is a resample of the test set. A size is exact
and has one column. NaN is no observation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.special import ndtri

from tocompress.measurement.statistics import Interval, exponential, mean_interval, moderated_intervals
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.settings.search import Limit
from tocompress.tasks.paired import paired_change
from tocompress.tasks.wilson import wilson
from tocompress.vocabulary.metrics import ACCURACY, COSTS, COUNTED, METRICS

#: Rounds of a session that follow one another see a machine in nearly the same state. Means of a few long batches are
#: nearly independent. A drift that is slower than the session shows in none of them.
_BATCHES = 5


class Verdict(Enum):
    """Whether a requirement is met, by the bounds of an interval."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Evidence:
    """The observations of some configurations side by side, by metric, each float [configurations, n]."""

    configurations: tuple[Configuration, ...]
    values: Mapping[str, np.ndarray]

    def of(self, metric: str, configuration: Configuration) -> np.ndarray:
        """Return the observations of a configuration, float [n]."""
        observed: np.ndarray = self.values[metric][self.configurations.index(configuration)]
        return observed


def changes(metric: str, before: Sequence[np.ndarray], after: Sequence[np.ndarray], level: float) -> list[Interval]:
    """Return the change of each pair of observations, float [n] each.

    A cost or a size changes by the logarithm of a ratio, and an accuracy by a difference. The spread of a cost
    is learned from all pairs together.
    """
    pairs = list(zip(before, after, strict=True))
    if metric in ACCURACY:
        return [_change_of_accuracy(metric, *pair, level) for pair in pairs]
    logarithms = [np.log(new) - np.log(old) for old, new in pairs]
    if metric in COUNTED:
        return [Interval(ratio[0], ratio[0], ratio[0]) for ratio in (row.tolist() for row in logarithms)]
    rows = np.full((len(pairs), max(map(len, logarithms), default=0)), np.nan)
    for row, ratios in zip(rows, logarithms, strict=True):
        row[: len(ratios)] = ratios
    return [_or_unbounded(interval) for interval in moderated_intervals(rows, level)]


def _change_of_accuracy(metric: str, before: np.ndarray, after: np.ndarray, level: float) -> Interval:
    if METRICS[metric].unit == "fraction":
        return Interval(*paired_change(before > 0, after > 0, level))
    return _of_resamples(after - before, level)


def value(metric: str, observed: np.ndarray, level: float) -> Interval:
    """Return the value of a metric in its unit, from observations float [n]."""
    if metric in COUNTED:
        return Interval(float(observed[0]), float(observed[0]), float(observed[0]))
    if metric in COSTS:
        return exponential(_or_unbounded(_of_series(np.log(observed[np.isfinite(observed)]), level)))
    if METRICS[metric].unit == "fraction":
        return Interval(float(observed.mean()), *wilson(observed > 0, level))
    return _of_resamples(observed, level)


def _of_series(series: np.ndarray, level: float) -> Interval:
    """Return the mean of values in the order of time. The machine drifts, so only means of batches are independent."""
    if not len(series):
        return Interval(math.nan, None, None)
    batches = np.array_split(series, min(_BATCHES, len(series)))
    return mean_interval(np.array([batch.mean() for batch in batches]), level)


def _of_resamples(resamples: np.ndarray, level: float) -> Interval:
    """Return the normal interval of a score. A few hundred resamples show no quantile far out."""
    mean, margin = float(resamples.mean()), float(ndtri(0.5 + 0.5 * level) * resamples.std(ddof=1))
    return Interval(mean, mean - margin, mean + margin)


def _or_unbounded(interval: Interval) -> Interval:
    """Return an interval that holds everything where too little was observed."""
    return interval if interval.low is not None else Interval(interval.value, -math.inf, math.inf)


def bounded(limit: Limit, evidence: Evidence, configuration: Configuration, level: float) -> Interval:
    """Return the interval that a limit bounds, in the unit of its metric: a value, or a change against fp32."""
    observed = evidence.of(limit.metric, configuration)
    if limit.kind != "lose at most":
        return value(limit.metric, observed, level)
    if configuration == UNCOMPRESSED:
        return Interval(0.0, 0.0, 0.0)
    return changes(limit.metric, [evidence.of(limit.metric, UNCOMPRESSED)], [observed], level)[0]


def missing(limit: Limit, interval: Interval) -> float:
    """Return how far the worse bound of an interval is beyond a limit, in the unit of the metric."""
    assert interval.low is not None and interval.high is not None
    if limit.kind == "at most":
        return max(interval.high - limit.bound, 0.0)
    return max((limit.bound if limit.kind == "at least" else -limit.bound) - interval.low, 0.0)


def verdict(limit: Limit, interval: Interval) -> Verdict:
    """Return whether a limit is surely met, surely missed, or neither."""
    assert interval.low is not None and interval.high is not None
    if missing(limit, interval) == 0:
        return Verdict.MET
    best = interval.low if limit.kind == "at most" else interval.high
    return Verdict.MISSED if missing(limit, Interval(best, best, best)) > 0 else Verdict.UNDECIDED


def corrected(level: float, comparisons: int) -> float:
    """Return the level of each of several intervals that all hold at `level` (Bonferroni)."""
    return 1 - (1 - level) / max(comparisons, 1)


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return whether all requirements are met, or one is missed."""
    if Verdict.MISSED in verdicts:
        return Verdict.MISSED
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.MET
