"""Effects are paired ratios, averaged over models, and claim no more than their intervals show."""

from __future__ import annotations

import pandas as pd
import pytest

from tocompress.measurement.statistics import Interval
from tocompress.reporting.effects import Effect, Effects, Option, is_quantized, over_models, percent
from tocompress.reporting.study import full_size


def effect(*own: tuple[float, float, float]) -> Effect:
    intervals = {str(number): Interval(*values) for number, values in enumerate(own)}
    return Effect(intervals, over_models(list(intervals.values())), 0.95, 0)


def test_the_mean_of_ratios_is_geometric_and_has_an_interval_from_three_models_on():
    one, two = Interval(0.5, 0.4, 0.6), Interval(2.0, 1.8, 2.2)
    assert over_models([one]) == one
    mean = over_models([one, two])
    assert (mean.value, mean.low, mean.high) == (pytest.approx(1), 0.4, 2.2)
    three = over_models([Interval(0.5, None, None), Interval(1.0, None, None), Interval(2.0, None, None)])
    assert three.value == pytest.approx(1)
    assert three.low < 0.5 and three.high == pytest.approx(1 / three.low)


def test_accuracies_may_be_zero():
    assert over_models([Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)], linear=True).value == 0.5


def test_a_change_is_shown_by_the_interval_over_models_or_by_every_model():
    spread = effect((0.9, 0.85, 0.95), (0.5, 0.4, 0.6), (0.2, 0.1, 0.3))
    assert spread.mean.high > 1
    assert spread.below(1) and not spread.above(1)
    assert not effect((0.9, 0.85, 0.95), (0.5, 0.4, 1.1)).below(1)
    assert not Effect({"a": Interval(0.5, None, None)}, Interval(0.5, None, None), 0.95, 0).below(1)
    assert effect((0.96, 0.955, 0.97)).at_least(0.95)


def test_an_effect_is_that_of_the_table_under_each_dequantization(study):
    effects = Effects(study)
    assert effects.options("size", "q8") == [Option("q8")]
    assert effects.options("latency", "q8") == [Option("q8", "every_inference"), Option("q8", "once")]
    assert effects.options("latency", "p50") == [Option("p50", "once")]
    rows = study[(study["variant"] == "q8") & (study["metric"] == "latency") & study["label"].isna()]
    for mode in ("every_inference", "once"):
        own = rows[rows["dequantization"] == mode].set_index("model")
        found = effects.of("latency", Option("q8", mode), ["vgg_16"])
        assert found.mean == tuple(own.loc["vgg_16", ["ratio", "ratio_low", "ratio_high"]])
        everywhere = effects.of("latency", Option("q8", mode))
        assert set(everywhere.own) == set(own.index)
        assert everywhere.unconverged == (own["converged"] == False).sum()  # noqa: E712
    assert effects.of("size", Option("q8"), []) is None
    assert effects.of("energy", Option("q8", "once")) is None


def test_sizes_are_exact(study):
    own = Effects(study).of("size", Option("q8"), ["vgg_16"]).mean
    assert own.low == own.value == own.high


def test_full_size_goes_by_the_published_parameters(study):
    assert full_size(study) == {"mobilenet_v1_full", "inception_v1_full", "resnet_v1_50_full"}
    assert full_size(study.assign(value=1.0)) == set()


def test_a_chain_is_quantized_where_one_of_its_techniques_is():
    quantized = [variant for variant in ("fp32", "q8", "p05", "p05-q8", "p50_random", "nf4") if is_quantized(variant)]
    assert quantized == ["q8", "p05-q8", "nf4"]


@pytest.mark.parametrize(("ratio", "text"), [(0.2537, "−74.6 %"), (1.0001, "0.0 %"), (15.9, "+1,490.0 %")])
def test_changes_are_signed_and_stay_on_a_line(ratio, text):
    assert percent(ratio) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_only_the_first_device_counts(study):
    second = study[study["device"].notna()].assign(device="tx2", ratio=9.0)
    both = Effects(pd.concat([study, second], ignore_index=True))
    assert both.of("latency", Option("q8", "once")) == Effects(study).of("latency", Option("q8", "once"))
