"""Make rows of the study's table from the values and intervals of each measured condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from tocompress.measurement.records import CONTROL
from tocompress.measurement.statistics import Interval, converged, ratio_interval
from tocompress.measurement.stopping import Condition
from tocompress.schemas.study import STUDY, VALUE
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.variants import BASELINE

_NO_RATIO = Interval(float("nan"), None, None)

_SCHEMA = pa.schema([STUDY.field(name) for name in ("variant", "arithmetic", *VALUE)])


def conditions(values: pd.Series[Any] | pd.DataFrame) -> list[Condition]:
    """Return variant and arithmetic of an index that starts with them, in order, without the control worker."""
    pairs = dict.fromkeys((variant, mode) for variant, mode, *_ in values.index)
    return [(variant, mode) for variant, mode in pairs if variant != CONTROL]


def ratio_to_baseline(values: pd.Series[Any], condition: Condition, level: float) -> Interval:
    """Return the ratio to fp32 with the same arithmetic, over the processes that both have."""
    baseline = (BASELINE, condition[1])
    if baseline not in conditions(values):
        return _NO_RATIO
    pairs = pd.concat([values[condition], values[baseline]], axis=1, join="inner").to_numpy(dtype=float)
    return ratio_interval(pairs[:, 0], pairs[:, 1], level) if len(pairs) and (pairs > 0).all() else _NO_RATIO


def measured(
    condition: Condition,
    metric: str,
    interval: Interval,
    level: float,
    target: float,
    *,
    label: str | None,
    n: int,
    processes: int,
    ratio: Interval = _NO_RATIO,
) -> dict[str, Any]:
    return {
        "variant": condition[0],
        "arithmetic": condition[1],
        "metric": metric,
        "label": label,
        "unit": METRICS[metric].unit,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "level": level,
        "n": n,
        "processes": processes,
        "ratio": None if ratio is _NO_RATIO else ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "converged": converged(interval, target),
        "basis": "measured",
    }


def unavailable(condition: Condition, metric: str, reason: str) -> dict[str, Any]:
    return {
        "variant": condition[0],
        "arithmetic": condition[1],
        "metric": metric,
        "unit": METRICS[metric].unit,
        "basis": "unavailable",
        "reason": reason,
    }


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pa.Table.from_pylist(list(rows), schema=_SCHEMA).to_pandas()
