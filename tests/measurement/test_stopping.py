"""The stopping rule and the diagnosis, in simulation: how often what they say is true."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from tocompress.measurement.statistics import between_processes, ratio_interval
from tocompress.measurement.stopping import Rule, diagnose, unfinished
from tocompress.schemas.benchmark import RECORDED
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import ONCE

LENGTHS = np.array([1.0, 1.2, 1.5])  # of the inputs
RUNS = 90  # of a process: 30 rotations

Noise = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def independent(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.normal(1, 0.1, shape)


def interrupted(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.normal(1, 0.05, shape) * np.where(random.random(shape) < 0.05, 3, 1)


def autocorrelated(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Rows are AR(1) series of coefficient 0.8 and standard deviation 0.15, in their stationary state."""
    shocks = random.normal(0, 0.15 * np.sqrt(1 - 0.8**2), shape)
    shocks[:, 0] /= np.sqrt(1 - 0.8**2)
    return 1 + signal.lfilter([1], [1, -0.8], shocks)


def processes(random: np.random.Generator, count: int, noise: Noise) -> np.ndarray:
    """Seconds of the runs of `count` processes, whose levels differ by 1.5 %: [count, RUNS], inputs in rotation."""
    levels = random.normal(1, 0.015, (count, 1))
    return 1e-3 * levels * noise(random, (count, RUNS)) * np.resize(LENGTHS, RUNS)


def table(seconds: np.ndarray, variants: list[str], process: int, start_s: int) -> pd.DataFrame:
    """One process of each variant; the table `latency` but for the columns that nothing here reads."""
    count, runs = seconds.shape
    return pd.DataFrame(
        {
            "variant": np.repeat(variants, runs),
            "arithmetic": ONCE,
            "input_id": np.tile([f"image{run % len(LENGTHS)}" for run in range(runs)], count),
            "process": process,
            "start_s": float(start_s) + np.arange(count * runs),
            "duration_s": seconds.ravel(),
            "warmup": False,
        }
    )


def session(
    random: np.random.Generator,
    change: float = 0.0,
    noise: Noise = independent,
    variants: tuple[str, ...] = ("fp32", "q8"),
) -> pd.DataFrame:
    """Five processes of each variant, on a machine whose times change linearly by `change` in all."""
    count = len(variants)
    parts = [table(processes(random, count, noise), [*variants], 1 + i, count * RUNS * i) for i in range(5)]
    whole = pd.concat(parts, ignore_index=True)
    return whole.assign(duration_s=whole["duration_s"] * (1 + change * whole.index / len(whole)))


def measured_until_finished(random: np.random.Generator, trials: int, noise: Noise, most: int) -> pd.DataFrame:
    """Process medians [process, trial] of as many conditions, each measured until the rule is content; else NaN."""
    latency, medians, open_ones = pd.DataFrame(), np.full((most, trials), np.nan), np.arange(trials)
    for process in range(most):
        seconds = processes(random, len(open_ones), noise)
        medians[process, open_ones] = np.median(seconds, axis=1)
        names = [f"v{trial}" for trial in open_ones]
        latency = pd.concat([latency, table(seconds, names, process + 1, process * trials * RUNS)])
        if process + 1 >= Rule().minimum_processes:
            open_ones = np.array(sorted(int(variant[1:]) for variant, _ in unfinished(latency, Rule())), dtype=int)
            latency = latency[latency["variant"].isin([f"v{trial}" for trial in open_ones])]
    return medians


@pytest.mark.parametrize("noise", [independent, interrupted, autocorrelated])
def test_intervals_after_the_rule_hold_the_truth_and_ratios_of_a_thing_to_itself_hold_one(noise: Noise) -> None:
    random = np.random.default_rng(5)
    truth = np.median(processes(random, 20_000, noise), axis=1).mean()
    medians = measured_until_finished(random, 1000, noise, most=15)
    intervals = [between_processes(observed[~np.isnan(observed)]) for observed in medians.T]
    assert np.mean([low is not None and low <= truth <= high for _, low, high in intervals]) >= 0.9
    # The rule, not the most processes, ended most of them.
    assert np.mean(np.isnan(medians[-1])) > 0.5

    pairs = [pair[:, ~np.isnan(pair).any(axis=0)] for pair in medians.T.reshape(500, 2, -1)]
    ratios = [ratio_interval(first, second) for first, second in pairs]
    assert np.mean([low is not None and low <= 1 <= high for _, low, high in ratios]) >= 0.9


