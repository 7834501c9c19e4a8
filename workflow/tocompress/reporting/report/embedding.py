"""Embed tables in an HTML page, compactly and safely for any content."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from tocompress.vocabulary.metrics import METRICS

_DIGITS = 6  # of a number, because a page shows only three

#: Columns that a page shows inside another column: its bounds and its unit.
_WITH = {
    "value": ("low", "high", "unit"),
    "ratio": ("ratio_low", "ratio_high", None),
    "change": ("change_low", "change_high", None),
    "across": ("across_low", "across_high", None),
}
_CHANGES = ["change", "change_low", "change_high"]
_TITLES = {"change": "change (points)"}
_POINTS = {"fraction": 100.0, "score": 1.0}


def embedded(table: pd.DataFrame) -> str:
    """Return a table as JSON for report.js, column by column, safe inside a <script> element.

    Text becomes a list of distinct words and, for each row, the index of its word (-1 for none). Numbers keep six
    digits. Bounds stand with their value or ratio. Empty columns are left out.
    """
    columns = []
    table = _in_points(table)
    told = [name for name in table.columns if table[name].notna().any()]
    merged = {name for value, others in _WITH.items() if value in told for name in others if name}
    for name in told:
        if name not in merged:
            columns.append({"title": _TITLES.get(str(name), str(name).replace("_", " ")), **_column(table, str(name))})
    text = json.dumps({"rows": len(table), "columns": columns}, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c")


def _in_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose changes of accuracies are in points."""
    if not {*_CHANGES, "unit"} <= set(table.columns):
        return table
    scale = table["unit"].map(_POINTS).astype("float64")
    return table.assign(**{name: scale * table[name].astype("float64") for name in _CHANGES})


def _column(table: pd.DataFrame, name: str) -> dict[str, Any]:
    column = table[name]
    if is_bool_dtype(column.dtype):
        return _words(["" if pd.isna(flag) else "yes" if flag else "no" for flag in column])
    if not is_numeric_dtype(column.dtype):
        texts = ["" if pd.isna(text) else str(text) for text in column]
        return _words(
            [METRICS[text].title if text in METRICS else text for text in texts] if name == "metric" else texts
        )
    numbers: dict[str, Any] = {"kind": "number", "cells": _numbers(column)}
    low, high, unit = _WITH.get(name, (None, None, None))
    if low in table.columns and high in table.columns:
        numbers |= {"low": _numbers(table[low]), "high": _numbers(table[high])}
    if unit in table.columns:
        numbers["unit"] = _words(["" if pd.isna(text) else str(text) for text in table[unit]])
    return numbers


def _words(texts: Sequence[str]) -> dict[str, Any]:
    words = {text: number for number, text in enumerate(dict.fromkeys(filter(None, texts)))}
    return {"kind": "words", "words": list(words), "cells": [words.get(text, -1) for text in texts]}


def _numbers(column: pd.Series[Any]) -> list[float | int | None]:
    return [number(value) for value in column.astype("float64")]


def number(value: float) -> float | int | None:
    """Return a number with six digits, whole where it is whole, or None where it is not finite."""
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
