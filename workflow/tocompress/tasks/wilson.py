"""Compute Wilson's interval of a share."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri


def wilson(hits: np.ndarray, level: float) -> tuple[float, float]:
    """Return the interval of the share of True in `hits` bool [N], by Wilson's score.

    `scipy.stats.binomtest` computes the same, and takes as long to import as all the rest of scoring.
    """
    n, found = len(hits), int(hits.sum())
    share, z = found / n, ndtri(0.5 + 0.5 * level)
    scale = 2 * (n + z**2)
    center = (2 * n * share + z**2) / scale
    margin = z / scale * np.sqrt(4 * n * share * (1 - share) + z**2)
    return float(center - margin) if found else 0.0, float(center + margin) if found < n else 1.0
