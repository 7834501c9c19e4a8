"""Tell Table I in words: the models, their accuracies and their sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tocompress.reporting.style import model_name, quantity

_BUILDS = {"zoo": "reduced", "published": "published", "own": "own", "initial": "initial"}


def model_rows(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Return Table I, one row per model."""

    def cell(row: Mapping[str, Any], name: str, show: Callable[[float], str]) -> str:
        return "" if pd.isna(row.get(name)) else show(row[name])

    def with_interval(row: Mapping[str, Any], name: str, scale: float) -> str:
        low, high = (row.get(f"{name}_{end}", float("nan")) for end in ("low", "high"))
        bounds = "" if pd.isna(low) or pd.isna(high) else f" ({scale * low:.1f} to {scale * high:.1f})"
        return cell(row, name, lambda value: f"{scale * value:.1f}{bounds}")

    return [
        {
            "model": model_name(row["model"], row["network"]),
            "weights": _BUILDS[row["build"]],
            "type": row["type"],
            "depth": str(row["depth"]),
            "top1": with_interval(row, "top1", 100),
            "top5": with_interval(row, "top5", 100),
            "bleu": with_interval(row, "bleu", 1),
            "parameters_paper": cell(row, "parameters_paper", lambda value: quantity(value, "1")),
            "parameters_published": cell(row, "parameters_published", lambda value: quantity(value, "1")),
            "parameters": cell(row, "parameters", lambda value: quantity(value, "1")),
            "size": cell(row, "size", lambda value: quantity(value, "byte")),
            "macs": cell(row, "macs", lambda value: quantity(value, "1")),
        }
        for row in rows.to_dict("records")
    ]
