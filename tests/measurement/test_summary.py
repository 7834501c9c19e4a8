"""From samples with a known answer to rows of the study's table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tocompress.measurement.summary import latency_rows, memory_rows, operation_rows, unavailable_rows
from tocompress.schemas.study import METRICS, STUDY
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, ONCE

MODES = (EVERY_INFERENCE, ONCE)


@pytest.fixture
def latency() -> pd.DataFrame:
    """q8 takes twice fp32 under `every_inference` and as long under `once`; the machine slows down by round."""
    rows = [
        {
            "variant": variant,
            "arithmetic": mode,
            "input_id": f"s{length}",
            "process": process,
            "order": 0,
            "duration_s": 1e-3 * length * process * (2 if (variant, mode) == ("q8", EVERY_INFERENCE) else 1) * noise,
            "tokens": length,
            "warmup": noise > 50,
        }
        for variant in ("fp32", "q8")
        for mode in MODES
        for process in (1, 2, 3)
        for length in (2, 6)
        for noise in (99.0, 1.0, 1.0, 1.0)
    ]
    return pd.DataFrame(rows).assign(start_s=lambda table: 1000.0 * table["process"] + table.index)


def row(rows: pd.DataFrame, **where: str | None) -> pd.Series:
    for column, value in where.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_latency_is_the_mean_of_process_medians_and_its_ratio_is_paired(latency: pd.DataFrame) -> None:
    rows = latency_rows(latency)
    overall = row(rows, metric="latency", label=None, variant="q8", arithmetic=EVERY_INFERENCE)
    # Medians over inputs of 2 and 6 ms: 4 ms times 1, 2, 3 by round, doubled.
    assert overall["value"] == pytest.approx(16.0)
    assert (overall["unit"], overall["n"], overall["processes"], overall["basis"]) == ("ms", 18, 3, "measured")
    assert overall["low"] == pytest.approx(16.0 - 4.302653 * 8 / np.sqrt(3))
    assert not overall["converged"]
    assert overall["reason"] == "not stationary: 102 % slower at the end of the session"
    # The slow-down of the machine is in both, so the ratio is sharp where the value is not.
    assert overall[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([2.0] * 3)
    longest = row(rows, metric="latency", label="s6", variant="fp32", arithmetic=ONCE)
    assert longest["value"] == pytest.approx(12.0)
    for mode in MODES:
        itself = row(rows, metric="latency", label=None, variant="fp32", arithmetic=mode)
        assert itself[["ratio", "ratio_low", "ratio_high"]].tolist() == [1.0] * 3


def test_rows_scale_with_time_and_do_not_depend_on_the_order_of_samples(latency: pd.DataFrame) -> None:
    random = np.random.default_rng(1)
    noisy = latency.assign(duration_s=latency["duration_s"] * random.uniform(0.9, 1.1, len(latency)))
    keys, times = ["metric", "label", "variant", "arithmetic"], ["value", "low", "high"]
    rows = latency_rows(noisy).sort_values(keys, ignore_index=True)
    other = noisy.assign(duration_s=8 * noisy["duration_s"]).sample(frac=1, random_state=1)
    again = latency_rows(other).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(again.assign(**again[times] / 8), rows)


def test_latency_per_token_is_there_for_translations_only(latency: pd.DataFrame) -> None:
    rows = latency_rows(latency)
    per_token = row(rows, metric="latency_per_token", label=None, variant="fp32", arithmetic=ONCE)
    assert per_token["value"] == pytest.approx(2.0)
    images = latency_rows(latency.assign(tokens=pd.array([None] * len(latency), dtype="Int64")))
    assert set(images["metric"]) == {"latency"}


def test_one_process_gives_a_value_without_an_interval(latency: pd.DataFrame) -> None:
    rows = latency_rows(latency[latency["process"] == 1])
    assert rows["value"].notna().all()
    assert rows[["low", "high", "ratio_low", "ratio_high"]].isna().to_numpy().all()
    assert not rows["converged"].any()


def test_a_row_that_did_not_converge_says_why_and_the_others_say_nothing(latency: pd.DataFrame) -> None:
    levels = pd.Series({1: 0.97, 2: 1.06, 3: 0.97})
    steady = latency.assign(duration_s=1e-3 * latency["tokens"] * latency["process"].map(levels))
    for metric in ("latency", "latency_per_token"):
        rows = latency_rows(steady, target=0.2)
        overall = row(rows, metric=metric, label=None, variant="q8", arithmetic=ONCE)
        assert overall["converged"]
        assert pd.isna(overall["reason"])
        wide = row(latency_rows(steady), metric=metric, label=None, variant="q8", arithmetic=ONCE)
        assert not wide["converged"]
        assert wide["reason"] == "interval of ±12.9 % after 3 processes"
    few = steady.groupby(["variant", "arithmetic", "input_id", "process"]).head(2)
    of_input = row(latency_rows(few, target=0.2), metric="latency", label="s2", variant="q8", arithmetic=ONCE)
    assert of_input["reason"] == "no interval of the median by ranks after 3 samples"


def test_without_fp32_there_is_no_ratio(latency: pd.DataFrame) -> None:
    rows = latency_rows(latency[latency["variant"] == "q8"])
    assert rows["value"].notna().all()
    assert rows["ratio"].isna().all()


def memory_table(fp32: list[int], q8: list[int], control: list[int]) -> pd.DataFrame:
    """`last` as given by process; while loading, three times as much over the control."""
    rows = []
    for process, (a, b, c) in enumerate(zip(fp32, q8, control, strict=True), start=1):
        for variant, mode, last in (("fp32", ONCE, a), ("q8", ONCE, b), ("control", None, c)):
            peaks = {"start": c, "loaded": c + 2 * (last - c), "first": c + 3 * (last - c), "last": last}
            rows += [
                {"variant": variant, "arithmetic": mode, "process": process, "phase": phase, "vm_hwm": peak}
                for phase, peak in peaks.items()
            ]
    return pd.DataFrame(rows).assign(rss=0, pss=0, uss=0)


def test_memory_is_the_peak_over_the_control_of_the_same_round() -> None:
    rows = memory_rows(memory_table(fp32=[1100, 2100, 3100], q8=[1025, 2025, 3025], control=[1000, 2000, 3000]))
    assert set(rows["variant"]) == {"fp32", "q8"}
    inferring = row(rows, variant="q8", label=None)
    assert inferring[["value", "low", "high", "ratio"]].tolist() == pytest.approx([25.0, 25.0, 25.0, 0.25])
    assert inferring["converged"]
    assert row(rows, variant="fp32", label="loading")["value"] == 300.0


def test_memory_that_every_worker_takes_is_no_models() -> None:
    table = memory_table(fp32=[1100, 2130, 3120], q8=[1025, 2015, 3035], control=[1000, 2000, 3000])
    pd.testing.assert_frame_equal(memory_rows(table.assign(vm_hwm=table["vm_hwm"] + 4096)), memory_rows(table))


def test_memory_is_unavailable_where_the_kernel_does_not_tell_it() -> None:
    table = memory_table([2], [2], [1])
    rows = memory_rows(table.assign(vm_hwm=pd.array([None] * len(table), dtype="Int64")))
    assert set(rows["basis"]) == {"unavailable"}
    assert rows["value"].isna().all()
    assert rows["reason"].notna().all()


def test_operation_shares_add_up_to_one_and_a_class_that_does_not_occur_is_zero() -> None:
    seconds = {("fp32", 1): (3, 0, 1), ("fp32", 2): (3, 0, 1), ("q8", 1): (3, 1, 0), ("q8", 2): (3, 3, 0)}
    rows = [
        {"variant": variant, "arithmetic": ONCE, "run": run, "operation_class": name, "duration_s": 1e-3 * time}
        for (variant, run), times in seconds.items()
        for name, time in zip(("convolution", "arithmetic", "activation"), times, strict=True)
        if time
    ]
    shares = operation_rows(pd.DataFrame(rows).assign(operation="layer", type="Conv2D"))
    assert shares.groupby("variant")["value"].sum().to_dict() == pytest.approx({"fp32": 1.0, "q8": 1.0})
    assert row(shares, variant="fp32", label="dequantization")["value"] == 0.0
    assert row(shares, variant="q8", label="dequantization")["value"] == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert set(shares["n"]) == {2}


def test_all_rows_fit_the_study(latency: pd.DataFrame, tmp_path: Path) -> None:
    power = unavailable_rows(latency, "power", "no power sensor on host")
    assert len(power) == 3 * 2 * 2
    assert power["value"].isna().all()
    assert set(power["reason"]) == {"no power sensor on host"}
    rows = pd.concat([latency_rows(latency), power, memory_rows(memory_table([3, 3], [2, 2], [1, 1]))])
    study = rows.reindex(columns=STUDY.names)
    write_table(tmp_path / "study.parquet", STUDY, study)
    write_table(
        tmp_path / "metrics.parquet",
        METRICS,
        rows.drop(columns="arithmetic").assign(model="vgg", runtime="tensorflow"),
    )
