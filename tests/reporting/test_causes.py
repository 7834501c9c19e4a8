"""A variant is faster or slower for a cause that its numbers show, or for none that is known."""

from __future__ import annotations

import re
from itertools import product

import pytest
from made_up import make_study

from tocompress.measurement.statistics import Interval
from tocompress.reporting.report.causes import Evidence, because, causes
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER, ONCE


def exactly(**values: float) -> dict[str, Interval]:
    """Shares by class, with `_` for a space, each within 1 % of its value."""
    return {name.replace("_", " "): Interval(v, 0.99 * v, 1.01 * v) for name, v in values.items()}


FP32 = exactly(convolution=0.9, pooling=0.1)


def why(time: tuple[float, float, float], arithmetic: str, methods: str = "quantize", **known: object) -> str:
    evidence = Evidence(Interval(*time), arithmetic, tuple(methods.split("-")), **{"baseline_shares": FP32, **known})
    return because(evidence).replace("\N{NO-BREAK SPACE}", " ")


SLOW, SAME, FAST = (1.4, 1.35, 1.45), (1.0, 0.9, 1.1), (0.3, 0.28, 0.32)


def test_weights_that_are_dequantized_at_every_inference_slow_it_down_by_their_time():
    told = why(SLOW, EVERY_INFERENCE, shares=exactly(dequantization=0.25, convolution=0.66, pooling=0.09))
    assert told == (
        "Slower: it dequantizes its weights at every inference, which takes 25 % of the operation time and 88 % of the"
        " added time."
    )
    told = why(SLOW, EVERY_INFERENCE, shares=exactly(dequantization=0.02, convolution=0.68, pooling=0.3))
    assert told.startswith("Slower: it needs more time than fp32 for pooling, which takes 30 %")
    told = why(SLOW, EVERY_INFERENCE, shares=exactly(dequantization=0.1, convolution=0.76, pooling=0.14))
    assert told == "Unknown: slower, and convolution takes only 41 % of the added time."
    assert why(SLOW, EVERY_INFERENCE, unprofiled="no profiler").endswith("were not profiled (no profiler).")
    unsure = {"convolution": Interval(0.9, 0.5, 1.0), "pooling": Interval(0.1, 0.05, 0.5)}
    told = why(SLOW, EVERY_INFERENCE, shares=unsure)
    assert told == "Unknown: slower, and no class of operations surely takes more time than in fp32."


def test_little_dequantization_costs_nothing_but_much_of_it_without_a_cost_is_unknown():
    little, much = (exactly(dequantization=share, convolution=1 - share) for share in (0.03, 0.3))
    assert why(SAME, EVERY_INFERENCE, shares=little) == (
        "No clear change: dequantization takes only 3 % of the operation time."
    )
    assert why(SAME, EVERY_INFERENCE, shares=much).startswith("Unknown: no clear change, though dequantization")
    assert why((1.03, 1.02, 1.04), EVERY_INFERENCE, shares=little).startswith("As fast within 5 %: ")


def test_weights_that_are_dequantized_once_compute_as_fp32():
    assert why((1.0, 0.99, 1.01), ONCE) == (
        "As fast within 5 %: its weights become floats while they are loaded, then it computes as fp32 does."
    )
    assert why(FAST, ONCE) == "Unknown: faster, though it computes in floats as fp32 does."
    left = exactly(dequantization=0.3, convolution=0.63, pooling=0.07)
    assert why(SLOW, ONCE, shares=left).startswith(
        "Slower: some of its weights are still dequantized at every inference"
    )


#: Words of the four processors of tests/vocabulary: x86 with VNNI, x86 with AVX2, Cortex-A57, Cortex-A76.
PROCESSORS = {"VNNI": "(VNNI)", "none": "though the processor has no", "dot product": "(dot product)"}


@pytest.mark.parametrize(("products", "told"), [*PROCESSORS.items(), ("unknown", "of the processor that are unknown")])
def test_integers_are_faster_with_the_instructions_of_the_processor(products, told):
    found = why(FAST, INTEGER, integers=0.99, products=products)
    assert found.startswith("Faster: 99 % of its operation time is in integers, ") and told in found


