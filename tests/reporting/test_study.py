"""The study's table holds every value once, in one order, and says how it came to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tocompress.errors import StudyError
from tocompress.reporting.study import (
    Part,
    aggregate,
    artifact_rows,
    as_shown,
    by_runtime,
    chains,
    controls,
    is_clear,
    made_by,
    of_runtime,
    runtimes,
    select,
    variants,
    whole,
)
from tocompress.schemas.study import STUDY
from tocompress.settings.jobs import StudyVariant
from tocompress.tables import read_table, write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER, ONCE
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.variants import rank

ARTIFACT = pd.DataFrame(
    {
        "variant": ["fp32", "q6"], "size": [1000, 190], "size_deflated": [900, 180], "parameters": [250, 250],
        "macs": pd.array([None, None], dtype="Int64"), "sha256": ["a", "b"],
    }
)  # fmt: skip
SIZES = Part("tiny", "vgg_16", "zoo", artifact_rows(ARTIFACT))
LATENCY = Part(
    "tiny", "vgg_16", "zoo", device="host", processor="cpu", runtime="tensorflow",
    rows=pd.DataFrame(
        {
            "variant": ["fp32", "q6"], "arithmetic": [FLOAT, ONCE], "metric": "latency", "unit": "ms",
            "value": [2.0, 3.0], "ratio": [1.0, 1.5], "basis": "measured", "settled": [True, False],
        }
    ),
)  # fmt: skip


VARIANTS = [
    StudyVariant(name="fp32"),
    StudyVariant(name="q6", methods=("quantize",), bits=6, granularity="tensor"),
]


def test_parts_become_rows_of_the_schema_and_survive_the_file(tmp_path):
    table = aggregate([SIZES, LATENCY], VARIANTS)
    write_table(tmp_path / "study.parquet", STUDY, table)
    read = read_table(tmp_path / "study.parquet", STUDY)
    assert list(read.columns) == list(table.columns) == STUDY.names
    pd.testing.assert_frame_equal(read.astype(table.dtypes), table)
    slow = read[(read["metric"] == "latency") & (read["variant"] == "q6")].iloc[0]
    assert (slow["device"], slow["runtime"], slow["ratio"]) == ("host", "tensorflow", 1.5)


def test_sizes_are_exact_and_have_no_interval():
    rows = aggregate([SIZES], VARIANTS).set_index(["metric", "variant"])
    assert rows.loc[("size", "q6"), "ratio"] == 190 / 1000
    assert rows.loc["size", ["low", "high", "settled"]].isna().all(axis=None)
    assert (rows.loc["size", "n"] == 1).all()
    assert rows.loc[("macs", "q6"), "basis"] == "unavailable"
    assert rows.loc[("macs", "q6"), "reason"] == "macs not counted"


def test_the_order_of_parts_does_not_matter():
    pd.testing.assert_frame_equal(aggregate([SIZES, LATENCY], VARIANTS), aggregate([LATENCY, SIZES], VARIANTS))


def with_rows(**columns):
    return replace(LATENCY, rows=LATENCY.rows.assign(**columns))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([LATENCY, LATENCY], "second value: tiny fp32 host tensorflow float latency"),
        ([with_rows(metric="speed")], "no known metric"),
        ([with_rows(variant=["fp32", "q7"])], "no variant of this study"),
        ([with_rows(unit="s")], "unit"),
        ([with_rows(basis=None)], "no basis"),
        ([with_rows(basis="unavailable")], "unavailable, yet a value"),
        ([with_rows(basis="unavailable", value=np.nan)], "without a reason"),
        ([with_rows(value=[2.0, np.nan])], "neither a value nor unavailable: tiny q6"),
        ([with_rows(colour="red")], "colour"),
        ([replace(LATENCY, arithmetic=ONCE)], "both by its part and by its rows"),
        ([replace(LATENCY, network="alexnet")], "alexnet"),
    ],
)
def test_what_cannot_stand_in_the_table_is_named(parts, message):
    with pytest.raises(StudyError, match=message):
        aggregate(parts, VARIANTS)


def test_variants_sort_by_length_then_bits_falling_or_number_rising():
    known = {
        "q8-p05": ("quantize-prune", 8), "p50": ("prune", None), "q6": ("quantize", 6), "odd": ("prune", None),
        "p05": ("prune", None), "fp32": ("", None), "q16": ("quantize", 16), "q8": ("quantize", 8),
        "s50": ("sparsify", None), "s05": ("sparsify", None),
    }  # fmt: skip
    expected = ["fp32", "odd", "p05", "p50", "q16", "q8", "q6", "s05", "s50", "q8-p05"]
    assert sorted(known, key=lambda name: rank(name, *known[name])) == expected


def test_variants_are_told_apart_by_their_methods_whatever_they_are_called():
    facts = {"half": ("prune",), "nothing": ("prune",), "p8": ("quantize",), "half-p8": ("prune", "quantize")}
    lost = {"half": 0.5, "nothing": 0.0, "half-p8": 0.5}
    rows = pd.DataFrame(
        {"variant": lost.keys(), "metric": "filters_removed", "unit": "fraction", "value": lost.values()}
    )
    sizes = pd.DataFrame({"variant": ["fp32", "p8"], "metric": "size", "unit": "byte", "value": 8.0})
    known = [StudyVariant(name=name, methods=of, bits=8 if "quantize" in of else None) for name, of in facts.items()]
    table = aggregate(
        [Part("tiny", "vgg_16", "zoo", part.assign(basis="measured")) for part in (rows, sizes)], [*known, *VARIANTS]
    )
    assert made_by(table, "prune") == ["half", "nothing"]
    assert made_by(table, "quantize") == ["p8"]
    assert (controls(table), chains(table)) == (["nothing"], ["half-p8"])
    assert variants(table) == ["fp32", "half", "nothing", "p8", "half-p8"]


def test_options_stand_in_the_table_and_variants_with_them_come_after_the_papers():
    options = {"q4": None, "best4": "range mse", "mean": "5.5 bits on average", "q6": None}
    bits = {"q4": 4, "best4": 4, "mean": None, "q6": 6}
    known = [
        StudyVariant(name=name, methods=("quantize",), bits=bits[name], granularity="channel", options=told)
        for name, told in options.items()
    ]
    sizes = pd.DataFrame({"variant": ["fp32", *options], "metric": "size", "unit": "byte", "value": 8.0})
    table = aggregate([Part("tiny", "vgg_16", "zoo", sizes.assign(basis="measured"))], [*known, *VARIANTS[:1]])
    assert variants(table) == ["fp32", "best4", "mean", "q6", "q4"]
    assert made_by(table, "quantize") == ["q6", "q4", "best4", "mean"]
    facts = table.set_index("variant")
    assert facts["options"].dropna().to_dict() == {"best4": "range mse", "mean": "5.5 bits on average"}
    assert facts["bits"].dropna().to_dict() == {"q4": 4, "best4": 4, "q6": 6}


def test_a_selection_holds_one_value_of_a_variant(study):
    rows = select(study, *METRICS, arithmetic=ONCE)
    assert not rows.duplicated(["model", "variant", "metric"]).any()
    assert {"bleu", "size", "latency"} <= set(rows["metric"])
    assert set(rows["arithmetic"].dropna()) == {FLOAT, ONCE}


def test_the_runtime_that_others_are_compared_with_is_the_first(both):
    assert runtimes(both) == ["tensorflow", "litert"]
    turned = both.assign(
        across=both["across"].where(both["runtime"] == "litert", 1.0).mask(both["runtime"] == "litert")
    )
    assert runtimes(turned) == ["litert", "tensorflow"]
    assert list(by_runtime(both.assign(runtime=None))) == [None]


def test_the_rows_of_a_runtime_leave_out_variants_of_others_but_keep_reasons(study, both):
    alone = of_runtime(both, "tensorflow").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, study, check_dtype=False)
    litert = of_runtime(both, "litert")
    assert "q16" not in set(litert["variant"])
    refused = litert[litert["model"].eq("gnmt") & litert["variant"].eq("i8")]
    assert (refused["basis"] == "unavailable").all() and len(refused) > 0


def test_a_selection_has_the_only_arithmetic_of_a_variant(both):
    rows = select(of_runtime(both, "litert"), "latency", arithmetic=EVERY_INFERENCE)
    assert set(rows.loc[rows["value"].notna(), "arithmetic"]) == {FLOAT, ONCE, INTEGER}


def test_sizes_are_those_of_the_runtime_of_the_first_device():
    compiled = artifact_rows(ARTIFACT.assign(size=[500, 95]))
    parts = [replace(SIZES, runtime="tensorflow"), replace(SIZES, rows=compiled, runtime="a"), LATENCY]
    parts.append(replace(LATENCY, device="phone", runtime="a"))
    table = aggregate(parts, VARIANTS)
    for rows in (select(table, "size", "latency", arithmetic=ONCE), select(table, "size", arithmetic=ONCE)):
        assert set(rows["runtime"]) == {"tensorflow"}
    assert whole(table, "size").set_index("variant")["value"].to_dict() == {"fp32": 1000, "q6": 190}


nan = float("nan")
NONE = (nan, nan, nan)
COMPARED = pd.DataFrame(
    [
        ("latency", "ms", (1.2, 1.1, 1.3), NONE, (1.2, 1.1, 1.3), True),
        ("latency", "ms", (1.2, 0.9, 1.5), NONE, (1.2, 0.9, 1.5), False),
        ("latency", "ms", (1.2, nan, nan), NONE, (1.2, nan, nan), False),
        ("latency", "ms", NONE, NONE, NONE, False),
        ("top1", "fraction", (0.9, 1.1, 1.2), (-0.02, -0.03, 0.0), (-2.0, -3.0, 0.0), False),
        ("top1", "fraction", (0.9, 0.9, 1.1), (-0.02, -0.03, -0.01), (-2.0, -3.0, -1.0), True),
        ("bleu", "score", NONE, (1.5, 0.5, 2.5), (1.5, 0.5, 2.5), True),
        ("size", "byte", (0.5, nan, nan), NONE, (0.5, nan, nan), True),
        ("size", "byte", (1.0, nan, nan), NONE, (1.0, nan, nan), False),
    ],
    columns=["metric", "unit", "ratio", "change", "shown", "clear"],
)


def test_a_difference_is_clear_where_its_paired_interval_excludes_no_change():
    ends = ("", "_low", "_high")
    rows = COMPARED[["metric", "unit"]].assign(
        **{f"{name}{end}": COMPARED[name].str[at] for name in ("ratio", "change") for at, end in enumerate(ends)}
    )
    assert is_clear(rows).tolist() == COMPARED["clear"].tolist()
    shown = as_shown(rows)[[f"shown{end}" for end in ends]]
    np.testing.assert_allclose(shown, COMPARED["shown"].tolist())
