"""A guideline recommends what the numbers show, and nothing where they do not."""

from __future__ import annotations

import pandas as pd
from made_up import aggregated, make_unavailable

from tocompress.reporting.report.guidelines import BUDGETS, guidelines, unjudged
from tocompress.reporting.study import Part
from tocompress.vocabulary.arithmetic import FLOAT
from tocompress.vocabulary.metrics import METRICS

FULL = 138e6  # parameters
Effect = float | tuple[float, float, float]


def part(model: str, build: str = "zoo", parameters: float = 20.0, **variants: dict[str, Effect]) -> Part:
    """A VGG-16 and the effects of its variants: ratios, and points of top-1. Three numbers have an interval."""
    rows = [{"variant": "fp32", "metric": "parameters", "value": parameters, "ratio": 1.0}]
    for variant, effects in variants.items():
        for metric, effect in effects.items():
            value, low, high = effect if isinstance(effect, tuple) else (effect, effect, effect)
            timed = metric in ("latency", "memory")
            row = {"variant": variant, "metric": metric, "value": 1.0, "device": "host" if timed else None}
            row |= {"arithmetic": FLOAT if timed else None}
            name, scale = ("change", 0.01) if metric == "top1" else ("ratio", 1.0)
            rows.append(row | {name: scale * value, f"{name}_low": scale * low, f"{name}_high": scale * high})
    table = pd.DataFrame(rows).assign(basis="measured")
    return Part(model, "vgg_16", build, table.assign(unit=table["metric"].map(lambda metric: METRICS[metric].unit)))


def chosen(*parts: Part, goal: str = "file size") -> list[str | None]:
    """The choices by rising budget."""
    (found,) = (one for one in guidelines(aggregated(parts)) if one.goal == goal)
    assert len(found.choices) == len(BUDGETS)
    return [choice.option for choice in found.choices]


def remarks(*parts: Part, goal: str = "file size") -> list[str]:
    (found,) = (one for one in guidelines(aggregated(parts)) if one.goal == goal)
    return [choice.remark for choice in found.choices]


def test_the_best_within_each_budget_is_chosen():
    q8, q6, q4 = {"size": 0.3, "top1": -0.4}, {"size": 0.2, "top1": -1.5}, {"size": 0.1, "top1": -6.0}
    assert chosen(part("a", q8=q8, q6=q6, q4=q4)) == ["q8", "q8", "q6", "q6"]


def test_a_budget_holds_for_the_worse_end_of_the_interval_of_each_model():
    uncertain = {"size": 0.2, "top1": (-0.4, -1.5, 0.7)}
    assert chosen(part("a", q8=uncertain)) == [None, None, "q8", "q8"]
    worse = [part(f"m{number}", q8={"size": 0.2, "top1": -4.0 * (number == 5)}) for number in range(6)]
    assert chosen(*worse) == [None, None, None, "q8"]
    assert remarks(part("a", q8=uncertain))[0] == "no variant is shown to keep that much"


def test_an_improvement_that_is_not_shown_is_no_recommendation():
    faster = part("a", p05={"latency": (0.9, 0.7, 1.1), "top1": 0.0})
    assert chosen(faster, goal="inference time") == [None] * 4
    assert "p05 comes nearest" in remarks(faster, goal="inference time")[0]


def test_variants_that_cannot_be_told_apart_are_named():
    p05, p15 = ({"latency": times, "top1": 0.0} for times in ((0.8, 0.7, 0.9), (0.75, 0.7, 0.8)))
    close = part("a", p05=p05, p15=p15)
    assert chosen(close, goal="inference time") == ["p15"] * 4
    assert remarks(close, goal="inference time")[0] == "not told apart from p05"


def test_variants_are_compared_over_the_models_that_have_both():
    easy = part("easy", p05={"latency": (0.2, 0.19, 0.21), "top1": 0.0})
    p05, p15 = {"latency": (0.9, 0.89, 0.91), "top1": 0.0}, {"latency": (0.8, 0.79, 0.81), "top1": 0.0}
    assert chosen(easy, part("hard", p05=p05, p15=p15), goal="inference time") == ["p15"] * 4


def test_models_of_other_sizes_and_of_unknown_accuracy_do_not_speak_for_others(study):
    full = part("a", "published", FULL, q8={"size": 0.3, "top1": 0.0})
    found = guidelines(aggregated([full, part("b", q6={"size": 0.2, "top1": 0.0})]))
    assert [(one.models, one.choices[0].option) for one in found] == [
        ("1 full-size model", "q8"),
        ("1 small model", "q6"),
    ]
    own = part("mine", "own", q8={"size": 0.3, "top1": 0.0})
    assert guidelines(aggregated([own]))[0].models == "1 own model"
    assert all("full-size" not in one.models for one in guidelines(study))
    assert unjudged(study) == "Nothing is recommended for 3 models of unknown accuracy (no trained weights)."


def test_a_model_that_was_not_judged_under_a_variant_keeps_nothing():
    assert chosen(part("a", q8={"size": 0.3}, q6={"size": 0.4, "top1": 0.0})) == ["q6"] * 4


def test_each_runtime_has_guidelines_of_its_own(both):
    found = guidelines(both)
    assert {one.models.rpartition(" in ")[2] for one in found} == {"TensorFlow", "LiteRT"}
    times = {one.models: one.choices[-1].option for one in found if one.goal == "inference time"}
    assert times["4 small models in LiteRT"] == "i8, in integers"


def test_a_goal_without_any_effect_has_no_guideline(study):
    assert {one.goal for one in guidelines(study)} == {"file size", "inference time", "runtime memory"}
    assert guidelines(make_unavailable(study)) == []
