"""What pruning removes, and the largest cut that keeps the accuracy within a budget."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tocompress.reporting.study import Part, aggregate
from tocompress.reporting.thresholds import LargestCut, largest_cuts, mildest, removed, sweep
from tocompress.settings.jobs import StudyVariant
from tocompress.vocabulary.metrics import METRICS


def part(model: str, network: str, accuracy: str, **ratios: tuple[float, float]) -> Part:
    """A model whose `pNN` lost that share of filters, twice that of parameters; (ratio, its lower end) of accuracy."""
    rows = []
    for variant, (ratio, low) in ratios.items():
        share = int(variant[1:3]) / 100
        rows += [
            {"variant": variant, "metric": "filters_removed", "value": share},
            {"variant": variant, "metric": "filters_removed", "value": 0.99, "label": "embedding dimensions"},
            {"variant": variant, "metric": "parameters", "value": 10.0, "ratio": 1 - 2 * share},
            {"variant": variant, "metric": accuracy, "value": 0.5, "ratio": ratio, "ratio_low": low},
        ]
    rows.append({"variant": "fp32", "metric": "parameters", "value": 20.0, "ratio": 1.0})
    table = pd.DataFrame(rows)
    return Part(
        model,
        network,
        "zoo",
        table.assign(unit=table["metric"].map(lambda metric: METRICS[metric].unit), basis="measured"),
    )


VGG = part(
    "vgg", "vgg_16", "top1",
    p05=(0.99, 0.97), p15=(0.94, 0.92), p30=(0.96, 0.94), p45=(0.9, 0.88), p45_random=(1.0, 1.0)
)  # fmt: skip
GNMT = part("gnmt", "gnmt", "bleu", p05=(0.951, 0.93), p15=(0.9, 0.8))
VARIANTS = [StudyVariant(name="fp32"), StudyVariant(name="half", methods=("prune",))]
VARIANTS += [StudyVariant(name=name, methods=("prune",)) for name in ("p05", "p15", "p30", "p45", "p45_random", "p00")]
STUDY = aggregate([VGG, GNMT], VARIANTS)


def test_shares_removed_are_the_whole_variants_and_unknown_ones_null():
    lost = removed(STUDY).loc[("gnmt", "p15")]
    assert lost["filters"] == 0.15
    assert lost["parameters"] == pytest.approx(0.3)
    assert pd.isna(lost["macs"])
    assert "fp32" not in removed(STUDY).index.get_level_values("variant")


def test_the_largest_cut_goes_by_the_value_or_by_the_lower_end_of_its_interval():
    assert largest_cuts(STUDY) == {"vgg": LargestCut("p30", "p05"), "gnmt": LargestCut("p05", None)}
    assert largest_cuts(STUDY, budget=0.2)["gnmt"] == LargestCut("p15", "p15")


def test_a_model_whose_accuracy_is_unknown_is_not_judged():
    untrained = STUDY.assign(ratio=STUDY["ratio"].mask((STUDY["model"] == "vgg") & (STUDY["metric"] == "top1")))
    assert set(largest_cuts(untrained)) == {"gnmt"}


def test_controls_are_no_part_of_the_sweep():
    assert sweep(STUDY) == ["p05", "p15", "p30", "p45"]
    assert mildest(STUDY) == "p05"
    more = part("vgg", "vgg_16", "top1", p00=(1.0, 1.0), p05=(0.99, 0.97), p15=(0.94, 0.92))
    half = replace(more, rows=more.rows.replace({"variant": {"p05": "half"}}))
    assert sweep(aggregate([half], VARIANTS)) == ["half", "p15"]
    nothing = STUDY[STUDY["variant"] == "fp32"]
    assert (mildest(nothing), len(removed(nothing)), largest_cuts(nothing)) == (None, 0, {})
