"""The metrics of the study."""

from __future__ import annotations

BASES = ("measured", "predicted", "unavailable")

#: Every metric of the study and its unit.
METRICS: dict[str, str] = {
    "parameters": "1",
    "macs": "1",
    "filters_removed": "fraction",
    "size": "byte",
    "size_deflated": "byte",
    "latency": "ms",
    "latency_per_token": "ms",
    "memory": "byte",
    "power_mean": "W",
    "power_peak": "W",
    "energy": "J",
    "top1": "fraction",
    "top5": "fraction",
    "precision": "fraction",
    "recall": "fraction",
    "f1": "fraction",
    "bleu": "score",
    "bleu_tokenized": "score",
    "operation_share": "fraction",
}

#: Metrics that mean something for trained weights only.
ACCURACY = frozenset({"top1", "top5", "precision", "recall", "f1", "bleu", "bleu_tokenized"})

#: Counted, not sampled: without an interval because there is nothing to estimate.
EXACT = frozenset({"parameters", "macs", "filters_removed", "size", "size_deflated"})

#: Metrics that a benchmark measures, and their units.
COSTS = {
    metric: METRICS[metric] for metric in ("latency", "memory", "power_mean", "power_peak", "energy", "operation_share")
}

#: Metrics whose label says how a variant's value was computed (sacreBLEU's signature), not what part of it it is.
_WHOLE_THOUGH_LABELLED = ("bleu", "bleu_tokenized")
