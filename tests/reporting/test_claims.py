"""Every claim gets a verdict by one rule, and a reason where it cannot be judged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up import aggregated

from tocompress.measurement.statistics import Interval, ratio_interval
from tocompress.models.registry import NETWORKS
from tocompress.reporting.claims import VERDICTS, by_statement, claims_table, verdict
from tocompress.reporting.study import Part
from tocompress.schemas.study import CLAIMS
from tocompress.settings.claims import Claim, Claims, Margin, load
from tocompress.settings.jobs import ClaimsJob
from tocompress.tables import read_table, write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT
from tocompress.vocabulary.metrics import COSTS, METRICS

REPOSITORY = Path(__file__).parents[2]
BOARD = {"device": "tx2", "processor": "gpu"}
CNNS = ["vgg_16", "vgg_19", "resnet_v1_50", "resnet_v1_101"]
SETTINGS = ClaimsJob(
    techniques={"q8": "quantize", "q6": "quantize"}, data={"photographs": "imagenet", "glyphs": "glyphs"}
)


def claim(**keys: object) -> Claim:
    return Claim(
        **{
            "id": "claim", "section": "IV", "statement": "it is so", "paper": 40, "metric": "latency",
            "variants": ["q8"], "networks": ["vgg_16"],
        }
        | keys
    )  # fmt: skip


def value(metric: str, variant: str, value: float | None, ratio: tuple[float, ...] = (), **more: object) -> dict:
    known = dict(zip(("ratio", "ratio_low", "ratio_high"), ratio, strict=False))
    measured = {"value": value, "level": 0.95 if len(ratio) > 1 else None, "basis": "measured"}
    return {"metric": metric, "variant": variant, "unit": METRICS[metric].unit, **measured, **known, **more}


def part(model: str, network: str, *rows: dict, size: float = 1.0, **more: object) -> Part:
    parameters = value("parameters", "fp32", size * NETWORKS[network].parameters, (1,))
    where = {"device": None, "processor": None, "arithmetic": None, "dataset": None}
    return Part(model, network, "own", pd.DataFrame([where | parameters, *(where | more | row for row in rows)]))


def timed(model: str, network: str, q8: tuple[float, ...], q6: tuple[float, ...] = (), **more: object) -> Part:
    rows = [value("latency", "fp32", 10, (1, 1, 1)), value("latency", "q8", 10 * q8[0], q8)]
    rows += [value("latency", "q6", 10 * q6[0], q6)] if q6 else []
    return part(model, network, *rows, **{"settled": True, "ratio_settled": True} | BOARD | more)


def shared_out(model: str, network: str, share: float, **more: object) -> Part:
    """A model with that share of dequantization in the time of q8."""
    shares = {"dequantization": share, "convolution": 1 - share}
    rows = [
        value("operation_share", "q8", each, label=label, low=each - 0.01, high=each + 0.01, level=0.95)
        for label, each in shares.items()
    ]
    return part(model, network, *rows, **BOARD | more)


def judged(claim: Claim, *parts: Part) -> dict:
    claims = Claims(margin=Margin(percent=5, accuracy=0.5, effect=0.5), claims=(claim,))
    return claims_table(aggregated(parts), claims, SETTINGS).iloc[0].to_dict()


@pytest.mark.parametrize(
    ("bound", "paper", "interval", "expected"),
    [
        ("about", 40, (37, 44), "agrees"),
        ("about", 40, (20, 44), "same direction"),
        ("about", 40, (80, 90), "same direction"),
        ("about", -40, (-20, -10), "same direction"),
        ("about", 40, (-20, -10), "contradicts"),
        ("about", 40, (-1, 1), "contradicts"),
        ("about", 40, (-10, 90), "undecided"),
        ("about", 0, (-4, 4), "agrees"),
        ("about", 0, (6, 9), "contradicts"),
        ("at least", -5, (-4, 3), "agrees"),
        ("at least", -5, (-9, -6), "contradicts"),
        ("at least", -5, (-9, -4), "undecided"),
        ("at most", -40, (-60, -41), "agrees"),
        ("at most", -40, (-30, -20), "same direction"),
        ("range", 30, (26, 54), "agrees"),
        ("range", 30, (56, 60), "same direction"),
    ],
)
def test_the_verdict_follows_from_the_interval(bound, paper, interval, expected):
    stated = claim(bound=bound, paper=paper, paper_high=50 if bound == "range" else None)
    assert verdict(stated, 0 if bound.startswith("at") else 5, Interval(sum(interval) / 2, *interval)) == expected


def test_a_plain_number_has_no_direction():
    stated = claim(metric="parameters", expressed="value", paper=138, variants=["fp32"])
    assert verdict(stated, 7, Interval(150, 150, 150)) == "contradicts"


def test_one_model_has_its_own_interval():
    row = judged(claim(), timed("big", "vgg_16", (1.42, 1.38, 1.44)))
    assert (row["value"], row["low"], row["high"]) == pytest.approx((42, 38, 44))
    assert (row["n"], row["level"], row["models"], row["verdict"]) == (1, 0.95, "big", "agrees")


def test_a_mean_over_models_has_the_interval_over_models():
    networks = ["vgg_16", "resnet_v1_50", "resnet_v1_101", "gnmt"]
    ratios = [1.0, 1.5, 1.3, 1.9]
    parts = [timed(f"big_{name}", name, (r, r, r)) for name, r in zip(networks, ratios, strict=True)]
    row = judged(claim(networks=[*networks, "vgg_19"], expressed="ratio", paper=1.4), *parts)
    assert (row["value"], row["low"], row["high"]) == pytest.approx(ratio_interval(ratios, [1] * 4))
    assert (row["n"], row["level"], row["reason"]) == (4, 0.95, "the interval is too wide; 4 of 5 networks")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_mean_of_a_few_of_many_networks_is_undecided(number):
    parts = [timed(f"big_{name}", name, (1.4, 1.39, 1.41)) for name in CNNS]
    row = judged(claim(networks=CNNS), *parts[:number])
    assert (row["verdict"], row["reason"]) == ("undecided", f"{number} of 4 networks")
    assert judged(claim(networks=CNNS), *parts[:4])["verdict"] == "agrees"


def test_of_two_networks_that_are_all_the_paper_averages_both_must_show_it():
    stated = claim(networks=CNNS[:2])
    near, far = timed("near", "vgg_16", (1.4, 1.38, 1.42)), timed("far", "vgg_19", (1.1, 1.08, 1.12))
    row = judged(stated, near, far)
    assert (row["low"], row["high"], row["verdict"]) == (pytest.approx(8), pytest.approx(42), "same direction")
    assert judged(stated, near, timed("far", "vgg_19", (1.41, 1.39, 1.43)))["verdict"] == "agrees"


def test_an_extreme_names_its_model():
    parts = timed("small", "vgg_16", (1.1, 1.0, 1.2)), timed("large", "vgg_19", (1.5, 1.4, 1.6))
    row = judged(claim(networks=["vgg_16", "vgg_19"], aggregation="maximum"), *parts)
    assert (row["value"], row["low"], row["n"]) == pytest.approx((50, 40, 2))
    assert row["models"] == "large, the maximum of small, large"


@pytest.mark.parametrize("aggregation", ["minimum", "maximum", "spread", "each"])
def test_a_claim_on_all_networks_is_undecided_without_one_of_them(aggregation):
    stated = claim(networks=CNNS, aggregation=aggregation, paper=None if aggregation == "spread" else 40)
    parts = [timed(f"big_{name}", name, (1.4, 1.39, 1.41)) for name in CNNS]
    assert judged(stated, *parts)["verdict"] == "agrees"
    row = judged(stated, *parts[:3])
    assert (row["verdict"], row["reason"]) == ("undecided", "3 of 4 networks")


def test_a_range_across_networks_is_no_range_of_their_mean():
    stated = claim(networks=CNNS[:2], bound="range", paper=-20.02, paper_high=-15.97, aggregation="each")
    parts = timed("least", "vgg_16", (0.95, 0.94, 0.96)), timed("most", "vgg_19", (0.69, 0.68, 0.7))
    row = judged(stated, *parts)
    assert (row["value"], row["low"], row["high"]) == pytest.approx((-18, -32, -4))
    assert row["verdict"] == "same direction"


def test_one_network_outside_a_range_contradicts_it_whichever_others_are_lacking():
    stated = claim(
        metric="operation_share", expressed="value", labels=["dequantization"], networks=CNNS,
        bound="range", paper=30, paper_high=50, aggregation="each",
    )  # fmt: skip
    inside, outside = shared_out("inside", "vgg_16", 0.4), shared_out("outside", "vgg_19", 0.1)
    row = judged(stated, inside, outside)
    assert (row["verdict"], row["reason"]) == ("contradicts", "by outside; 2 of 4 networks")
    assert judged(stated, inside, shared_out("outside", "vgg_19", 0.1, settled=False))["verdict"] == "undecided"
    assert judged(stated.model_copy(update={"networks": ("vgg_16",)}), inside)["verdict"] == "agrees"


def test_networks_are_alike_where_their_spread_is_within_the_margin():
    def shrunk(model: str, network: str, ratio: float) -> Part:
        return part(model, network, value("size", "fp32", 40e6, (1,)), value("size", "q8", 40e6 * ratio, (ratio,)))

    stated = claim(metric="size", paper=None, aggregation="spread", networks=CNNS[:2])
    first = shrunk("first", "vgg_16", 0.25)
    row = judged(stated, first, shrunk("second", "vgg_19", 0.27))
    assert (row["value"], row["unit"], row["verdict"]) == (pytest.approx(2), "%", "agrees")
    assert judged(stated, first, shrunk("second", "vgg_19", 0.4))["verdict"] == "contradicts"


def test_two_networks_are_compared_by_the_difference_of_their_changes():
    stated = claim(paper=None, bound="at least", aggregation="difference", networks=["resnet_v1_50", "vgg_16"])
    wide = timed("wide", "vgg_16", (0.9, 0.86, 0.94))
    row = judged(stated, timed("deep", "resnet_v1_50", (1.5, 1.47, 1.53)), wide)
    assert (row["value"], row["low"], row["high"]) == pytest.approx((60, 55, 65))
    assert row["verdict"] == "agrees"
    assert judged(stated, timed("deep", "resnet_v1_50", (0.5, 0.47, 0.53)), wide)["verdict"] == "contradicts"
    assert judged(stated, wide)["verdict"] == "not measured"


def test_nothing_is_judged_from_a_ratio_that_is_not_settled():
    settled = [timed(f"big_{name}", name, (1.4, 1.39, 1.41)) for name in CNNS[:3]]
    unsettled = timed("unsettled", CNNS[3], (1.4, 1.39, 1.41), ratio_settled=False)
    row = judged(claim(networks=CNNS), *settled, unsettled)
    assert (row["verdict"], row["reason"]) == ("undecided", "1 of 4 not settled")
    assert judged(claim(networks=CNNS[3:], paper=-40), unsettled)["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("expressed", "unsettled", "expected"),
    [("ratio", "settled", "agrees"), ("ratio", "ratio_settled", "undecided"), ("value", "settled", "undecided"),
     ("value", "ratio_settled", "agrees")],
)  # fmt: skip
def test_a_ratio_is_judged_by_its_own_interval_and_a_value_by_its_own(expressed, unsettled, expected):
    flags = {"settled": True, "ratio_settled": True, unsettled: False}
    rows = [
        value("latency", "fp32", 10, (1, 1, 1), settled=False, arithmetic=FLOAT),
        value("latency", "q8", 14, (1.4, 1.39, 1.41), low=13.9, high=14.1, arithmetic=EVERY_INFERENCE, **flags),
    ]
    stated = claim(expressed=expressed, paper=1.4 if expressed == "ratio" else 14)
    assert judged(stated, part("big", "vgg_16", *rows, **BOARD))["verdict"] == expected


def test_variants_are_averaged_within_a_model():
    row = judged(claim(variants=["q8", "q6"]), timed("big", "vgg_16", (1.2, 1.1, 1.3), (1.6, 1.5, 1.8)))
    assert (row["value"], row["low"], row["high"]) == pytest.approx((40, 30, 55))


def test_two_variants_are_compared_as_if_their_errors_were_independent():
    row = judged(claim(baseline="q6", expressed="ratio"), timed("big", "vgg_16", (2, 1, 4), (1, 0.5, 2)))
    assert row["value"] == 2
    assert (row["low"], row["high"]) == pytest.approx((2 / 2**2**0.5, 2 * 2**2**0.5))


def test_differences_are_in_points_or_in_megabytes():
    size = part("big", "vgg_16", value("size", "fp32", 40e6, (1,)), value("size", "q8", 10e6, (0.25,)))
    row = judged(claim(metric="size", expressed="amount", paper=-30), size)
    assert (row["value"], row["unit"], row["margin"], row["verdict"]) == (-30, "MB", 1.5, "agrees")
    assert pd.isna([row["low"], row["high"], row["level"]]).all()
    rows = value("top1", "fp32", 0.8, (1, 1, 1)), value("top1", "q8", 0.76, (0.95, 0.94, 0.96))
    accuracy = part("big", "vgg_16", *rows, dataset="photographs")
    row = judged(claim(metric="top1", expressed="points", paper=-5), accuracy)
    assert (row["value"], row["low"], row["unit"]) == (pytest.approx(-4), pytest.approx(-4.8), "points")


def test_a_share_of_a_class_that_a_model_does_not_have_is_none():
    rows = [
        value("operation_share", "q8", share, label=label, low=share - 0.1, high=share + 0.1, level=0.95)
        for label, share in {"dequantization": 0.4, "convolution": 0.6}.items()
    ]
    run = part("big", "vgg_16", *rows, **BOARD)
    share = {"metric": "operation_share", "expressed": "value"}
    row = judged(claim(**share, labels=["convolution", "pooling", "dequantization"]), run)
    assert (row["value"], row["low"], row["high"]) == pytest.approx((100, 80, 120))
    row = judged(claim(**share, labels=["pooling"], bound="at least"), run)
    assert (row["value"], row["verdict"]) == (0, "contradicts")
    row = judged(claim(**share | {"expressed": "remainder"}, labels=["dequantization"]), run)
    assert (row["value"], row["low"], row["high"]) == pytest.approx((60, 50, 70))


def test_a_small_model_is_not_comparable_and_stands_back_where_a_whole_one_is_measured():
    small = timed("a_small", "vgg_16", (1.2, 1.1, 1.3), size=0.02)
    row = judged(claim(), small)
    assert (row["verdict"], row["value"]) == ("not comparable", pytest.approx(20))
    assert row["reason"] == "needs a model of the published size"
    row = judged(claim(), small, timed("big", "vgg_16", (1.4, 1.4, 1.4)))
    assert (row["verdict"], row["models"]) == ("agrees", "big")


@pytest.mark.parametrize("metric", ["latency", "memory", "power_mean", "power_peak", "energy"])
def test_a_value_that_a_device_decides_is_comparable_on_the_gpu_of_a_board_only(metric):
    rows = value(metric, "fp32", 1, (1, 1, 1)), value(metric, "q8", 1.4, (1.4, 1.39, 1.41))
    host = part("big", "vgg_16", *rows, device="host", processor="cpu")
    row = judged(claim(metric=metric), host)
    assert (row["verdict"], row["reason"]) == (
        "not comparable", "needs the GPU of a board (here the cpu of 'host')",
    )  # fmt: skip
    board = Part("big", "vgg_16", "own", pd.DataFrame(rows), **BOARD)
    assert judged(claim(metric=metric), host, board)["verdict"] == "agrees"


def test_shares_of_operations_are_comparable_on_the_gpu_of_a_board_only():
    stated = claim(metric="operation_share", expressed="value", labels=["dequantization"])
    row = judged(stated, shared_out("big", "vgg_16", 0.4, device="host", processor="cpu"))
    assert (row["verdict"], row["value"]) == ("not comparable", pytest.approx(40))
    assert judged(stated, shared_out("big", "vgg_16", 0.4))["verdict"] == "agrees"


def test_an_accuracy_itself_is_judged_within_half_a_point():
    def evaluated(top1: float) -> Part:
        row = value("top1", "fp32", top1, (1, 1, 1), low=top1 - 0.001, high=top1 + 0.001)
        return part("big", "resnet_v1_50", row, dataset="photographs")

    stated = claim(metric="top1", expressed="value", paper=75.2, variants=["fp32"], networks=["resnet_v1_50"])
    assert judged(stated, evaluated(0.749))["verdict"] == "agrees"
    assert judged(stated, evaluated(0.72))["verdict"] == "contradicts"


def test_a_value_of_another_runtime_is_comparable_only_where_all_have_the_same():
    rows = [value("latency", "fp32", 10, (1, 1, 1)), value("latency", "q8", 14, (1.4, 1.39, 1.41))]
    in_litert = part("big", "vgg_16", *(row | BOARD | {"runtime": "litert"} for row in rows))
    row = judged(claim(), in_litert)
    assert (row["verdict"], row["value"]) == ("not comparable", pytest.approx(40))
    assert row["reason"] == "needs a graph of TensorFlow (here LiteRT)"
    other = value("latency", "q8", 30, (3.0, 2.9, 3.1)) | BOARD | {"runtime": "litert"}
    in_tensorflow = [row | BOARD | {"runtime": "tensorflow"} for row in rows]
    row = judged(claim(), part("big", "vgg_16", *in_tensorflow, other))
    assert (row["verdict"], row["value"]) == ("agrees", pytest.approx(40))
    counted = claim(metric="parameters", expressed="value", paper=138, variants=["fp32"])
    assert judged(counted, in_litert)["verdict"] == "agrees"


def test_accuracy_is_comparable_on_the_data_it_was_published_on_only():
    rows = value("top1", "fp32", 0.8, (1, 1, 1)), value("top1", "q8", 0.4, (0.5, 0.49, 0.51))
    stated = claim(metric="top1", paper=-50)
    assert judged(stated, part("big", "vgg_16", *rows, dataset="photographs"))["verdict"] == "agrees"
    row = judged(stated, part("big", "vgg_16", *rows, dataset="glyphs"))
    assert (row["verdict"], row["reason"]) == ("not comparable", "needs ImageNet (here glyphs)")


def test_what_is_not_measured_has_its_reason():
    silent = value("energy", "q8", None) | {"basis": "unavailable", "reason": "no sensor"}
    run = part("big", "vgg_16", silent, device="host", processor="cpu")
    row = judged(claim(metric="energy", networks=["vgg_16", "vgg_19"]), run)
    assert (row["verdict"], row["n"]) == ("not measured", 0)
    assert row["reason"] == "no sensor (vgg_16); not in this study (vgg_19)"
    assert judged(claim(variants=["q6"]), timed("big", "vgg_16", (1.0,)))["reason"] == "variant q6 was not made"


def test_a_value_without_an_interval_is_undecided():
    row = judged(claim(), timed("big", "vgg_16", (1.4,)))
    assert (row["verdict"], row["reason"]) == ("undecided", "too few observations for an interval")


def test_the_largest_cut_is_chosen_model_by_model():
    def pruned(name: str, cut: float, time: float, accuracy: float) -> list[dict]:
        return [
            value("filters_removed", name, cut),
            value("latency", name, 10 * time, (time, time, time), **BOARD),
            value("top1", name, 0.8 * accuracy, (accuracy, accuracy, accuracy), dataset="photographs"),
        ]

    baseline = [
        value("latency", "fp32", 10, (1, 1, 1), **BOARD),
        value("top1", "fp32", 0.8, (1, 1, 1), dataset="photographs"),
    ]
    rows = [*baseline, *pruned("p05", 0.05, 0.9, 0.99), *pruned("p15", 0.15, 0.6, 0.96), *pruned("p30", 0.3, 0.4, 0.8)]
    row = judged(claim(variants=["largest_cut"], paper=-40), part("big", "vgg_16", *rows))
    assert (row["value"], row["verdict"]) == (pytest.approx(-40), "agrees")
    by_itself = claim(variants=["largest_cut"], metric="top1", paper=-5, bound="at least")
    row = judged(by_itself, part("big", "vgg_16", *rows))
    assert (row["value"], row["verdict"]) == (pytest.approx(-4), "circular")
    row = judged(claim(variants=["largest_cut"], paper=-40), timed("big", "vgg_16", (1.0,)))
    assert row["reason"] == "no pruned variant has a known accuracy"


@pytest.mark.parametrize(
    ("verdicts", "shared"),
    [
        (["agrees", "agrees"], "agrees"),
        (["agrees", "circular"], "agrees"),
        (["contradicts", "not measured", "not comparable"], "contradicts"),
        (["agrees", "undecided"], "depends on the reading"),
        (["agrees", "contradicts", "not measured"], "depends on the reading"),
        (["not measured", "not comparable", "circular"], "not comparable"),
        (["not measured", "not measured"], "not measured"),
    ],
)
def test_a_number_has_the_verdict_that_its_readings_share(verdicts, shared):
    rows = [{"claim": "number", "paper": 3.0, "verdict": verdict} for verdict in verdicts]
    rows += [{"claim": "wording", "paper": None, "verdict": "agrees"}]
    counted = by_statement(pd.DataFrame(rows))
    assert list(counted.itertuples(name=None)) == [("number", True, shared), ("wording", False, "agrees")]


def on_a_board(study: pd.DataFrame) -> pd.DataFrame:
    """The study as if the GPU of a board had measured it until all of it was settled."""
    return study.assign(
        processor=study["processor"].where(study["device"].isna(), "gpu"),
        **{flag: study[flag].where(study[flag].isna(), True) for flag in ("settled", "ratio_settled")},
    )


def test_the_claims_of_the_paper_are_all_judged_on_a_whole_study(tmp_path, large_study):
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    techniques = {name: entry["method"] for name, entry in config["techniques"].items()}
    claims = load(REPOSITORY / "config/claims.yaml", techniques)
    data = {name: data["kind"] for name, data in config["data"].items()}
    settings = ClaimsJob(techniques=techniques, data=data)
    table = claims_table(on_a_board(large_study), claims, settings)
    write_table(tmp_path / "claims.parquet", CLAIMS, table)
    read = read_table(tmp_path / "claims.parquet", CLAIMS)
    assert list(read["claim"]) == [claim.id for claim in claims.claims]
    assert by_statement(read)["number"].sum() == 89
    assert set(read["verdict"]) <= set(VERDICTS)
    unjudged = read["verdict"].isin(["not measured", "not comparable"])
    assert read.loc[unjudged, "reason"].notna().all()
    assert read.loc[read["verdict"] != "not measured", "value"].notna().all()
    assert {"agrees", "same direction", "contradicts", "not comparable"} <= set(read["verdict"])
    by_device = [claim.metric in COSTS for claim in claims.claims]
    on_host = claims_table(large_study, claims, settings)
    assert set(on_host.loc[by_device, "verdict"]) <= {"not comparable", "not measured"}
    assert {"agrees", "same direction"} <= set(read.loc[by_device, "verdict"])