def test_integers_are_no_faster_where_the_processor_lacks_instructions_for_them():
    assert why(SAME, INTEGER, integers=0.99, products="none") == (
        "No clear change: the processor has no instructions for products of integers."
    )
    slower = why(SLOW, INTEGER, integers=0.99, products="none", shares=exactly(convolution=0.95, pooling=0.05))
    assert slower.startswith("Slower: the processor has no instructions for products of integers, and it needs more")
    for products in ("VNNI", "dot product"):
        told = why(SAME, INTEGER, integers=0.99, products=products)
        assert told == "Unknown: no clear change, though 99 % of its operation time is in integers."
        slower = why(SLOW, INTEGER, integers=0.99, products=products, shares=exactly(convolution=0.95, pooling=0.05))
        assert "instructions" not in slower


def test_floats_that_stay_and_conversions_take_the_gain_of_integers():
    depthwise = exactly(convolution=0.3, depthwise_convolution=0.7)
    told = why(SAME, INTEGER, integers=0.3, kept={"depthwise convolution": 0.0}, shares=depthwise)
    assert told == "No clear change: 70 % of its operation time is still in floats (depthwise convolution)."
    kept = {"depthwise convolution": 0.0, "pooling": 0.4, "activation": 0.9}
    told = why((0.6, 0.5, 0.7), INTEGER, integers=0.7, kept=kept, shares=depthwise, products="VNNI")
    assert told.endswith("(VNNI); 30 % of its operation time is still in floats (depthwise convolution and pooling).")
    converting = exactly(convolution=0.5, dequantization=0.5)
    told = why(SAME, INTEGER, integers=0.9, shares=converting, products="none")
    assert told.startswith("No clear change: it converts between floats and integers, which takes 50 %")
    moving = exactly(convolution=0.5, data_movement=0.5)
    told = why(SLOW, INTEGER, integers=0.9, shares=moving, products="none")
    assert told.startswith("Slower: it needs more time than fp32 for data movement, which takes 50 %")


def test_integers_that_multiply_are_a_cause_where_only_the_number_of_operations_is_known():
    few = {"integers": 0.04, "integers_of": "its operations are", "products": "VNNI"}
    assert why(FAST, INTEGER, **few, kept={"activation": 0.0, "data movement": 0.0}) == (
        "Faster: all of its multiplications are in integers, for whose products the processor has instructions (VNNI);"
        " 96 % of its operations are still in floats (activation and data movement)."
    )
    for kept in ({}, {"matrix multiplication": 0.0}, {"convolution": 0.9, "activation": 0.0}):
        assert (
            why(FAST, INTEGER, **few, kept=kept) == "Unknown: faster, but only 4 % of its operations are in integers."
        )


def test_without_a_share_in_integers_nothing_is_said_of_them():
    told = why(FAST, INTEGER, products="VNNI", unprofiled="its clock is too coarse")
    assert told == "Unknown: faster, but its share in integers was not measured (its clock is too coarse)."
    assert why(FAST, INTEGER, integers=0.1, products="VNNI").startswith("Unknown: faster, but only 10 %")


def test_a_cut_saves_time_where_it_saves_products():
    assert why((0.6, 0.58, 0.62), FLOAT, "prune", macs=0.5) == "Faster: it computes 50 % fewer multiply-accumulates."
    pooling = exactly(convolution=0.3, pooling=0.7)
    told = why((0.9, 0.88, 0.92), FLOAT, "prune", macs=0.4, baseline_shares=pooling)
    assert told.endswith("fewer multiply-accumulates, but these take only 30 % of fp32's operation time.")
    told = why((0.9, 0.88, 0.92), FLOAT, "prune", macs=0.4)
    assert told.endswith("though it is unknown why time falls by only 10 %.")
    assert why(FAST, FLOAT, "prune", macs=1.0).startswith("Unknown")
    assert why(SLOW, FLOAT, "prune", macs=0.5).startswith("Unknown: slower")


def test_a_cut_that_saves_no_time_has_saved_few_products_or_stays_unexplained():
    assert why(SAME, FLOAT, "prune", macs=1.0) == "No clear change: it computes no fewer multiply-accumulates."
    pooling = exactly(convolution=0.05, pooling=0.95)
    assert "but these take only 5 %" in why(SAME, FLOAT, "prune", macs=0.5, baseline_shares=pooling)


