"""Choose the ticks of axes: round numbers, few enough to read and enough to tell the scale."""

from __future__ import annotations

import math
from itertools import product

from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

#: The steps of a logarithmic axis, round to less round.
_STEPS = (1, 3, 2, 5, 7, 1.5, 4, 6, 8, 9)


def logarithmic(low: float, high: float, apart: float = 0.15) -> list[float]:
    """Return round numbers between the ends of a logarithmic axis, at least this share of the axis apart."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    least = apart * math.log(high / low)
    kept = list[float]()
    for step, power in product(_STEPS, powers):
        tick = round(step * 10.0**power, 9)
        if low <= tick <= high and all(abs(math.log(tick / other)) >= least for other in kept):
            kept.append(tick)
    return sorted(kept) if len(kept) > 1 else linear(low, high)


def linear(low: float, high: float) -> list[float]:
    """Return round numbers between the ends of a linear axis."""
    ticks = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [round(float(tick), 9) for tick in ticks if low <= tick <= high]


def set_ticks(axis: Axis, ticks: list[float], texts: list[str]) -> None:
    """Show these ticks alone."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter(texts))
    axis.set_minor_locator(NullLocator())
