"""A guideline recommends what the numbers show, and nothing where they do not."""

from __future__ import annotations

import pandas as pd
from made_up import aggregated, make_unavailable

from tocompress.reporting.guidelines import GOALS, guidelines
from tocompress.reporting.study import Part
from tocompress.vocabulary.arithmetic import FLOAT
from tocompress.vocabulary.metrics import METRICS

HALF, WITHIN = "at most half of the accuracy lost", "at most 5 % of the accuracy lost"
UNKNOWN = "accuracy unknown"


def part(
    model: str, build: str = "zoo", parameters: float = 20.0, **variants: dict[str, float | tuple[float, float, float]]
) -> Part:
    """A VGG-16, reduced, and the ratios of its variants, with an interval where there are three; times on a device."""
    rows = [{"variant": "fp32", "metric": "parameters", "value": parameters, "ratio": 1.0}]
    for variant, ratios in variants.items():
        for metric, ratio in ratios.items():
            value, low, high = ratio if isinstance(ratio, tuple) else (ratio, ratio, ratio)
            rows.append(
                {
                    "variant": variant, "metric": metric, "value": value, "ratio": value, "ratio_low": low,
                    "ratio_high": high, "device": "host" if metric == "latency" else None,
                    "arithmetic": FLOAT if metric == "latency" else None,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    if "device" not in table:
        table = table.assign(device=None, arithmetic=None)
    if build == "initial":
        table = pd.concat([table, pd.DataFrame([UNTRAINED | {"variant": name} for name in ("fp32", *variants)])])
        table = table.reset_index(drop=True)
    table["basis"] = table.get("basis", pd.Series(index=table.index)).fillna("measured")
    return Part(model, "vgg_16", build, table.assign(unit=table["metric"].map(lambda metric: METRICS[metric].unit)))


UNTRAINED = {"metric": "top1", "basis": "unavailable", "reason": "no trained weights"}
FULL = 138e6  # parameters


def advice(*parts: Part, goal: str = "time"):
    return {found.condition: found for found in guidelines(aggregated(parts))[goal]}


def test_the_best_is_chosen_and_within_the_accuracy_budget_another():
    found = advice(
        part("a", p50={"size": 0.2, "top1": 0.5}, q8={"size": 0.3, "top1": 0.99}),
        part("b", p50={"size": 0.3, "top1": 0.6}, q8={"size": 0.4, "top1": 0.98}),
        goal="size",
    )
    assert (found[HALF].choice, found[WITHIN].choice) == ("p50", "q8")
    assert "−45.0" in found[HALF].effects["accuracy"][0]
    assert found[HALF].effects["energy"] == ()


def test_one_choice_for_both_conditions_is_told_once():
    found = advice(part("a", q8={"size": 0.3, "top1": 0.99}), goal="size")
    assert [(one.condition, one.choice) for one in found.values()] == [(f"{HALF}; also with {WITHIN}", "q8")]


def test_an_improvement_that_is_not_shown_is_no_recommendation():
    found = advice(part("a", p05={"latency": (0.9, 0.7, 1.1)}))
    assert found[UNKNOWN].choice is None
    assert "p05 comes nearest" in found[UNKNOWN].remark


def test_what_cannot_be_told_apart_is_named():
    found = advice(part("a", p05={"latency": (0.8, 0.7, 0.9)}, p15={"latency": (0.75, 0.7, 0.8)}))
    assert found[UNKNOWN].choice == "p15"
    assert "not told apart from p05" in found[UNKNOWN].remark


def test_variants_are_compared_over_the_models_that_have_both():
    easy = part("easy", p05={"latency": (0.2, 0.19, 0.21)})
    hard = part("hard", p05={"latency": (0.9, 0.89, 0.91)}, p15={"latency": (0.8, 0.79, 0.81)})
    found = advice(easy, hard)
    assert found[UNKNOWN].choice == "p15"
    assert "better means, but over other models: p05" in found[UNKNOWN].remark


def test_nothing_is_recommended_where_no_variant_keeps_the_accuracy():
    found = advice(part("a", q6={"size": 0.2, "top1": (0.97, 0.93, 1.0)}), goal="accuracy")
    assert found[WITHIN].choice is None
    assert "no variant is shown to keep" in found[WITHIN].remark


def test_what_destroys_one_model_is_never_recommended():
    parts = [
        part("a", p75={"size": 0.1, "top1": 0.9}, p50={"size": 0.2, "top1": 0.6}),
        part("b", p75={"size": 0.1, "top1": 0.49}, p50={"size": 0.3, "top1": 0.55}),
    ]
    for goal in GOALS:
        assert "p75" not in {row.choice for row in advice(*parts, goal=goal).values()}
    assert advice(*parts, goal="size")[HALF].choice == "p50"
    destroyed = part("a", p75={"size": 0.1, "top1": 0.02})
    assert not any(row.choice for goal in GOALS for row in advice(destroyed, goal=goal).values())


def test_every_model_must_keep_the_accuracy_not_their_mean():
    ratios = [1.0] * 10 + [0.9]
    parts = [part(f"m{i:02}", q6={"size": 0.2, "top1": r}, q8={"size": 0.3, "top1": 1.0}) for i, r in enumerate(ratios)]
    found = advice(*parts, goal="size")
    assert (found[HALF].choice, found[WITHIN].choice) == ("q6", "q8")
    assert advice(*parts, goal="accuracy")[WITHIN].choice == "q8"
    uncertain = advice(part("a", q8={"size": 0.3, "top1": (0.97, 0.93, 1.0)}), goal="size")
    assert (uncertain[HALF].choice, uncertain[WITHIN].choice) == ("q8", None)


def test_the_accuracy_of_other_models_is_not_used(study):
    advised = guidelines(study)
    for goal, choice in (("size", "q6"), ("memory", "p50")):
        of_full_size = {row.condition: row for row in advised[goal] if row.models == "full-size models"}
        assert {condition: row.choice for condition, row in of_full_size.items()} == {UNKNOWN: choice, WITHIN: None}
        assert of_full_size[UNKNOWN].effects["accuracy"] == ("unknown: no trained weights",)
        assert of_full_size[WITHIN].remark == "unknown: no trained weights"


def test_models_of_unknown_accuracy_are_apart_from_others_of_their_size():
    trained = part("a", "own", FULL, q6={"size": 0.2, "top1": 0.18}, q8={"size": 0.3, "top1": 0.99})
    untrained = part("b", "initial", FULL, q6={"size": 0.21}, q8={"size": 0.31})
    found = advice(trained, untrained, goal="size")
    assert {condition: row.choice for condition, row in found.items()} == {
        f"{HALF}; also with {WITHIN}": "q8",
        UNKNOWN: "q6",
    }
    assert "1 model)" in found[UNKNOWN].effects["size"][0]
    assert "1 model)" in found[f"{HALF}; also with {WITHIN}"].effects["size"][0]


def test_a_model_that_was_not_judged_under_a_variant_keeps_nothing():
    parts = part("a", q8={"size": 0.3, "top1": 1.0}), part("b", q6={"top1": 1.0}, q8={"size": 0.3})
    assert advice(*parts, goal="size")[HALF].choice is None


def test_a_row_says_which_of_its_times_are_not_settled(study):
    trained = study[study["build"].eq("zoo") & study["variant"].isin(["fp32", "q8"])]
    settled = trained.assign(ratio_settled=trained["ratio_settled"].mask(trained["ratio_settled"].notna(), True))
    assert not any("settled" in row.remark for found in guidelines(settled).values() for row in found)
    of_gnmt = settled["model"].eq("gnmt") & settled["metric"].eq("latency") & settled["label"].isna()
    doubtful = settled.assign(ratio_settled=settled["ratio_settled"] & ~of_gnmt)
    (row,) = guidelines(doubtful)["size"]
    assert (row.choice, row.remark) == ("q8", "time: 2 of 8 ratios not settled")


def test_a_row_of_few_bits_says_that_the_zoo_is_kinder_than_real_networks(study):
    note = "docs/zoo.md"
    rows = [row for found in guidelines(study).values() for row in found]
    assert all(note in row.remark for row in rows if row.choice and "q6" in row.choice)
    few = study[study["variant"].isin(["fp32", "q6"])]
    rows = [row for row in guidelines(few)["size"] if note in row.remark]
    assert {row.models for row in rows} == {"reduced models", "full-size models"}
    own = few.assign(build=few["build"].mask(few["model"].eq("vgg_16"), "own"))
    assert "VGG 16 q6 top-1" in next(row for row in guidelines(own)["size"] if row.models == "reduced models").remark


def test_what_comes_nearest_says_that_it_is_not_settled():
    time = part("a", p05={"latency": (0.9, 0.7, 1.1)})
    doubtful = Part(time.model, time.network, time.build, time.rows.assign(ratio_settled=False))
    assert "1 of 1 ratio not settled" in advice(doubtful)[UNKNOWN].remark


def test_each_runtime_has_recommendations_of_its_own(study, both):
    rows = [row for found in guidelines(both).values() for row in found]
    of_first = [row for row in rows if row.models.endswith(" in TensorFlow")]
    assert len(of_first) < len(rows) and {row.models.split(" in ")[1] for row in rows} == {"TensorFlow", "LiteRT"}
    alone = [row for found in guidelines(study).values() for row in found]
    assert [(row.condition, row.choice, row.effects) for row in of_first] == [
        (row.condition, row.choice, row.effects) for row in alone
    ]
    times = {row.models: row.choice for row in guidelines(both)["time"] if row.choice}
    assert times["full-size models in LiteRT"] == "i8, in integers"


def test_where_nothing_is_known_the_reason_is_given(study):
    found = guidelines(study)
    assert all(row.choice is None and "no power sensor" in row.remark for row in found["energy"])
    nothing = guidelines(make_unavailable(study))
    assert set(nothing) == set(GOALS)
    assert not any(row.choice for rows in nothing.values() for row in rows)
    assert "the device did not answer" in nothing["size"][0].remark