def test_a_condition_is_finished_when_processes_samples_and_every_interval_are() -> None:
    random = np.random.default_rng(1)
    latency = session(random, variants=("fp32", "q16", "q8"))
    q8, last = latency["variant"] == "q8", latency["process"] == 5
    every = {("fp32", ONCE), ("q16", ONCE), ("q8", ONCE)}
    assert unfinished(latency, Rule()) == set()
    assert unfinished(latency[~(q8 & last)], Rule()) == {("q8", ONCE)}
    assert unfinished(latency, Rule(minimum_samples=150)) == set()
    assert unfinished(latency, Rule(minimum_samples=151)) == every
    assert unfinished(latency, Rule(target=0.001)) == every

    one_input = q8 & (latency["input_id"] == "image1")
    wild = latency.assign(duration_s=latency["duration_s"].where(~one_input, 1e-3 * random.lognormal(0, 1, len(q8))))
    assert unfinished(wild, Rule()) == {("q8", ONCE)}
    assert unfinished(wild.assign(warmup=one_input & (wild.groupby("process").cumcount() > 0)), Rule()) == set()


def test_a_condition_that_scatters_does_not_hold_up_the_others() -> None:
    latency = session(np.random.default_rng(1), variants=("fp32", "q16", "q8"))
    of_levels = np.array([1.0, 1.2, 0.8, 1.1, 0.9])[latency["process"] - 1]
    q8 = latency["variant"] == "q8"
    wild = latency.assign(duration_s=latency["duration_s"].where(~q8, 1e-3 * of_levels))
    assert unfinished(wild, Rule()) == {("q8", ONCE)}


def scattered(random: np.random.Generator, spread: float, count: int) -> pd.DataFrame:
    """Eighteen conditions of `count` processes; the samples of a process are equal, so that only processes differ."""
    variants = [f"v{number}" for number in range(18)]
    levels = 1e-3 * np.repeat(random.normal(1, spread, (count, 18, 1)), 6, axis=2)
    parts = [table(level, variants, 1 + process, 108 * process) for process, level in enumerate(levels)]
    return pd.concat(parts, ignore_index=True).assign(input_id="image0")


def test_processes_that_agree_by_luck_settle_nothing_in_a_session_that_scatters() -> None:
    """At a spread of 10 %, the intervals of those that their own width lets pass hold the truth three times in four."""
    random = np.random.default_rng(6)
    for _ in range(5):
        assert len(unfinished(scattered(random, 0.1, 5), Rule())) == 18
        rows = diagnose(scattered(random, 0.1, 8))
        assert not rows["converged"].any()
        assert (rows["usual_width"] > 0.05).all()
    lucky = rows[rows["process_width"] < 0.05]
    assert lucky["reason"].str.fullmatch(r"interval of ±\d\.\d % after 8 processes of the session's usual spread").all()
    assert unfinished(scattered(random, 0.02, 5), Rule()) == set()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3), later=st.integers(-1000, 10**6))
def test_verdicts_depend_on_neither_the_unit_nor_the_moment_nor_the_order_of_rows(
    seed: int, factor: float, later: int
) -> None:
    random = np.random.default_rng(seed)
    latency = session(random, change=random.choice([0.0, 0.2]))
    other = latency.assign(
        duration_s=factor * latency["duration_s"], start_s=latency["start_s"] + later
    ).sample(frac=1, random_state=seed)  # fmt: skip
    keys, seconds = ["variant", "input_id"], ["median_s", "p90_s", "p99_s"]
    rows, again = (diagnose(table).sort_values(keys, ignore_index=True) for table in (latency, other))
    pd.testing.assert_frame_equal(again.assign(**again[seconds] / factor), rows)
    assert rows["effective_n"].between(0, rows["n"]).all()
    for target in (0.005, 0.02, 0.05):
        assert unfinished(other, Rule(target=target)) == unfinished(latency, Rule(target=target))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_a_laxer_rule_finishes_no_later(seed: int) -> None:
    latency = session(np.random.default_rng(seed))
    targets = (0.005, 0.01, 0.015, 0.02, 0.03)
    remaining = [unfinished(latency, Rule(target=target)) for target in targets]
    assert all(laxer <= stricter for stricter, laxer in pairwise(remaining))
    assert unfinished(latency, Rule(minimum_processes=6)) == remaining[0] | {("fp32", ONCE), ("q8", ONCE)}


