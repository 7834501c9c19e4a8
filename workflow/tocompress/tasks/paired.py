"""Compute the interval of a change of a share, for the same examples before and after."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri


def paired_change(before: np.ndarray, after: np.ndarray, level: float) -> tuple[float, float, float]:
    """Return the change of the share of True from `before` to `after`, bool [N] each, and its interval.

    The source is A. Agresti and Y. Min, 2005, Statistics in Medicine 24, 729. It is Wald's interval. Half an example is
    added to both kinds of change. So it has a width even where nothing changed.
    """
    n, gained, lost = len(before), int((after & ~before).sum()), int((before & ~after).sum())
    center = (gained - lost) / (n + 2)
    margin = ndtri(0.5 + 0.5 * level) * np.sqrt((gained + lost + 1) - (gained - lost) ** 2 / (n + 2)) / (n + 2)
    return (gained - lost) / n, float(center - margin), float(center + margin)
