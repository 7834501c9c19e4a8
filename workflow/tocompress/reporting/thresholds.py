"""Measure how much pruning removes, in the paper's three readings of "threshold".

The readings are a share of the filters, a share of the size, and the largest cut that keeps accuracy within a budget.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tocompress.reporting.study import controls, made_by, models, whole
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.variants import BASELINE, PRUNE

#: The share of its accuracy that a model may lose (paper, section IV-C).
BUDGET = 0.05


@dataclass(frozen=True)
class LargestCut:
    """The variant with the most filters removed among those that keep the accuracy within the budget.

    `by_value` uses the measured ratio to fp32, `by_bound` the lower end of its interval. None stands for no such cut.
    """

    by_value: str | None
    by_bound: str | None


def pruned(study: pd.DataFrame) -> list[str]:
    """Return the variants that pruning alone made."""
    return made_by(study, PRUNE)


def pruned_models(study: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of fp32 and of the pruned variants, for the models that have any."""
    chosen = pruned(study)
    own = study["model"].isin(models(study[study["variant"].isin(chosen)]))
    return study[own & study["variant"].isin([BASELINE, *chosen])]


def sweep(study: pd.DataFrame) -> list[str]:
    """Return the variants of the paper's sweep over thresholds, by rising share of filters lost.

    Controls are no part of it. Variants beside it are not either: their names have a `_`, like `p50_random`.
    """
    left_out = controls(study)
    chosen = [variant for variant in pruned(study) if variant not in left_out and "_" not in variant]
    lost = removed(study)["filters"].groupby("variant").mean().reindex(chosen)
    return [str(variant) for variant in lost.sort_values(kind="stable").index]


def mildest(study: pd.DataFrame) -> str | None:
    """Return the sweep's smallest threshold, if any. It stands for pruning where the paper shows only one (its 5 %)."""
    return next(iter(sweep(study)), None)


def removed(study: pd.DataFrame) -> pd.DataFrame:
    """Return the lost shares of `filters`, `parameters` and `macs` by model and pruned variant, null if unknown."""
    rows = study[study["variant"].isin(pruned(study))]

    def column(metric: str, name: str) -> pd.Series[float]:
        return whole(rows, metric).set_index(["model", "variant"])[name].astype(float)

    return pd.DataFrame(
        {
            "filters": column("filters_removed", "value"),
            "parameters": 1 - column("parameters", "ratio"),
            "macs": 1 - column("macs", "ratio"),
        }
    )


def largest_cuts(study: pd.DataFrame, budget: float = BUDGET) -> dict[str, LargestCut]:
    """Return the sweep's largest cut within the budget of top-1 or BLEU, for each model whose cuts can be judged."""
    shares = removed(study)["filters"].rename("filters").reset_index()
    accuracy = whole(study[study["variant"].isin(sweep(study))], *JUDGES)
    judged = accuracy[accuracy["ratio"].notna()].merge(shares.dropna(), on=["model", "variant"]).sort_values("filters")

    def last(model: str, column: str) -> str | None:
        within = judged[(judged["model"] == model) & (judged[column] >= 1 - budget)]
        return None if within.empty else str(within["variant"].iloc[-1])

    return {
        model: LargestCut(by_value=last(model, "ratio"), by_bound=last(model, "ratio_low")) for model in models(judged)
    }
