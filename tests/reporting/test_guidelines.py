"""A guideline recommends what the numbers show, and nothing where they do not."""

from __future__ import annotations

import pandas as pd
from made_up import make_unavailable

from tocompress.reporting.guidelines import GOALS, guidelines
from tocompress.reporting.study import METRICS, Part, aggregate

FREE, WITHIN = "at any accuracy", "at most 5 % of the accuracy lost"


def part(model: str, **variants: dict[str, float | tuple[float, float, float]]) -> Part:
    """A reduced VGG-16 and the ratios of its variants; those of time with an interval."""
    rows = [{"variant": "fp32", "metric": "parameters", "value": 20.0, "ratio": 1.0}]
    for variant, ratios in variants.items():
        for metric, ratio in ratios.items():
            value, low, high = ratio if isinstance(ratio, tuple) else (ratio, ratio, ratio)
            rows.append(
                {
                    "variant": variant, "metric": metric, "value": value, "ratio": value, "ratio_low": low,
                    "ratio_high": high, "device": "host" if metric == "latency" else None,
                    "dequantization": "once" if metric == "latency" else None,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    if "device" not in table:
        table = table.assign(device=None, dequantization=None)
    return Part(model, "vgg_16", "zoo", table.assign(unit=table["metric"].map(METRICS), basis="measured"))


def advice(*parts: Part, goal: str = "time"):
    return {found.condition: found for found in guidelines(aggregate(parts))[goal]}


def test_the_best_is_chosen_and_within_the_accuracy_budget_another():
    found = advice(
        part("a", p50={"size": 0.2, "top1": 0.5}, q8={"size": 0.3, "top1": 0.99}),
        part("b", p50={"size": 0.3, "top1": 0.6}, q8={"size": 0.4, "top1": 0.98}),
        goal="size",
    )
    assert (found[FREE].choice, found[WITHIN].choice) == ("p50", "q8")
    assert "−45.0" in found[FREE].effects["accuracy"][0]
    assert found[FREE].effects["energy"] == ()


def test_one_choice_for_both_conditions_is_told_once():
    found = advice(part("a", q8={"size": 0.3, "top1": 0.99}), goal="size")
    assert [(one.condition, one.choice) for one in found.values()] == [(f"{FREE}; also with {WITHIN}", "q8")]


def test_an_improvement_that_is_not_shown_is_no_recommendation():
    found = advice(part("a", p05={"latency": (0.9, 0.7, 1.1)}))
    assert found[FREE].choice is None
    assert "p05 comes nearest" in found[FREE].remark


def test_what_cannot_be_told_apart_is_named():
    found = advice(part("a", p05={"latency": (0.8, 0.7, 0.9)}, p15={"latency": (0.75, 0.7, 0.8)}))
    assert found[FREE].choice == "p15"
    assert "not told apart from p05" in found[FREE].remark


def test_variants_are_compared_over_the_models_that_have_both():
    easy = part("easy", p05={"latency": (0.2, 0.19, 0.21)})
    hard = part("hard", p05={"latency": (0.9, 0.89, 0.91)}, p15={"latency": (0.8, 0.79, 0.81)})
    found = advice(easy, hard)
    assert found[FREE].choice == "p15"
    assert "better means, but over other models: p05" in found[FREE].remark


def test_nothing_is_recommended_where_no_variant_keeps_the_accuracy():
    found = advice(part("a", q6={"size": 0.2, "top1": (0.97, 0.93, 1.0)}), goal="accuracy")
    assert found[WITHIN].choice is None
    assert "no variant is shown to keep" in found[WITHIN].remark


def test_full_size_models_take_the_accuracy_of_trained_ones(study):
    rows = {(row.models, row.condition): row for row in guidelines(study)["size"]}
    chosen = rows["full-size models", FREE]
    assert chosen.choice == "q6"
    assert "reduced models)" in chosen.effects["accuracy"][0]
    assert [text.partition(":")[0] for text in chosen.effects["time"]] == [
        "dequantized at every inference",
        "dequantized once",
    ]
    assert rows["full-size models", WITHIN].choice == "q8"


def test_where_nothing_is_known_the_reason_is_given(study):
    found = guidelines(study)
    assert all(row.choice is None and "no power sensor" in row.remark for row in found["energy"])
    nothing = guidelines(make_unavailable(study))
    assert set(nothing) == set(GOALS)
    assert not any(row.choice for rows in nothing.values() for row in rows)
    assert "the device did not answer" in nothing["size"][0].remark
