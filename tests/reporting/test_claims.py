"""Every claim gets a verdict by one rule, and a reason where it cannot be judged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tocompress.measurement.statistics import Interval, ratio_interval
from tocompress.models.registry import NETWORKS
from tocompress.reporting.claims import VERDICTS, claims_table, verdict
from tocompress.reporting.study import METRICS, Part, aggregate
from tocompress.schemas.claims import CLAIMS
from tocompress.settings.claims import Claim, Claims, ClaimsInputs, Margin, load
from tocompress.tables import read_table, write_table

REPOSITORY = Path(__file__).parents[2]
SETTINGS = ClaimsInputs(
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
    return {"metric": metric, "variant": variant, "unit": METRICS[metric], **measured, **known, **more}


def part(model: str, network: str, *rows: dict, size: float = 1.0, **more: object) -> Part:
    parameters = value("parameters", "fp32", size * NETWORKS[network].parameters, (1,))
    where = {"device": None, "processor": None, "dequantization": None, "dataset": None}
    return Part(model, network, "own", pd.DataFrame([where | parameters, *(where | more | row for row in rows)]))


def timed(model: str, network: str, q8: tuple[float, ...], q6: tuple[float, ...] = (), **more: object) -> Part:
    rows = [value("latency", "fp32", 10, (1, 1, 1)), value("latency", "q8", 10 * q8[0], q8, converged=True)]
    rows += [value("latency", "q6", 10 * q6[0], q6, converged=False)] if q6 else []
    return part(model, network, *rows, **{"device": "host", "processor": "cpu"} | more)


def judged(claim: Claim, *parts: Part) -> dict:
    claims = Claims(margin=Margin(percent=5, effect=0.5), claims=(claim,))
    return claims_table(aggregate(parts), claims, SETTINGS).iloc[0].to_dict()


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
    networks = ["vgg_16", "resnet_v1_50", "gnmt"]
    ratios = [1.2, 1.5, 1.6]
    parts = [timed(f"big_{name}", name, (r, r, r)) for name, r in zip(networks, ratios, strict=True)]
    row = judged(claim(networks=[*networks, "vgg_19"], expressed="ratio", paper=1.4), *parts)
    assert (row["value"], row["low"], row["high"]) == pytest.approx(ratio_interval(ratios, [1, 1, 1]))
    assert (row["n"], row["level"], row["reason"]) == (3, 0.95, "the interval is too wide; 3 of 4 networks")


def test_an_extreme_names_its_model():
    parts = timed("small", "vgg_16", (1.1, 1.0, 1.2)), timed("large", "vgg_19", (1.5, 1.4, 1.6))
    row = judged(claim(networks=["vgg_16", "vgg_19"], aggregation="maximum"), *parts)
    assert (row["value"], row["low"], row["n"]) == pytest.approx((50, 40, 2))
    assert row["models"] == "large, the maximum of small, large"


def test_variants_are_averaged_within_a_model():
    row = judged(claim(variants=["q8", "q6"]), timed("big", "vgg_16", (1.2, 1.1, 1.3), (1.6, 1.5, 1.8)))
    assert (row["value"], row["low"], row["high"]) == pytest.approx((40, 30, 55))
    assert row["reason"].endswith("1 of 1 not converged")


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
    run = part("big", "vgg_16", *rows, device="host")
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


def test_energy_is_comparable_on_a_gpu_only():
    rows = value("energy", "fp32", 1, (1, 1, 1)), value("energy", "q8", 1.4, (1.4, 1.39, 1.41))
    host = part("big", "vgg_16", *rows, device="host", processor="cpu")
    row = judged(claim(metric="energy"), host)
    assert (row["verdict"], row["reason"]) == (
        "not comparable", "needs the GPU of a board (here the cpu of 'host')",
    )  # fmt: skip
    board = Part("big", "vgg_16", "own", pd.DataFrame(rows), device="tx2", processor="gpu")
    assert judged(claim(metric="energy"), host, board)["verdict"] == "agrees"


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
            value("latency", name, 10 * time, (time, time, time), device="host", processor="cpu"),
            value("top1", name, 0.8 * accuracy, (accuracy, accuracy, accuracy), dataset="glyphs"),
        ]

    baseline = value("latency", "fp32", 10, (1, 1, 1), device="host", processor="cpu")
    rows = [baseline, *pruned("p05", 0.05, 0.9, 0.99), *pruned("p15", 0.15, 0.6, 0.96), *pruned("p30", 0.3, 0.4, 0.8)]
    row = judged(claim(variants=["largest_cut"], paper=-40), part("big", "vgg_16", *rows))
    assert (row["value"], row["verdict"]) == (pytest.approx(-40), "agrees")
    row = judged(claim(variants=["largest_cut"], paper=-40), timed("big", "vgg_16", (1.0,)))
    assert row["reason"] == "no pruned variant has a known accuracy"


def test_the_claims_of_the_paper_are_all_judged_on_a_whole_study(tmp_path, large_study):
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    techniques = {name: entry["method"] for name, entry in config["techniques"].items()}
    claims = load(REPOSITORY / "config/claims.yaml", techniques)
    data = {name: data["kind"] for name, data in config["data"].items()}
    table = claims_table(large_study, claims, ClaimsInputs(techniques=techniques, data=data))
    write_table(tmp_path / "claims.parquet", CLAIMS, table)
    read = read_table(tmp_path / "claims.parquet", CLAIMS)
    assert list(read["claim"]) == [claim.id for claim in claims.claims]
    assert set(read["verdict"]) <= set(VERDICTS)
    unjudged = read["verdict"].isin(["not measured", "not comparable"])
    assert read.loc[unjudged, "reason"].notna().all()
    assert read.loc[read["verdict"] != "not measured", "value"].notna().all()
    assert {"agrees", "same direction", "contradicts", "not comparable"} <= set(read["verdict"])
