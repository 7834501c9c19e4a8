"""From samples with a known answer to rows of the study's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_session import FP32, Q8, latency

from tocompress.measurement.estimate import Condition
from tocompress.measurement.summary import memory_rows, operation_rows, time_rows, unavailable_rows
from tocompress.schemas.study import STUDY
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER

I8: Condition = ("i8", INTEGER)
GENERATIONS = 6
SECONDS = {FP32: [[0.001, 0.001]] * GENERATIONS, Q8: [[0.002]] * GENERATIONS}


def sentences(factor: float = 1.0) -> pd.DataFrame:
    """Return the table `latency` of sentences of 2 and 6 tokens, which take 2 and 6 ms, and q8 twice as long."""
    table = latency(SECONDS, {"s0": 2.0, "s1": 6.0}, tokens={"s0": 2, "s1": 6})
    return table.assign(duration_s=factor * table["duration_s"])


def loading(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table `loading`, in which each process takes a hundred times as long as for its first token."""
    first = table[table["round"] == 0]
    return first[["variant", "arithmetic", "generation", "process", "processor_s"]].assign(
        duration_s=10 * first["duration_s"]
    )


def rows_of(table: pd.DataFrame, quantile: float = 0.5, **options: float) -> pd.DataFrame:
    return time_rows(table, loading(table), quantile, **options)


def row(rows: pd.DataFrame, metric: str, condition: Condition, label: str | None = None) -> pd.Series:
    of_label = rows["label"].isna() if label is None else rows["label"] == label
    (place,) = np.flatnonzero(
        (rows["metric"] == metric) & (rows["variant"] == condition[0]) & (rows["arithmetic"] == condition[1]) & of_label
    )
    return rows.iloc[place]


