"""List the classes of pictures that a model knows worst, before and after compression."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from tocompress.reporting.study import runtimes, variants
from tocompress.reporting.style import model_name
from tocompress.vocabulary.runtimes import title

_METRIC = "class_recall"


def worst_classes(study: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a table of texts by model and runtime. It has a row a class and a column a variant, and holds recalls.

    The class with the lowest recall of all variants comes first. A cell is empty where the class is not among the
    worst of its variant.
    """
    own = study[study["metric"].eq(_METRIC) & study["value"].notna()]
    known = runtimes(own)
    tables = {}
    for (model, network, runtime), rows in own.groupby(["model", "network", "runtime"], sort=False):
        where = f", {title(runtime)}" if len(known) > 1 else ""
        cells = rows.assign(text=[_text(row) for row in rows.to_dict("records")])
        table = cells.pivot(index="label", columns="variant", values="text").fillna("")
        lowest = rows.groupby("label")["value"].min().sort_values(kind="stable").index
        order = [variant for variant in variants(rows) if variant in table]
        tables[f"{model_name(model, network)}{where}"] = table.loc[lowest, order]
    return tables


def _text(row: dict[Hashable, Any]) -> str:
    """Return a recall with its interval, in percent, and the number of pictures."""
    low, high = (f"{100 * row[end]:.0f}" for end in ("low", "high"))
    return f"{100 * row['value']:.0f} [{low}, {high}] n = {row['n']:.0f}"
