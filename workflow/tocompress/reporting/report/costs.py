"""List the costs of the uncompressed models on a device, in numbers instead of ratios."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from tocompress.reporting.study import runtimes
from tocompress.reporting.style import model_name, quantity
from tocompress.vocabulary.metrics import COSTS, METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE

_WIDE = 0.2  # half of an interval as a share of its value, from which its bounds lie apart unevenly
_BATCHED = "throughput"  # its labels count inputs, those of other costs name a part of the inferences


def costs(study: pd.DataFrame, device: str) -> pd.DataFrame:
    """Return the known costs of fp32 on a device as text, a row per cost and a column per model.

    A device with several runtimes has a row of each, one under the other.
    """
    own = study[study["device"].eq(device) & study["variant"].eq(BASELINE) & study["value"].notna()]
    own = own[own["metric"].isin(COSTS) & (own["label"].isna() | own["metric"].eq(_BATCHED))]
    known = runtimes(own)
    found: dict[tuple[int, int, int], dict[str, str]] = {}
    for row in own.to_dict("records"):
        inputs = int(row["label"]) if row["metric"] == _BATCHED else 0
        place = known.index(row["runtime"]) if row["runtime"] in known else 0
        key = list(METRICS).index(row["metric"]), inputs, place
        found.setdefault(key, {})[model_name(row["model"], row["network"])] = _text(row)
    table = pd.DataFrame({_title(*key, known): found[key] for key in sorted(found)})
    return table.reindex(dict.fromkeys(map(model_name, own["model"], own["network"]))).fillna("").T


def _title(metric: int, inputs: int, runtime: int, known: Sequence[str]) -> str:
    batch = f" of {inputs} input{'' if inputs == 1 else 's'}" if inputs else ""
    where = f", {title(known[runtime])}" if len(known) > 1 else ""
    return list(METRICS.values())[metric].title + batch + where


def _text(row: dict[Hashable, Any]) -> str:
    """Return a value with half the width of its interval or both bounds, and a circle where it is not settled."""
    half = (row["high"] - row["low"]) / 2 / row["value"] if row["value"] else float("nan")
    width = "" if pd.isna(half) else f" ±{100 * half:.1f} %"
    if half > _WIDE:
        width = f" ({quantity(row['low'], row['unit'])} to {quantity(row['high'], row['unit'])})"
    unsettled = " ○" if not pd.isna(row["settled"]) and not row["settled"] else ""
    return quantity(row["value"], row["unit"]) + width + unsettled
