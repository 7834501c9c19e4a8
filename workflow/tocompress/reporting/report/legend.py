"""Explain the names of variants from the facts in the study's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tocompress.reporting.figures.captions import listing
from tocompress.reporting.study import controls, variants
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, methods_of

_ACTIVATIONS = {"8": "activations in 8 bits", "dynamic": "activations quantized while it runs"}


def legend(study: pd.DataFrame) -> dict[str, str]:
    """Return the techniques of each variant in words, such as `8-bit weights, one grid a channel`."""
    facts = study.drop_duplicates("variant").set_index("variant").to_dict("index")
    removed = study[study["metric"].eq("filters_removed") & study["label"].isna()].groupby("variant")["value"].mean()
    unpruned = set(controls(study))
    told = {BASELINE: "the uncompressed model, in 32-bit floats"}
    for variant in variants(study):
        if variant in unpruned:
            told[variant] = "nothing removed, but retrained like the pruned models: their control"
        elif variant != BASELINE:
            told[variant] = _in_words(facts[variant], float(removed.get(variant, 0.0)))
    return told


def _in_words(facts: Mapping[Any, Any], removed: float) -> str:
    phrases = {PRUNE: f"{100 * removed:.0f} % of the filters removed", QUANTIZE: _quantized(facts)}
    return ", then ".join(phrases.get(method, method) for method in methods_of(facts["methods"]))


def _quantized(facts: Mapping[Any, Any]) -> str:
    bits = "mixed bits" if pd.isna(facts["bits"]) else f"{facts['bits']:g}-bit weights"
    grid = "" if pd.isna(facts["granularity"]) else f"one grid a {facts['granularity']}"
    activations = "" if pd.isna(facts["activations"]) else _ACTIVATIONS.get(facts["activations"], "")
    options = "" if pd.isna(facts["options"]) else f"with {facts['options']}"
    return listing(filter(None, [bits, grid, activations, options])).replace(" and ", ", ")