@pytest.mark.parametrize(
    ("metric", "label", "unit", "of_fp32"),
    [
        ("latency", None, "ms", 4.0),
        ("latency", "s1", "ms", 6.0),
        ("latency_per_token", None, "ms", 1.0),
        ("latency_per_token", "s0", "ms", 1.0),
        ("processor_time", None, "ms", 8.0),
        ("first_inference", None, "ms", 20.0),
        ("load", None, "ms", 200.0),
    ],
)
def test_times_are_of_all_inputs_and_of_each(metric: str, label: str | None, unit: str, of_fp32: float) -> None:
    rows = rows_of(sentences())
    ours, itself = row(rows, metric, Q8, label), row(rows, metric, FP32, label)
    assert itself[["value", "low", "high"]].tolist() == pytest.approx([of_fp32] * 3)
    assert ours[["value", "low", "high"]].tolist() == pytest.approx([2 * of_fp32] * 3)
    assert ours[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([2.0] * 3)
    assert itself[["ratio", "ratio_low", "ratio_high"]].tolist() == [1.0] * 3
    assert (ours["unit"], ours["level"], ours["basis"], ours["processes"]) == (unit, 0.95, "measured", GENERATIONS)
    assert itself["processes"] == 2 * GENERATIONS
    assert ours["settled"] and ours["ratio_settled"] and itself["settled"]
    assert itself["ratio_settled"] is None
    assert pd.isna(ours["reason"]) and pd.isna(itself["reason"])


def test_the_runs_behind_a_value_are_counted() -> None:
    rows = rows_of(sentences())
    assert [row(rows, "latency", Q8, label)["n"] for label in (None, "s0")] == [8 * GENERATIONS, 4 * GENERATIONS]
    assert row(rows, "load", FP32)["n"] == 2 * GENERATIONS


def test_throughput_is_of_each_batch_and_above_one_where_it_is_faster() -> None:
    """A batch of 8 takes four times as long as one input."""
    table = pd.concat([latency(SECONDS), latency(SECONDS, {"i0x8": 4.0}, batch=8)], ignore_index=True)
    rows = rows_of(table)
    for label, per_second in (("1", 1000.0), ("8", 2000.0)):
        assert row(rows, "throughput", FP32, label)["value"] == pytest.approx(per_second)
        ours = row(rows, "throughput", Q8, label)
        assert ours[["value", "ratio"]].tolist() == pytest.approx([per_second / 2, 0.5])
        assert ours["unit"] == "1/s"
    assert row(rows, "latency", FP32)["value"] == pytest.approx(1.0)
    assert set(rows.loc[rows["metric"] == "latency", "label"].dropna()) == {"i0"}


def test_a_quantile_of_the_runs_is_the_time() -> None:
    table = latency(SECONDS, slices=((1.0, 2.0), (3.0, 4.0, 100.0)))
    found = {quantile: row(rows_of(table, quantile), "latency", FP32)["value"] for quantile in (0.5, 0.1)}
    assert found == pytest.approx({0.5: 3.0, 0.1: 1.4})


def test_a_row_tells_why_it_is_not_settled() -> None:
    changing = {condition: [[s * 1.05**g for s in times[g]] for g in range(6)] for condition, times in SECONDS.items()}
    rows = rows_of(latency(changing))
    slow, ratio = row(rows, "latency", Q8), row(rows, "throughput", Q8, "1")
    assert not slow["settled"] and slow["ratio_settled"]
    assert slow["reason"] == "time: not stationary: 24 % higher at the end of the session"
    assert ratio["reason"] == "time: not stationary: 24 % lower at the end of the session"
    assert row(rows_of(latency(changing), target=0.6), "latency", Q8)["settled"]

    noisy = latency(SECONDS | {Q8: [[0.001 * factor] for factor in (1, 2, 1, 2, 1, 2)]})
    wide = row(rows_of(noisy), "latency", Q8)
    assert not wide["settled"] and not wide["ratio_settled"]
    assert wide["reason"].startswith("time: interval of ±4") and "; ratio: interval of ±" in wide["reason"]


def test_rows_scale_with_time_and_do_not_depend_on_the_order_of_samples() -> None:
    table = sentences(np.random.default_rng(1).uniform(0.9, 1.1, len(sentences())))
    keys = ["metric", "label", "variant", "arithmetic"]
    rows = rows_of(table).sort_values(keys, ignore_index=True)
    scaled = sentences(8).assign(duration_s=8 * table["duration_s"], processor_s=8 * table["processor_s"])
    again = rows_of(scaled.sample(frac=1, random_state=1)).sort_values(keys, ignore_index=True)
    factor = np.where(rows["metric"] == "throughput", 1 / 8, 8)
    times = ["value", "low", "high"]
    pd.testing.assert_frame_equal(again.assign(**again[times].div(factor, axis=0)), rows)


def test_one_generation_gives_a_value_without_an_interval() -> None:
    rows = rows_of(sentences().query("generation == 1"))
    assert rows["value"].notna().all()
    assert rows["low"].isna().all() and not rows["settled"].any()
    of_q8 = rows[rows["variant"] == "q8"]
    assert of_q8["ratio"].notna().all() and of_q8["ratio_low"].isna().all() and not of_q8["ratio_settled"].any()


def test_images_have_no_tokens_and_without_fp32_there_is_no_ratio() -> None:
    rows = rows_of(latency({Q8: SECONDS[Q8]}))
    assert set(rows["metric"]) == {"latency", "throughput", "processor_time", "load", "first_inference"}
    assert rows["value"].notna().all()
    assert rows[["ratio", "ratio_settled"]].isna().to_numpy().all()


def memory_table(fp32: list[int], q8: list[int], control: list[int]) -> pd.DataFrame:
    """Return the table `memory` with the last phase by generation. The peaks before are three times as much over it.

    The two processes of fp32 hold one byte more and one less.
    """
    rows = []
    for generation, (a, b, c) in enumerate(zip(fp32, q8, control, strict=True), start=1):
        for condition, last in ((FP32, a - 1), (FP32, a + 1), (Q8, b), (("control", None), c)):
            peaks = {"start": c, "loaded": c + 2 * (last - c), "first": c + 3 * (last - c), "last": last}
            rows += [(*condition, generation, len(rows), phase, peak) for phase, peak in peaks.items()]
    columns = ["variant", "arithmetic", "generation", "process", "phase", "vm_hwm"]
    table = pd.DataFrame(rows, columns=columns).assign(rss=0, pss=0, uss=0)
    return table.assign(process=table["process"] // 4)


def test_memory_is_the_peak_over_the_control_of_the_same_generation() -> None:
    rows = memory_rows(memory_table(fp32=[1100, 2100, 3100], q8=[1025, 2025, 3025], control=[1000, 2000, 3000]))
    assert set(rows["variant"]) == {"fp32", "q8"}
    inferring = row(rows, "memory", Q8)
    assert inferring[["value", "low", "high", "ratio"]].tolist() == pytest.approx([25.0, 25.0, 25.0, 0.25])
    assert inferring["settled"] and inferring["ratio_settled"]
    assert row(rows, "memory", FP32, "loading")["value"] == 300.0
    assert [row(rows, "memory", condition)["n"] for condition in (FP32, Q8)] == [6, 3]
    assert row(rows, "memory", FP32)["ratio_settled"] is None


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
        {
            "variant": variant,
            "arithmetic": FLOAT if variant == "fp32" else EVERY_INFERENCE,
            "run": run,
            "operation_class": name,
            "duration_s": 1e-3 * time,
        }
        for (variant, run), times in seconds.items()
        for name, time in zip(("convolution", "dequantization", "activation"), times, strict=True)
        if time
    ]
    found = operation_rows(pd.DataFrame(rows).assign(operation="layer", type="Conv2D", integer=False))
    shares = found[found["metric"] == "operation_share"]
    assert shares.groupby("variant")["value"].sum().to_dict() == pytest.approx({"fp32": 1.0, "q8": 1.0})
    assert set(found.loc[found["metric"] == "integer_share", "value"]) == {0.0}
    assert row(shares, "operation_share", FP32, "dequantization")["value"] == 0.0
    assert row(shares, "operation_share", Q8, "dequantization")["value"] == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert set(shares["n"]) == {2}


def test_classes_that_stay_in_floats_beside_integers_are_named() -> None:
    kinds = {"convolution": [True, True], "pooling": [False, True], "activation": [False], "dequantization": [False]}
    rows = [
        {
            "variant": variant,
            "arithmetic": mode,
            "run": run,
            "operation_class": name,
            "integer": flag and mode == INTEGER,
        }
        for variant, mode in (("fp32", FLOAT), ("i8", INTEGER))
        for run in (1, 2)
        for name, flags in kinds.items()
        for flag in flags
    ]
    table = operation_rows(pd.DataFrame(rows).assign(operation="layer", type="CONV_2D", duration_s=1e-3))
    shares = table[table["metric"] == "integer_share"].set_index(["variant", "label"])["value"]
    assert shares["i8"].to_dict() == pytest.approx({"count": 0.5, "time": 0.5, "pooling": 0.5, "activation": 0.0})
    assert shares["fp32"].to_dict() == {"count": 0.0, "time": 0.0}


def profile(variant: str, operations: Sequence[tuple[float | None, bool]], run: int = 1) -> pd.DataFrame:
    """Return the rows of a profiled run by the seconds of its operations, and whether they compute in integers."""
    columns = {"duration_s": [time for time, _ in operations], "integer": [integer for _, integer in operations]}
    table = pd.DataFrame(columns).assign(variant=variant, arithmetic=FLOAT if variant == "fp32" else INTEGER, run=run)
    table["duration_s"] = table["duration_s"].astype(float)
    return table.assign(operation="layer", type="Conv2D", operation_class="convolution")


def test_operations_in_integers_are_told_by_their_time_and_number() -> None:
    runs = [profile("i8", [(9e-3, True), (0.5e-3, False), (0.5e-3, True)]), profile("i8", [(1e-3, False)] * 2, run=2)]
    rows = operation_rows(pd.concat([*runs, profile("fp32", [(1e-3, False)])], ignore_index=True))
    shares = rows[rows["metric"] == "integer_share"].set_index(["variant", "label"])["value"]
    assert shares.to_dict() == pytest.approx(
        {("i8", "time"): 0.95 / 2, ("i8", "count"): 1 / 3, ("i8", "convolution"): 2 / 5}
        | {("fp32", "time"): 0.0, ("fp32", "count"): 0.0}
    )
    assert set(rows["basis"]) == {"measured"}


TOO_SHORT = "operations are too short for the runtime's clock"


@pytest.mark.parametrize("others", [[], [profile("fp32", [(1e-3, False)])]], ids=["all", "one of two"])
def test_operations_shorter_than_the_clock_tells_have_a_number_and_no_time(others: list[pd.DataFrame]) -> None:
    rows = operation_rows(pd.concat([profile("i8", [(None, True), (None, False)]), *others], ignore_index=True))
    assert row(rows, "integer_share", I8, "count")["value"] == 0.5
    for unknown in (row(rows, "operation_share", I8), row(rows, "integer_share", I8, "time")):
        assert (unknown["basis"], unknown["reason"]) == ("unavailable", TOO_SHORT)
    assert set(rows.loc[rows["variant"] == "fp32", "basis"]) <= {"measured"}


def test_one_run_that_the_clock_tells_is_enough() -> None:
    runs = [profile("i8", [(None, True), (None, False)]), profile("i8", [(3e-3, True), (1e-3, False)], run=2)]
    rows = operation_rows(pd.concat(runs, ignore_index=True))
    assert set(rows["basis"]) == {"measured"}
    assert row(rows, "integer_share", I8, "time")[["value", "n"]].tolist() == [0.75, 1]
    assert row(rows, "operation_share", I8, "convolution")["n"] == 1


# --- a ratio across runtimes ------------------------------------------------------------------------------------------


def other_times(factors: Sequence[float]) -> dict[Condition, list[list[float]]]:
    """Return seconds of another runtime, a quarter of this one's, in generations of these factors."""
    seconds = {FP32: 0.00025, Q8: 0.000125}
    return {condition: [[factor * time] for factor in factors] for condition, time in seconds.items()}


def test_a_ratio_across_runtimes_is_to_fp32_of_the_first_in_the_same_generations() -> None:
    """The machine slows by half in every other generation, for both runtimes alike, so the ratio has no spread."""
    factors = [1.0, 1.5] * 3
    first = latency({FP32: [[0.001 * factor] * 2 for factor in factors]}, {"i0": 1.0, "i1": 3.0})
    there = latency(other_times(factors), {"i0": 1.0, "i1": 3.0}, runtime="litert")
    rows = time_rows(there, loading(there), 0.5, first=first)
    for condition, ratio in ((FP32, 0.25), (Q8, 0.125)):
        told = row(rows, "latency", condition)
        assert told[["across", "across_low", "across_high"]].tolist() == pytest.approx([ratio] * 3)
    assert row(rows, "latency", Q8)["ratio"] == pytest.approx(0.5)
    others = rows[(rows["metric"] != "latency") | rows["label"].notna()]
    assert others[["across", "across_low", "across_high"]].isna().to_numpy().all()


def test_a_ratio_across_runtimes_rests_on_the_generations_of_both() -> None:
    noisy = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]
    first = latency({FP32: [[0.001] * 2] * 6})
    there = latency(other_times(noisy), runtime="litert")
    short = there[(there["variant"] == "fp32") | (there["generation"] <= 3)]
    rows = time_rows(short, loading(short), 0.5, first=first)
    told = row(rows, "latency", Q8)
    assert told["across"] == pytest.approx(0.125 * np.prod(noisy[:3]) ** (1 / 3))
    assert told["across_low"] < told["across"] < told["across_high"]


def test_without_another_runtime_there_is_no_ratio_across() -> None:
    assert rows_of(sentences())[["across", "across_low", "across_high"]].isna().to_numpy().all()


def test_all_rows_fit_the_study(tmp_path: Path) -> None:
    power = unavailable_rows(sentences(), "power", "no power sensor on host")
    assert power.groupby("metric").size().to_dict() == {"power_mean": 2, "power_peak": 2, "energy": 2}
    assert power["value"].isna().all()
    assert set(power["reason"]) == {"no power sensor on host"}
    rows = pd.concat([rows_of(sentences()), power, memory_rows(memory_table([3, 3], [2, 2], [1, 1]))])
    write_table(tmp_path / "study.parquet", STUDY, rows.reindex(columns=STUDY.names))
