"""How the numbers of a study came to be, metric by metric."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tocompress.reporting.effects import reasons
from tocompress.reporting.figures.captions import is_unconverged, listing
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.titles import METRIC_NAMES

#: How the numbers of a metric come to be.
METHODS: dict[str, str] = {
    "parameters": "counted in the weights, batch norm statistics included",
    "macs": "counted from the shapes of the layers, for one input",
    "filters_removed": "counted in the weights",
    "size": "size of the file that a device loads",
    "size_deflated": "size of that file, compressed",
    "latency": "wall clock from input to output, load excluded; median of each fresh process, mean over processes",
    "latency_per_token": "as inference time, divided by the tokens generated",
    "memory": "peak of a fresh process from its second inference on, above that of a control process without a model",
    "power_mean": "energy of a block of inferences above idle, divided by its duration; mean over fresh processes",
    "power_peak": "99th percentile in a block of the mean power over 100 ms, above idle; mean over fresh processes",
    "energy": "power above idle, integrated over a block of inferences and the sensor's tail, an inference;"
    " mean over fresh processes",
    "top1": "share of the test set whose best class is right",
    "top5": "share of the test set whose class is among the best five",
    "precision": "mean over classes",
    "recall": "mean over classes",
    "f1": "mean over classes",
    "bleu": "sacreBLEU on the test set, 0 to 100",
    "bleu_tokenized": "BLEU of tokens on the test set, as tensorflow/nmt's scripts compute it, 0 to 100",
    "operation_share": "share of the time of all profiled operations of an inference",
}


@dataclass(frozen=True)
class Method:
    """A metric: how it comes to be, and how its values are spread over bases, observations and interval widths."""

    metric: str
    how: str
    basis: str
    observations: str
    half_width: str
    unconverged: str
    reasons: str


def methods(study: pd.DataFrame) -> list[Method]:
    """One a metric of the table `study`, in the order of `METRICS`."""
    return [_method(metric, rows) for metric in METRICS if len(rows := study[study["metric"] == metric])]


def _method(metric: str, rows: pd.DataFrame) -> Method:
    counts = rows["basis"].value_counts().sort_index()
    known = rows[rows["value"].notna()]
    unconverged = int(is_unconverged(known).sum())
    judged = int(known["converged"].notna().sum())
    return Method(
        metric=METRIC_NAMES[metric] + ("" if METRICS[metric] == "1" else f" ({METRICS[metric]})"),
        how=METHODS[metric],
        basis=", ".join(f"{count:,} {basis}" for basis, count in counts.items()),
        observations=_span(known["n"])
        + (f" (processes: {processes})" if (processes := _span(known["processes"])) else ""),
        half_width=_half_widths(known),
        unconverged=f"{unconverged:,} of {judged:,}" if judged else "",
        reasons=listing(reasons(rows)),
    )


def _half_widths(rows: pd.DataFrame) -> str:
    """Median and maximum of half the interval, relative to the value."""
    widths = ((rows["high"] - rows["low"]) / 2 / rows["value"].abs())[rows["value"] != 0].dropna().astype(float)
    return f"{100 * widths.median():.1f} % (at most {100 * widths.max():.1f} %)" if len(widths) else ""


def _span(counts: pd.Series[int]) -> str:
    counts = counts.dropna()
    if counts.empty:
        return ""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
