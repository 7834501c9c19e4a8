"""Describe the methods behind a study's numbers, metric by metric."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tocompress.reporting.effects import reasons
from tocompress.reporting.figures.captions import listing
from tocompress.vocabulary.metrics import METRICS, Metric
from tocompress.vocabulary.variants import BASELINE


@dataclass(frozen=True)
class Method:
    """The method of a metric, and the bases, observations and interval widths of its values and of their ratios."""

    metric: str
    how: str
    basis: str
    observations: str
    half_width: str
    settled: str
    ratio_half_width: str
    ratio_settled: str
    reasons: str


def methods(study: pd.DataFrame) -> list[Method]:
    """Return one method per metric of the table `study`, in the order of `METRICS`."""
    rows = study.groupby("metric").indices
    return [_method(metric, study.iloc[rows[name]]) for name, metric in METRICS.items() if name in rows]


def _method(metric: Metric, rows: pd.DataFrame) -> Method:
    counts = rows["basis"].value_counts().sort_index()
    known = rows[rows["value"].notna()]
    compared = known[known["ratio"].notna() & known["variant"].ne(BASELINE)]
    return Method(
        metric=metric.title + ("" if metric.unit == "1" else f" ({metric.unit})"),
        how=metric.how,
        basis=", ".join(f"{count:,} {basis}" for basis, count in counts.items()),
        observations=_span(known["n"])
        + (f" (processes: {processes})" if (processes := _span(known["processes"])) else ""),
        half_width=_half_widths(known, "value", "low", "high"),
        settled=_share(known["settled"]),
        ratio_half_width=_half_widths(compared, "ratio", "ratio_low", "ratio_high"),
        ratio_settled=_share(compared["ratio_settled"]),
        reasons=listing(reasons(rows)),
    )


def _half_widths(rows: pd.DataFrame, middle: str, low: str, high: str) -> str:
    """Return the median and maximum of half the interval, relative to its middle."""
    widths = ((rows[high] - rows[low]) / 2 / rows[middle].abs())[rows[middle] != 0].dropna().astype(float)
    return f"{100 * widths.median():.1f} % (at most {100 * widths.max():.1f} %)" if len(widths) else ""


def _share(flags: pd.Series[bool]) -> str:
    """Return how many of the known flags are true, as `12 of 78`, or an empty text if none is known."""
    known = flags.dropna()
    return f"{int(known.sum()):,} of {len(known):,}" if len(known) else ""


def _span(counts: pd.Series[int]) -> str:
    counts = counts.dropna()
    if counts.empty:
        return ""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
