"""Estimate the difference of two sessions.

A log time is the sum of the condition, the machine's state in the generation, and the fresh process. The interval of a
session's mean covers the states that the session saw. Another session, hours later, sees others. One session cannot
show how far these lie apart. So each mean gets one more variance: twice that of the state between generations.
Noise that is as strong over hours as over minutes (1/f) has about as much, since a day holds more than twice the
octaves of a session. `benchmarks/compare.py` measures whether it suffices.

In a ratio to fp32 of the same session, the state cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special, stats

from tocompress.measurement.estimate import REFERENCE
from tocompress.measurement.statistics import Interval

#: The variance of the state between sessions of a machine, in variances between generations.
_BETWEEN_SESSIONS = 2.0


class Mean(NamedTuple):
    """The mean of logarithms, its variance, and the degrees of freedom behind the variance."""

    value: float
    variance: float
    degrees: float


def mean_of(logarithms: Iterable[float]) -> Mean:
    """Return the mean of independent values. NaN is no value. Fewer than two values give no variance."""
    values = np.asarray(list(logarithms), dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Mean(float(values[0]) if len(values) else math.nan, math.nan, 0.0)
    return Mean(float(values.mean()), float(np.var(values, ddof=1)) / len(values), len(values) - 1.0)


def difference(here: Mean, there: Mean, *drifts: Mean) -> Mean:
    """Return `here` less `there`, widened by the variances of `drifts` (Welch and Satterthwaite)."""
    parts = [here, there, *drifts]
    variance = sum(part.variance for part in parts)
    doubt = sum(part.variance**2 / part.degrees for part in parts if part.degrees and part.variance)
    return Mean(here.value - there.value, variance, variance**2 / doubt if doubt else math.inf)


def drift(sessions: Sequence[pd.DataFrame]) -> Mean:
    """Return the variance of the machine's state between sessions, from sessions on one device.

    A session is a table of log times [generation, condition]. The state moves all conditions alike. Each session has
    few generations, so all share one variance.
    """
    states = [(levels - levels.mean()).mean(axis=1).to_numpy() for levels in sessions]
    degrees = sum(max(len(state) - 1, 0) for state in states)
    squares = sum(float(np.sum((state - state.mean()) ** 2)) for state in states)
    return Mean(0.0, _BETWEEN_SESSIONS * squares / degrees, float(degrees)) if degrees else Mean(0.0, 0.0, 0.0)


def in_usual_state(levels: pd.DataFrame) -> pd.DataFrame:
    """Return log times as if each condition had seen all generations of the session, as fp32 did."""
    if REFERENCE not in levels:
        return levels
    reference = levels[REFERENCE]
    beside = levels.notna().apply(lambda known: reference[known].mean())
    return levels + (reference.mean() - beside)


def interval(mean: Mean, level: float) -> Interval:
    """Return Student's interval, or none where there is no variance."""
    if math.isnan(mean.variance):
        return Interval(mean.value, None, None)
    half_width = float(special.stdtrit(mean.degrees, (1 + level) / 2)) * math.sqrt(mean.variance)
    return Interval(mean.value, mean.value - half_width, mean.value + half_width)


def chance(mean: Mean) -> float:
    """Return the probability of such a difference between equal sessions (Student's p)."""
    if mean.variance == 0:
        return float(mean.value == 0)
    return float(2 * special.stdtr(mean.degrees, -abs(mean.value) / math.sqrt(mean.variance)))


def corrected(chances: Sequence[float]) -> np.ndarray:
    """Return each p, corrected for the number of comparisons (Benjamini and Hochberg). NaN is no comparison."""
    given = np.asarray(chances, dtype=float)
    known = np.isfinite(given)
    found = np.full(len(given), np.nan)
    if known.any():
        found[known] = stats.false_discovery_control(given[known])
    return found
