"""Judge each value of two studies: more, less, equal, undecided or not comparable."""

from __future__ import annotations

from dataclasses import dataclass

from tocompress.measurement.statistics import Interval
from tocompress.vocabulary.metrics import METRICS

EQUAL, UNDECIDED, NOT_COMPARABLE = "equal", "undecided", "not comparable"

_SLOWNESS = ("faster", "slower")
#: The verdicts on a metric: where the value of this study is lower, and where it is higher.
_OF_TIMES = dict.fromkeys(("latency", "latency_per_token", "processor_time", "load", "first_inference"), _SLOWNESS)
_OF_METRIC = {**_OF_TIMES, "throughput": ("slower", "faster")}
_OF_KIND = {"cost": ("less", "more"), "count": ("smaller", "larger"), "accuracy": ("worse", "better")}

#: All verdicts, in the order of the page.
VERDICTS = (*_SLOWNESS[::-1], "more", "less", "larger", "smaller", "worse", "better", UNDECIDED, EQUAL, NOT_COMPARABLE)


@dataclass(frozen=True)
class Limits:
    """The bounds of equality, and the probability of a false difference that is accepted."""

    low: float
    high: float
    none: float  # of no difference: a ratio of 1, or a change of 0
    chance: float


def verdict(metric: str, found: Interval, chance: float, limits: Limits) -> str:
    """Return the verdict on a ratio or a change.

    Equality comes first: a difference may be certain and yet too small to matter. `chance` is the corrected p.
    """
    value, low, high = found
    if low is None or high is None:
        return UNDECIDED
    if limits.low <= low and high <= limits.high:
        return EQUAL
    if not chance <= limits.chance:
        return UNDECIDED
    return words(metric)[value > limits.none]


def words(metric: str) -> tuple[str, str]:
    """Return the verdicts on a lower and on a higher value of a metric."""
    return _OF_METRIC.get(metric) or _OF_KIND[METRICS[metric].kind]
