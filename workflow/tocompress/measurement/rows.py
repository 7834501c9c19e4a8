"""Make rows of the study's table from the values and intervals of each measured condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from tocompress.measurement.estimate import REFERENCE, Condition
from tocompress.measurement.records import CONTROL
from tocompress.measurement.statistics import Interval, ratio_interval, within
from tocompress.measurement.stopping import Verdict
from tocompress.schemas.study import STUDY, VALUE
from tocompress.vocabulary.metrics import METRICS

_NO_RATIO = Interval(float("nan"), None, None)

_SCHEMA = pa.schema([STUDY.field(name) for name in ("variant", "arithmetic", *VALUE)])


def conditions(values: pd.Series[Any] | pd.DataFrame) -> list[Condition]:
    """Return variant and arithmetic of an index that starts with them, in order, without the control worker."""
    pairs = dict.fromkeys((variant, mode) for variant, mode, *_ in values.index)
    return [(variant, mode) for variant, mode in pairs if variant != CONTROL]


def ratio_to_baseline(values: pd.Series[Any], condition: Condition, level: float) -> Interval:
    """Return the ratio to fp32, over the processes or generations that both have."""
    if REFERENCE not in conditions(values):
        return _NO_RATIO
    pairs = pd.concat([values[condition], values[REFERENCE]], axis=1, join="inner").to_numpy(dtype=float)
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
        "settled": within(interval, target),
        "ratio_settled": None if ratio is _NO_RATIO or condition == REFERENCE else within(ratio, target),
        "basis": "measured",
    }


def judged(
    condition: Condition,
    metric: str,
    verdict: Verdict,
    level: float,
    *,
    label: str | None,
    n: int,
    processes: int,
    across: Interval = _NO_RATIO,
) -> dict[str, Any]:
    """Return the row of a time and its ratio by their verdict. `across` is its ratio to fp32 of another runtime."""
    (value, ratio, _), target = verdict.estimate, verdict.target
    row = measured(
        condition, metric, value, level, target, label=label, n=n, processes=processes, ratio=ratio or _NO_RATIO
    )
    return row | {
        "settled": verdict.why_time_not is None,
        "ratio_settled": verdict.why_ratio_not is None if verdict.is_compared else None,
        "reason": verdict.reason,
        "across": None if across is _NO_RATIO else across.value,
        "across_low": across.low,
        "across_high": across.high,
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
