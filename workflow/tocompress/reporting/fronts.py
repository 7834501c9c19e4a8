"""Find the Pareto front of two goals: the points that are not shown to be beaten.

A point beats another if it is shown to be better in one goal. Its value in the other goal must be no worse.
It is shown to be better where its interval lies wholly beyond the other's. So the front of the values alone is part of
this front. Points that are too close to tell stand beside it. A front of some points is never empty.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_Pairs = npt.NDArray[np.bool_]  # [points, points]: something holds of the point in the column against that in the row


def goal(values: pd.Series[float], lows: pd.Series[float], highs: pd.Series[float]) -> pd.DataFrame:
    """Return a goal of points: columns `value`, `low` and `high`. A missing interval shows nothing."""
    return pd.DataFrame({"value": values, "low": lows, "high": highs}).astype(float)


def exact(values: pd.Series[float]) -> pd.DataFrame:
    """Return a goal of values that are counted, such as a file size: any difference is shown."""
    return goal(values, values, values)


def front(gains: pd.DataFrame, costs: pd.DataFrame) -> pd.Series[bool]:
    """Return which points are on the front. Gains are to be high, costs to be low."""
    savings = goal(-costs["value"], -costs["high"], -costs["low"])
    beaten = _better(gains) & _no_worse(savings) | _better(savings) & _no_worse(gains)
    return pd.Series(~beaten.any(axis=1), gains.index, dtype="boolean")


def _better(goal: pd.DataFrame) -> _Pairs:
    low, high = goal["low"].to_numpy(), goal["high"].to_numpy()
    return np.asarray(low[None, :] > high[:, None])


def _no_worse(goal: pd.DataFrame) -> _Pairs:
    value = goal["value"].to_numpy()
    return np.asarray(value[None, :] >= value[:, None])
