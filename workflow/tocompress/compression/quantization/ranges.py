"""The range that a grid spans. It leaves out the largest weights where that costs less than coarse steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Range = Literal["minmax", "mse", "percentile"]
Floats = NDArray[np.float32]
Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]

#: Share of a channel's or tensor's weights between the bounds of the range 'percentile'.
SHARE = 0.999
_SHRINKINGS = np.linspace(1.0, 0.3, 36)


def whole(tensor: Floats, axis: int | None) -> Bounds:
    """Return minimum and maximum, widened to hold 0, float64 of shape [] or [shape[axis]]."""
    others = _others(tensor, axis)
    low = np.minimum(tensor.min(others, initial=0), 0)
    high = np.maximum(tensor.max(others, initial=0), 0)
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def between_percentiles(tensor: Floats, axis: int | None) -> Bounds:
    """Return the bounds that leave out equal shares of the smallest and the largest weights."""
    others = _others(tensor, axis)
    low, high = np.quantile(tensor, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=others)
    return np.minimum(low, 0).astype(np.float64), np.maximum(high, 0).astype(np.float64)


def least_error(
    tensor: Floats, axis: int | None, on_grid: Callable[[NDArray[np.float64], NDArray[np.float64]], Floats]
) -> Bounds:
    """Return the shrunken bounds with the least mean square error. `on_grid` puts the tensor on the grid of bounds."""
    others = _others(tensor, axis)
    low, high = whole(tensor, axis)
    best, least = np.ones(low.shape), np.full(low.shape, np.inf)
    for shrinking in _SHRINKINGS:
        errors = np.square(on_grid(low * shrinking, high * shrinking) - tensor, dtype=np.float64).sum(others)
        better = errors < least
        best, least = np.where(better, shrinking, best), np.where(better, errors, least)
    return low * best, high * best


def _others(tensor: Floats, axis: int | None) -> tuple[int, ...] | None:
    return None if axis is None else tuple(other for other in range(tensor.ndim) if other != axis)
