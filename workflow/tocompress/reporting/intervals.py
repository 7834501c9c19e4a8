"""Combine the intervals of a claim's parts into one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from tocompress.measurement.statistics import Interval


def mapped(interval: Interval, function: Callable[[float], float]) -> Interval:
    """Return the interval with a rising function applied to its value and bounds."""
    low, high = interval.low, interval.high
    return Interval(
        function(interval.value), None if low is None else function(low), None if high is None else function(high)
    )


def summed(intervals: Iterable[Interval]) -> Interval:
    """Return the sum. The widths add up, as if all parts erred together."""
    values, lows, highs = zip(*intervals, strict=True)
    known = None not in lows and None not in highs
    return Interval(sum(values), sum(lows) if known else None, sum(highs) if known else None)


def averaged(intervals: Sequence[Interval]) -> Interval:
    """Return the mean. Its width is the mean width of the parts."""
    return mapped(summed(intervals), lambda total: total / len(intervals))


def spanned(intervals: Sequence[Interval]) -> Interval:
    """Return the mean, with the lowest and the highest bound of all parts."""
    values, lows, highs = zip(*intervals, strict=True)
    known = None not in lows and None not in highs
    return Interval(sum(values) / len(values), min(lows) if known else None, max(highs) if known else None)


def difference(first: Interval, second: Interval) -> Interval:
    """Return the first minus the second, as if both were independent."""
    value = first.value - second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(value, None, None)
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, value - below, value + above)


def quotient(first: Interval, second: Interval) -> Interval:
    """Return the first divided by the second, on the logarithmic scale, as if both were independent.

    The baseline that they share cancels, so the interval is rather too wide.
    """
    value = first.value / second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(value, None, None)
    if min(first.low, second.low) <= 0:
        return Interval(value, None, None)
    below = math.hypot(math.log(first.value / first.low), math.log(second.high / second.value))
    above = math.hypot(math.log(first.high / first.value), math.log(second.value / second.low))
    return Interval(value, value * math.exp(-below), value * math.exp(above))
