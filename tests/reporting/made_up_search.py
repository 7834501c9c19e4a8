"""Made-up searches: their table of candidates and their answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tocompress.schemas.study import CANDIDATES
from tocompress.settings.jobs import SearchFigureJob
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import ACCURACY, COUNTED, METRICS

FP32 = {"latency": 20.0, "memory": 8e6, "size": 1e6, "top1": 0.8, "bleu": 25.0}
#: Variant -> share, arithmetic, bits, ratio of costs, lost part of the accuracy.
CONFIGURATIONS = {
    "fp32": (0.0, "float", "", 1.0, 0.0),
    "p15-i8": (0.15, "integer", "8", 0.5, 0.008),
    "p15-q8": (0.15, "float", "8", 0.85, 0.006),
    "p30": (0.3, "float", "", 0.7, 0.03),
    "i6": (0.0, "integer", "8 6 4", 0.6, 0.001),
    "i4": (0.0, "integer", "4 4 4 6 4 4 4 8", 0.45, 0.2),
}
SETTINGS = SearchFigureJob(model="mobilenet_v1", network="mobilenet_v1", data="glyphs", plot=Plot(dpi=60))

Limits = Mapping[str, tuple[str, float]]


def make_candidates(
    metrics: tuple[str, ...], judged: tuple[str, ...], chosen: str | None, screened: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Two rounds of screening, the second of half of the configurations, and the judging."""
    names = screened or tuple(CONFIGURATIONS)
    rounds = {1: names, 2: names[: max(1, len(names) // 2)], 3: tuple(dict.fromkeys(["fp32", *judged]))}
    rows = [
        _row(number, number == 3, variant, metric, variant == chosen)
        for number, variants in rounds.items()
        for metric in metrics
        for variant in variants
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names)


def _row(trial: int, judging: bool, variant: str, metric: str, chosen: bool) -> dict[str, Any]:
    share, arithmetic, bits, ratio, lost = CONFIGURATIONS[variant]
    unit, accuracy = METRICS[metric].unit, metric in ACCURACY
    scale = 1.0 if unit == "fraction" else 100.0
    change = -lost * scale * (1 if judging else 0.9) if accuracy else ratio ** (0.9 if judging else 0.95)
    half = 0.0 if metric in COUNTED else (0.008 if judging else 0.03) * (scale if accuracy else 3)
    value = FP32[metric] + change if accuracy else FP32[metric] * change
    return {
        **{"model": "mobilenet_v1", "trial": trial, "judging": judging, "variant": variant, "share": share},
        **{"arithmetic": arithmetic, "bits": bits, "metric": metric, "unit": unit},
        **{"value": value, "low": value, "high": value, "level": 0.99 if judging else 0.95},
        **{"change": change, "change_low": change - half, "change_high": change + half},
        **{"n": 2000 if judging else 250, "chosen": chosen},
    }


def make_answer(
    candidates: pd.DataFrame, minimized: str, limits: Limits, judged: tuple[str, ...], chosen: str | None
) -> dict[str, Any]:
    """The answer of such a search, in which nothing but the chosen candidate meets the requirements."""
    told = candidates[candidates["judging"]].set_index(["variant", "metric"])
    return {
        "model": "mobilenet_v1",
        "answer": f"Take {chosen} of mobilenet_v1." if chosen else "No configuration surely meets the requirements.",
        **{"met": chosen is not None, "chosen": chosen, "device": "host", "runtime": "litert"},
        **{"minimized": minimized, "level": 0.99, "tried": 5, "rounds": 3, "seconds": 240.0},
        "judged": [
            {
                "variant": variant,
                "verdict": "met" if variant == chosen else "missed",
                "requirements": [
                    _judged(told.loc[(variant, metric)], metric, kind, bound)
                    for metric, (kind, bound) in limits.items()
                ],
            }
            for variant in judged
        ],
    }


def _judged(row: pd.Series, metric: str, kind: str, bound: float) -> dict[str, Any]:
    names = ("change", "change_low", "change_high") if kind == "lose at most" else ("value", "low", "high")
    return {
        **{"metric": metric, "requirement": kind, "bound": bound, "unit": row["unit"], "missing": 0.0},
        **dict(zip(("value", "low", "high"), map(float, row[list(names)]), strict=True)),
    }


def make_search(
    limits: Limits,
    minimized: str = "latency",
    judged: tuple[str, ...] = ("p15-i8", "p15-q8", "fp32"),
    chosen: str | None = "p15-i8",
    screened: tuple[str, ...] = (),
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table of candidates and its answer."""
    candidates = make_candidates(tuple(dict.fromkeys([minimized, *limits])), judged, chosen, screened)
    return candidates, make_answer(candidates, minimized, limits, judged, chosen)


SEARCHES = {
    "met": make_search({"top1": ("lose at most", 0.02), "size": ("at most", 3e5)}),
    "not met": make_search({"top1": ("at least", 0.85), "latency": ("at most", 5.0)}, chosen=None),
    "no accuracy": make_search({"memory": ("at most", 6e6)}),
    "one metric": make_search({"latency": ("at most", 15.0)}),
    "translation": make_search({"bleu": ("lose at most", 1.0)}, "size", ("i6", "i4"), "i6"),
    "fp32 alone": make_search({"top1": ("lose at most", 0.0)}, "latency", ("fp32",), "fp32", ("fp32",)),
}
