"""The finding says in a sentence what the table shows, and no more."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up import make_unavailable

from tocompress.reporting.report.finding import finding, unsettled


def said(study: pd.DataFrame) -> str:
    return finding(study).sentence.replace("\N{NO-BREAK SPACE}", " ")


def of(study: pd.DataFrame, metric: str, variant: str) -> pd.Series:
    return study["metric"].eq(metric) & study["variant"].eq(variant) & study["label"].isna()


def with_effects(
    study: pd.DataFrame, metrics: tuple[str, ...], variant: str, value: tuple[float, float, float]
) -> pd.DataFrame:
    """The study in which every model has this effect, with these bounds, in each arithmetic."""
    changed = study.copy()
    for metric in metrics:
        rows = study["metric"].eq(metric) & study["variant"].eq(variant) & study["ratio"].notna()
        names = ("change", "change_low", "change_high") if metric != "latency" else ("ratio", "ratio_low", "ratio_high")
        scale = 0.01 if metric == "top1" else 1.0
        for name, number in zip(names, value, strict=True):
            changed.loc[rows, name] = number * scale
    return changed


def judged(study: pd.DataFrame, variant: str, *value: float) -> pd.DataFrame:
    return with_effects(study, ("top1", "bleu"), variant, value)


def timed(study: pd.DataFrame, variant: str, *value: float) -> pd.DataFrame:
    return with_effects(study, ("latency",), variant, value)


@pytest.fixture(scope="module")
def few(study: pd.DataFrame) -> pd.DataFrame:
    """The study of so few models that their own intervals count."""
    return study[~study["model"].isin(["mobilenet_v1", "resnet_v1_50"])]


@pytest.fixture(scope="module")
def q8(few: pd.DataFrame) -> pd.DataFrame:
    """A study of one compressed variant."""
    return few[few["variant"].isin(["fp32", "q8"])]


def test_size_accuracy_and_time_have_words_for_what_their_intervals_show(q8):
    kept, slower = judged(q8, "q8", -0.1, -0.3, 0.1), timed(q8, "q8", 1.2, 1.1, 1.3)
    assert said(kept).startswith(
        "8-bit weights (q8, dequantized once): a quarter of the size, no clear loss of accuracy and "
    )
    assert said(judged(slower, "q8", -0.4, -0.6, -0.2)).endswith("0.4 points of accuracy lost and ×1.20 of the time.")
    assert said(timed(kept, "q8", 1.0, 0.9, 1.1)).endswith("and no clear change of time.")
    assert said(timed(kept, "q8", 0.5, 0.4, 0.6)).endswith("and ×0.50 of the time.")


def test_a_size_between_simple_shares_is_a_ratio(q8):
    kept = judged(q8, "q8", 0, 0, 0)
    assert "×0.29 of the size" in said(kept.assign(ratio=kept["ratio"].mask(of(kept, "size", "q8"), 0.29)))


def test_the_fastest_that_keeps_its_accuracy_is_told_of_else_the_smallest(few):
    some = few[few["variant"].isin(["fp32", "q8", "q6"])]
    some = some.assign(build=some["build"].replace("zoo", "published"))
    some = judged(judged(some, "q8", -0.1, -0.2, 0), "q6", -0.1, -0.2, 0)
    none_faster = timed(timed(some, "q8", 1.0, 0.9, 1.1), "q6", 1.1, 1.0, 1.2)
    assert "(q6, " in said(none_faster)
    assert "(q8, " in said(timed(none_faster, "q8", 0.8, 0.7, 0.9))
    assert "(q8, " in said(none_faster.assign(build="zoo")), "the zoo is too kind to few bits"
    lossy = judged(none_faster, "q6", -0.9, -1.2, -0.6)
    assert "(q8, " in said(lossy)


def test_a_variant_that_few_models_have_is_not_told_of(study):
    some = study[study["variant"].isin(["fp32", "q8", "q6"])]
    some = judged(judged(some, "q8", 0, 0, 0), "q6", 0, 0, 0).assign(build="published")
    alone = some[~(some["variant"].eq("q6") & ~some["model"].eq("vgg_16"))]
    assert "(q8, " in said(alone)


def test_nothing_is_found_where_nothing_keeps_its_accuracy_or_none_is_known(q8):
    assert said(judged(q8, "q8", -3, -4, -2)) == "No variant is shown to keep its accuracy within 1 point."
    assert said(make_unavailable(q8)) == "No compressed variant of this study has a known accuracy."
    assert finding(make_unavailable(q8)).tiles == ()


def test_tiles_have_an_interval_and_the_models_behind_it(q8):
    tiles = {tile.name: tile for tile in finding(judged(q8, "q8", -0.1, -0.3, 0.1)).tiles}
    assert list(tiles) == ["file size", "accuracy", "inference time", "runtime memory"]
    assert tiles["accuracy"].value == "−0.1 points" and tiles["accuracy"].evidence.endswith("2 small models")
    assert tiles["file size"].evidence.endswith("3 full-size models")
    ratios = q8.loc[of(q8, "size", "q8") & q8["build"].eq("initial"), "ratio"]
    change = 100 * (ratios.prod() ** (1 / 3) - 1)
    assert tiles["file size"].value == f"{change:.1f}\N{NO-BREAK SPACE}%".replace("-", "−")


def test_the_first_runtime_is_told_beside_a_better_one(both):
    kept = both[both["variant"].isin(["fp32", "q8", "i8"])]
    for variant in ("q8", "i8"):
        kept = judged(kept, variant, 0, 0, 0)
    found = finding(kept)
    assert found.sentence.startswith("8-bit integers (i8) in LiteRT: ")
    assert found.beside.startswith("In TensorFlow, 8-bit weights dequantized at every inference: ×")


def test_times_that_did_not_settle_are_counted_with_what_chance_would_show(study):
    times = study["metric"].eq("latency") & study["label"].isna() & study["value"].notna()
    loose = study.assign(
        settled=study["settled"].mask(times, False), ratio_settled=study["ratio_settled"].mask(times, False)
    )
    assert unsettled(loose).startswith(f"0 of {times.sum()} times and 0 of ")
    settled = study.assign(settled=True, ratio_settled=True)
    assert unsettled(settled) == ""
