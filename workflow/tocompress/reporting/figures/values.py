"""Write one row of the study in print: how it differs from fp32, and everything about it under the pointer."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tocompress.reporting import style
from tocompress.vocabulary.arithmetic import ARITHMETICS, in_print
from tocompress.vocabulary.metrics import ACCURACY, METRICS


def difference(row: Any) -> str:
    """Return the difference of a row from fp32: its ratio, or the change of an accuracy."""
    return _changed(row, "") if row.metric in ACCURACY else times(row.ratio)


def times(ratio: float) -> str:
    """Return a ratio with two decimals, or with three digits if it is large."""
    return f"×{ratio:.2f}" if ratio < 10 else f"×{style.digits(ratio)}"


def told(row: Any) -> str:
    """Return a row's model, variant and arithmetic, and its difference from fp32 with interval, n and value."""
    quantized = f", {in_print(row.arithmetic)}" if row.arithmetic in ARITHMETICS else ""
    name = f"{style.model_name(row.model, row.network)}, {row.variant}{quantized}: {METRICS[row.metric].title}"
    count = "" if pd.isna(row.n) or row.n <= 1 else f", n = {row.n:,}"
    return f"{name} {_with_interval(row)}{count}, {style.quantity(row.value, row.unit)}"


def alone(row: Any) -> str:
    """Return a row's model and variant, and its value with interval and n."""
    low, high = (style.quantity(number, row.unit) for number in (row.low, row.high))
    interval = "" if pd.isna(row.low) or row.low == row.high else f" ({low} to {high})"
    count = "" if pd.isna(row.n) or row.n <= 1 else f", n = {row.n:,}"
    name = f"{style.model_name(row.model, row.network)}, {row.variant}: {METRICS[row.metric].title}"
    return f"{name} {style.quantity(row.value, row.unit)}{interval}{count}"


def _with_interval(row: Any) -> str:
    """Return the difference from fp32 with the unit and the paired interval."""
    accuracy = row.metric in ACCURACY
    unit = (" BLEU" if row.unit == "score" else " points") if accuracy else ""
    low, high = (row.change_low, row.change_high) if accuracy else (row.ratio_low, row.ratio_high)
    if pd.isna(low) or pd.isna(high):
        return difference(row) + unit
    interval = [_changed(row, end) if accuracy else f"{getattr(row, f'ratio{end}'):.2f}" for end in ("_low", "_high")]
    return f"{difference(row)}{unit} ({interval[0]} to {interval[1]})"


def _changed(row: Any, end: str) -> str:
    return style.in_points(getattr(row, f"change{end}"), row.unit, name=False)