def test_another_runtime_shows_how_little_of_the_time_multiplies():
    elsewhere = {"macs": 0.7, "elsewhere": ("LiteRT", 0.1)}
    told = "it computes 30 % fewer multiply-accumulates, but fp32 spends most of its time elsewhere, as LiteRT needs"
    assert why((0.97, 0.96, 0.98), FLOAT, "prune", **elsewhere) == f"Faster: {told} 10 % of it."
    assert why((1.0, 0.98, 1.02), FLOAT, "prune", **elsewhere) == f"As fast within 5 %: {told} 10 % of it."
    assert "unknown why" in why((0.97, 0.96, 0.98), FLOAT, "prune", macs=0.7, elsewhere=("LiteRT", 0.45))
    assert "too wide" in why((0.9, 0.5, 1.3), FLOAT, "prune", macs=0.6)
    assert why((1.0, 0.98, 1.02), FLOAT, "prune", macs=0.6).startswith("Unknown: as fast within 5 %, though")


def test_a_chain_in_integers_has_both_causes():
    told = why((0.2, 0.19, 0.21), INTEGER, "prune-quantize", integers=1.0, macs=0.5, products="VNNI")
    assert told.endswith("(VNNI), and it computes 50 % fewer multiply-accumulates.")


def test_other_methods_and_ratios_without_an_interval_are_unknown():
    assert why(SLOW, FLOAT, "sparsify").startswith("Unknown: only")
    assert why((1.4, None, None), EVERY_INFERENCE).startswith("Unknown: too few observations")


def test_no_cause_contradicts_its_numbers():
    """Over many kinds of evidence, the direction is the interval's, and unknown where nothing is known."""
    times = [(r, r * 0.98, r * 1.02) for r in (0.3, 0.7, 0.96, 1.0, 1.04, 1.3, 2.0)]
    shares = [{}, FP32, exactly(dequantization=0.3, convolution=0.6, pooling=0.1)]
    for time, arithmetic, methods, own, integers, macs, products in product(
        times, (FLOAT, EVERY_INFERENCE, ONCE, INTEGER), ("prune", "quantize", "prune-quantize"), shares,
        (None, 0.2, 0.98), (None, 0.5, 1.0), ("VNNI", "none", "unknown"),
    ):  # fmt: skip
        told = why(time, arithmetic, methods, shares=own, integers=integers, macs=macs, products=products)
        said = re.match("Faster|Slower|As fast within 5 %|No clear change|Unknown", told).group()
        assert said in {
            "Unknown",
            "Faster" if time[2] < 1 else "Slower" if time[1] > 1 else "",
            *(("As fast within 5 %",) if time[1] >= 0.95 and time[2] <= 1.05 else ()),
            *(("No clear change",) if time[1] <= 1 <= time[2] else ()),
        }
        if not own and arithmetic != INTEGER and time[1] > 1.05:
            assert said == "Unknown"
        if said == "Faster" and arithmetic != INTEGER:
            assert macs == 0.5 and methods != "quantize"


@pytest.fixture(scope="module")
def told():
    return causes(make_study(litert=True), {"host": "VNNI"})


def test_each_measured_variant_has_one_sentence_in_each_runtime_and_arithmetic(told):
    study = make_study(litert=True)
    latency = study[study["metric"].eq("latency") & study["label"].isna() & study["variant"].ne("fp32")]
    assert len(told) == latency["ratio"].notna().sum()
    assert not told.duplicated(["model", "variant", "runtime", "arithmetic"]).any()
    assert told["why"].str.fullmatch(r"[^.]*(\d\.\d[^.]*)*\.").all()


def test_the_evidence_is_of_the_same_runtime_model_and_arithmetic(told):
    rows = told.set_index(["runtime", "model", "variant", "arithmetic"])["why"]
    assert "in integers" in rows["litert", "mobilenet_v1_full", "i8", INTEGER]
    assert "clock" in rows["litert", "mobilenet_v1", "i8", INTEGER]
    assert rows["tensorflow", "gnmt", "q6", EVERY_INFERENCE].startswith("Slower: it dequantizes")
    assert "become floats" in rows["litert", "gnmt", "q8", ONCE]