def test_rare_interruptions_widen_the_interval_by_batches_not_the_one_by_ranks() -> None:
    rows = diagnose(session(np.random.default_rng(2), noise=interrupted)).set_index(["variant", "input_id"])
    row = rows.loc["fp32", "image0"]
    assert row["rank_width"] < 0.02
    assert row["batch_width"] > 0.05
    assert not row["converged"]
    assert row["reason"] == f"interval by batch means of ±{100 * row['batch_width']:.1f} % after 150 samples"
    assert row["p99_s"] > 2 * row["p90_s"]


def diagnosed(change: float, trials: int) -> list[pd.DataFrame]:
    random = np.random.default_rng(3)
    return [diagnose(session(random, change, variants=("fp32", "q16", "q8", "q6"))) for _ in range(trials)]


def test_a_drifting_session_is_not_stationary_and_a_steady_one_is() -> None:
    for rows in diagnosed(0.2, 30):
        assert not rows["stationary"].any()
        assert not rows["converged"].any()
        assert rows["session_drift"].between(0.1, 0.25).all()
        assert rows["reason"].str.fullmatch(r"not stationary: [12]\d % slower at the end of the session").all()
    assert np.mean([rows["stationary"].all() for rows in diagnosed(0.0, 30)]) >= 0.95


def test_a_block_that_goes_on_warming_up_is_not_stationary() -> None:
    latency = session(np.random.default_rng(4))
    warming = 1 + 0.2 * np.exp(-latency.groupby(["variant", "process"]).cumcount() / 30)
    rows = diagnose(latency.assign(duration_s=latency["duration_s"] * warming))
    assert not rows["stationary"].any()
    assert rows["drift_within"].between(-0.2, -0.05).all()
    assert (rows["session_drift_p"] > 0.01).all()
    assert rows["reason"].str.fullmatch(r"not stationary: 1\d % faster at the end of a block").all()


def test_autocorrelation_is_of_the_machine_not_of_inputs_of_different_length() -> None:
    random = np.random.default_rng(7)

    def of_all_inputs(noise: Noise) -> pd.Series[Any]:
        rows = diagnose(session(random, noise=noise))
        return rows[rows["input_id"].isna()].iloc[0]

    steady, alike = of_all_inputs(independent), of_all_inputs(autocorrelated)
    assert abs(steady["autocorrelation"]) < 0.15
    assert alike["autocorrelation"] == pytest.approx(0.75, abs=0.15)
    assert alike["effective_n"] < 0.3 * alike["n"] < 0.3 * steady["n"] + 1
    assert steady["effective_n"] > 0.7 * steady["n"]


def test_what_too_few_samples_leave_open_is_null_and_not_converged(tmp_path: Path) -> None:
    latency = session(np.random.default_rng(8))
    rows = diagnose(latency[(latency["process"] == 1) & (latency.groupby(["variant", "process"]).cumcount() < 6)])
    write_table(tmp_path / "diagnostics.parquet", RECORDED["diagnostics"], rows)
    assert len(rows) == 2 * (1 + 3)
    unknown = ["rank_width", "process_width", "autocorrelation", "effective_n", "drift", "drift_p", "drift_within"]
    assert rows[unknown].isna().to_numpy().all()
    assert set(rows["reason"]) == {"no interval after 1 process"}
    assert not rows["converged"].any()
    of_inputs = diagnose(latency[latency.groupby(["variant", "process"]).cumcount() < 3]).dropna(subset="input_id")
    assert of_inputs["process_width"].notna().all()
    assert of_inputs["rank_width"].isna().all()  # five samples


def test_the_rule_is_asked_of_a_hundred_thousand_runs_in_a_fifth_of_a_second() -> None:
    random = np.random.default_rng(9)
    variants = [f"v{number}" for number in range(24)]
    latency = pd.concat([table(processes(random, 24, independent), variants, p, 10_000 * p) for p in range(1, 48)])
    assert len(latency) > 100_000

    def seconds() -> float:
        begin = time.process_time()
        unfinished(latency, Rule())
        return time.process_time() - begin

    assert min(seconds() for _ in range(3)) < 0.2
