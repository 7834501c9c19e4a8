"""Effects are paired ratios, averaged over models, and claim no more than their intervals show."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_up import SPARSE, make_study
from scipy import special, stats

from tocompress.measurement.statistics import Interval, mean_interval
from tocompress.reporting.effects import Effect, Effects, Option, over_accuracies, over_models, percent
from tocompress.reporting.study import full_size
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, ONCE


def effect(*own: tuple[float, float, float]) -> Effect:
    intervals = {str(number): Interval(*values) for number, values in enumerate(own)}
    return Effect(intervals, over_models(list(intervals.values())), 0.95, 0)


def test_the_mean_of_ratios_is_geometric_and_has_an_interval_from_four_models_on():
    one, two = Interval(0.5, 0.4, 0.6), Interval(2.0, 1.8, 2.2)
    assert over_models([one]) == one
    mean = over_models([one, two])
    assert (mean.value, mean.low, mean.high) == (pytest.approx(1), 0.4, 2.2)
    several = over_models([Interval(ratio, None, None) for ratio in (0.5, 1.0, 1.0, 2.0)])
    assert several.value == pytest.approx(1)
    assert several.low < 0.6 and several.high == pytest.approx(1 / several.low)


def accuracies(*values: float, perfect: float = math.inf) -> Interval:
    return over_accuracies([Interval(value, value, value) for value in values], [perfect] * len(values))


def test_accuracies_may_be_zero():
    assert accuracies(0.0, 1.0) == (0.5, 0.0, 1.0)
    assert accuracies(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)
    assert accuracies(1.25, 1.25, 1.25, perfect=1.25) == (1.25, 1.25, 1.25)


def test_an_interval_of_accuracies_is_students_of_the_logit_between_none_and_all_right():
    values, perfect = np.array([0.9, 0.5, 0.3, 0.02]), 1.25
    share = values / perfect
    half_width = stats.t.ppf(0.975, 3) * share.std(ddof=1) / np.sqrt(4) / (share.mean() * (1 - share.mean()))
    low, high = perfect * special.expit(special.logit(share.mean()) + np.array([-half_width, half_width]))
    assert accuracies(*values, perfect=perfect) == pytest.approx((values.mean(), low, high))


@pytest.mark.parametrize("perfect", [1.2, math.inf])
@pytest.mark.parametrize(
    "values", [(0.02, 0.001, 0.04, 0.03), (0.0, 0.0, 0.0, 0.9), (1.0, 0.5, 0.02, 0.3), (1.0, 1.1, 1.1, 1.2)]
)
def test_no_interval_of_accuracies_leaves_what_is_possible(values, perfect):
    mean = accuracies(*values, perfect=perfect)
    assert 0 < mean.low < mean.value < mean.high < perfect


def test_an_interval_of_ruined_networks_holds_the_truth_more_often_than_students():
    truth, draws = 1 / 31, np.random.default_rng(0).beta(1, 30, (4000, 4))

    def held(intervals):
        return np.mean([interval.low <= truth <= interval.high for interval in intervals])

    assert held(accuracies(*draw, perfect=1.2) for draw in draws) == pytest.approx(0.944, abs=0.008)
    assert held(map(mean_interval, draws)) == pytest.approx(0.883, abs=0.012)


def test_close_accuracies_have_students_interval_itself():
    values = [0.99, 0.995, 1.0, 0.985]
    half_width = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) / 2
    expected = (np.mean(values), np.mean(values) - half_width, np.mean(values) + half_width)
    assert accuracies(*values, perfect=1.2) == pytest.approx(expected, abs=5e-4)


def test_an_effect_on_accuracy_is_in_points_and_paired(study):
    rows = study[study["variant"].eq("q8") & study["metric"].isin(["top1", "bleu"]) & study["change"].notna()]
    scales = rows["unit"].map({"fraction": 100, "score": 1}).astype(float)
    points = (rows["change"] * scales).groupby(rows["model"]).mean()
    found = Effects(study).of("accuracy", Option("q8"))
    assert {model: interval.value for model, interval in found.own.items()} == pytest.approx(points.to_dict())
    assert found.mean.value == pytest.approx(points.mean()) and found.neutral == 0


def test_a_change_is_shown_by_the_interval_over_models_or_by_every_model():
    spread = effect((0.9, 0.85, 0.95), (0.5, 0.4, 0.6), (0.2, 0.1, 0.3), (0.9, 0.85, 0.95))
    assert spread.mean.high > 1
    assert spread.smaller and not spread.larger
    assert not effect((0.9, 0.85, 0.95), (0.5, 0.4, 1.1)).below(1)
    assert not Effect({"a": Interval(0.5, None, None)}, Interval(0.5, None, None), 0.95, 0).below(1)


def test_an_effect_is_that_of_the_table_under_each_dequantization(study):
    effects = Effects(study)
    assert effects.options("size", "q8") == [Option("q8")]
    assert effects.options("latency", "q8") == [Option("q8", EVERY_INFERENCE), Option("q8", ONCE)]
    assert effects.options("latency", "p50") == [Option("p50")]
    rows = study[(study["variant"] == "q8") & (study["metric"] == "latency") & study["label"].isna()]
    for mode in (EVERY_INFERENCE, ONCE):
        own = rows[rows["arithmetic"] == mode].set_index("model")
        found = effects.of("latency", Option("q8", mode), ["vgg_16"])
        assert found.mean == tuple(own.loc["vgg_16", ["ratio", "ratio_low", "ratio_high"]])
        everywhere = effects.of("latency", Option("q8", mode))
        assert set(everywhere.own) == set(own.index)
    assert effects.of("size", Option("q8"), []) is None
    assert effects.of("energy", Option("q8", ONCE)) is None


def test_ratios_that_are_not_settled_are_counted_whatever_their_values(study):
    settled = study.assign(settled=False, ratio_settled=True)
    assert Effects(settled).of("latency", Option("q8", ONCE)).unsettled == 0
    of_one = settled["model"].eq("vgg_16") & settled["arithmetic"].eq(ONCE)
    one = settled.assign(ratio_settled=~of_one)
    assert Effects(one).of("latency", Option("q8", ONCE)).unsettled == 1
    assert Effects(one).of("latency", Option("q8", EVERY_INFERENCE)).unsettled == 0


def test_sizes_are_exact(study):
    own = Effects(study).of("size", Option("q8"), ["vgg_16"]).mean
    assert own.low == own.value == own.high


def test_full_size_goes_by_the_published_parameters(study):
    assert full_size(study) == {"mobilenet_v1_full", "inception_v1_full", "resnet_v1_50_full"}
    assert full_size(study.assign(value=1.0)) == set()


def test_a_chain_is_quantized_where_one_of_its_techniques_is(study):
    modes = {variant: len(Effects(study).options("latency", variant)) for variant in ("q8", "p05", "p05-q8")}
    assert modes == {"q8": 2, "p05": 1, "p05-q8": 2}
    sparse = Effects(make_study(("vgg_16",), ("fp32", *SPARSE)))
    assert list(map(str, sparse.options("latency", "s50"))) == ["s50"]
    assert len(sparse.options("latency", "s50-q8")) == 2


@pytest.mark.parametrize(("ratio", "text"), [(0.2537, "−74.6 %"), (1.0001, "0.0 %"), (15.9, "+1,490.0 %")])
def test_changes_are_signed_and_stay_on_a_line(ratio, text):
    assert percent(ratio) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_only_the_first_device_counts(study):
    second = study[study["device"].notna()].assign(device="tx2", ratio=9.0)
    both = Effects(pd.concat([study, second], ignore_index=True))
    assert both.of("latency", Option("q8", ONCE)) == Effects(study).of("latency", Option("q8", ONCE))
