"""When a value is settled, what is measured on, and how often the intervals of settled values hold the truth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import settled
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_session import FP32, Q8, Q8_ONCE, latency
from scipy import stats

from tocompress.measurement.estimate import Condition
from tocompress.measurement.stopping import Rule, diagnose, still_open, verdicts
from tocompress.schemas.benchmark import RECORDED
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import ONCE

STEADY = np.resize([0.0, 0.01, -0.01], 6)
WILD = np.resize([0.3, -0.3], 6)  # deviations in each generation

OPEN_FP32, OPEN_Q8, OPEN_ONCE = (("tensorflow", *condition) for condition in (FP32, Q8, Q8_ONCE))


def log_times(**deviations: np.ndarray) -> pd.DataFrame:
    """Return log times [generation, condition] of conditions by these names."""
    names: dict[str, Condition] = {"fp32": FP32, "q8": Q8, "once": Q8_ONCE}
    columns = pd.MultiIndex.from_tuples([names[name] for name in deviations])
    return pd.DataFrame(np.column_stack([*deviations.values()]), columns=columns).rename(index=lambda row: row + 1)


def session(generations: int = 6, **deviations: np.ndarray) -> pd.DataFrame:
    """Return the table `latency` of such log times."""
    times = np.exp(log_times(**deviations))[:generations]
    return latency({condition: [[value] for value in column] for condition, column in times.items()})


def test_a_value_is_settled_if_both_of_its_half_widths_are_within_the_target() -> None:
    found = verdicts(log_times(fp32=STEADY, q8=STEADY[::-1]))
    assert all(verdict.reason is None for verdict in found.values())
    assert not found[FP32].is_compared and found[Q8].is_compared
    strict = verdicts(log_times(fp32=STEADY, q8=STEADY[::-1]), target=0.005)[Q8]
    assert (
        strict.reason == "time: interval of ±0.9 % after 6 generations; ratio: interval of ±0.9 % after 6 generations"
    )


def test_one_generation_settles_nothing() -> None:
    verdict = verdicts(log_times(fp32=STEADY[:1], q8=STEADY[:1]))[Q8]
    assert verdict.reason == "time: no interval after 1 generation; ratio: no interval after 1 generation"


def test_generations_that_agree_by_luck_settle_nothing_in_a_session_that_scatters() -> None:
    verdict = verdicts(log_times(fp32=STEADY, q8=STEADY, once=WILD))[Q8]
    assert verdict.time_widths["own"] == pytest.approx(0.009, abs=0.001)
    assert verdict.time_widths["likely"] == pytest.approx(0.22, abs=0.03)
    assert verdict.why_time_not == "interval at the session's largest likely spread of ±22.2 % after 6 generations"
    assert verdict.why_ratio_not is not None and "likely spread" in verdict.why_ratio_not


@pytest.mark.parametrize(("change", "direction"), [(0.03, "higher"), (-0.03, "lower")])
def test_a_machine_that_changed_unsettles_the_times_but_not_the_ratios(change: float, direction: str) -> None:
    changing = change * np.arange(6)
    found = verdicts(log_times(fp32=changing, q8=changing + STEADY / 2), target=0.1)
    for verdict in found.values():
        assert verdict.why_time_not is not None
        assert verdict.why_time_not.startswith("not stationary: 1")
        assert verdict.why_time_not.endswith(f" % {direction} at the end of the session")
        assert verdict.why_ratio_not is None
    little = verdicts(log_times(fp32=changing / 10, q8=changing / 10))
    assert all(verdict.reason is None for verdict in little.values())


# --- what takes part in another generation ----------------------------------------------------------------------------


def test_what_is_settled_is_not_measured_on() -> None:
    assert still_open(session(fp32=STEADY, q8=STEADY[::-1]), Rule(), more=10) == []
    assert still_open(session(fp32=STEADY, q8=STEADY[::-1]), Rule(target=0.008), more=10) == [OPEN_FP32, OPEN_Q8]


def test_a_condition_that_cannot_settle_is_given_up_while_others_can() -> None:
    scattering, rule = session(fp32=STEADY, q8=STEADY, once=WILD / 3), Rule(target=0.06)
    assert still_open(scattering, rule, more=20) == [OPEN_FP32, OPEN_Q8, OPEN_ONCE]
    assert still_open(scattering, rule, more=3) == [OPEN_FP32, OPEN_Q8]
    hopeless = session(fp32=WILD, q8=-WILD, once=WILD)
    assert set(still_open(hopeless, Rule(), more=1)) == {OPEN_FP32, OPEN_Q8, OPEN_ONCE}


def test_the_paper_s_rule_asks_for_the_time_of_each_input() -> None:
    paper = Rule(name="paper", minimum_samples=10)
    steady = {FP32: [[1.0, 1.0]] * 6, Q8: [[2.0]] * 6}
    slices = ((1.0, 1.01),) * 4
    table = latency(steady, {"i0": 1.0, "i1": 3.0}, slices)
    assert still_open(table, paper, more=9) == []
    assert still_open(table, Rule(name="paper", minimum_samples=49), more=9) == [OPEN_Q8]  # fp32 has twice as many

    of_q8 = table["variant"].eq("q8") & table["input_id"].eq("i1")
    noisy = table.assign(duration_s=table["duration_s"].where(~of_q8, np.resize([1.0, 9.0], len(table))))
    assert still_open(noisy, paper, more=9) == [OPEN_Q8]
    drifting = table.assign(duration_s=table["duration_s"] * 1.05 ** table["generation"])
    assert still_open(drifting, paper, more=9) == [OPEN_FP32, OPEN_Q8]


@pytest.mark.parametrize("rule", [Rule(), Rule(name="paper")], ids=["comparison", "paper"])
def test_each_runtime_is_judged_by_itself(rule: Rule) -> None:
    """One that scatters leaves nothing of the other open, though their conditions have the same names."""
    steady, scattering = session(fp32=STEADY, q8=STEADY[::-1]), session(fp32=WILD, q8=-WILD)
    both = pd.concat([steady, scattering.assign(runtime="litert")], ignore_index=True)
    assert still_open(both, rule, more=10) == [("litert", *FP32), ("litert", *Q8)]
    of_both = diagnose(both, rule).set_index("runtime")["settled"]
    assert of_both["tensorflow"].all() and not of_both["litert"].any()


# --- how often intervals of settled values hold the truth -------------------------------------------------------------


@pytest.mark.parametrize(("spread", "of_15", "of_4"), [(0.02, 40, 80), (0.05, 20, 40), (0.10, 6, 16), (0.15, 4, 8)])
def test_no_fewer_than_93_percent_of_settled_values_hold_the_truth(spread: float, of_15: int, of_4: int) -> None:
    """Up to chance, which `benchmarks/settled.py` leaves less of."""
    for conditions, sessions in ((15, of_15), (4, of_4)):
        for values in settled.simulate(conditions, spread, 0.0, sessions)[:2]:
            assert values.settled < settled.FEWEST or stats.binom.cdf(values.held, values.settled, 0.93) > 0.01


# --- the table of diagnostics -----------------------------------------------------------------------------------------


def noisy_session(seed: int, runs: int = 60, generations: int = 6) -> pd.DataFrame:
    """Return the table `latency` of fp32 and q8 with two inputs, whose runs vary by a tenth."""
    random = np.random.default_rng(seed)
    seconds = {FP32: [[1.0, 1.0]] * generations, Q8: [[2.0]] * generations}
    table = latency(seconds, {"i0": 1.0, "i1": 3.0}, np.ones((2, runs // 2)))
    return table.assign(duration_s=table["duration_s"] * random.normal(1, 0.1, len(table)))


def test_diagnostics_tell_all_inputs_and_each(tmp_path: Path) -> None:
    rows = diagnose(noisy_session(1), Rule())
    write_table(tmp_path / "diagnostics.parquet", RECORDED["diagnostics"], rows)
    assert rows["input_id"].fillna("all").tolist() == ["all", "all", "i0", "i0", "i1", "i1"]
    assert rows["settled"].all() and rows["reason"].isna().all()
    assert rows["generations"].eq(6).all()
    assert rows["n"].tolist() == [2 * 6 * 120, 6 * 120] + 2 * [2 * 6 * 60, 6 * 60]
    of_q8 = rows["variant"].eq("q8")
    assert rows["ratio_own_width"].notna().tolist() == rows["ratio_settled"].notna().tolist() == of_q8.tolist()
    each = ["rank_width", "batch_width", "autocorrelation", "effective_n"]
    assert rows[each].notna().all(axis=1).tolist() == rows["input_id"].notna().tolist()


def test_rare_interruptions_widen_the_interval_by_batches_not_the_one_by_ranks() -> None:
    table = noisy_session(2)
    interrupted = np.random.default_rng(3).random(len(table)) < 0.05
    row = diagnose(table.assign(duration_s=table["duration_s"] * np.where(interrupted, 5, 1)), Rule()).iloc[-1]
    assert row["rank_width"] < 0.02 < 0.05 < row["batch_width"]
    assert row["p99_s"] > 2 * row["p90_s"]


def test_runs_that_repeat_each_other_tell_less() -> None:
    table = noisy_session(4)
    alone = diagnose(table, Rule()).iloc[-1]
    assert alone["effective_n"] == pytest.approx(alone["n"], rel=0.15)
    slow = 1 + 0.3 * np.sin(np.arange(len(table)) / 20)
    alike = diagnose(table.assign(duration_s=table["duration_s"] * slow), Rule()).iloc[-1]
    assert alike["autocorrelation"] > 0.6
    assert alike["effective_n"] < 0.25 * alike["n"]


def test_what_too_few_runs_leave_open_is_null_and_not_settled() -> None:
    rows = diagnose(noisy_session(5, runs=4, generations=1), Rule()).query("variant == 'q8' and input_id.notna()")
    unknown = ["own_width", "likely_width", "ratio_own_width", "ratio_likely_width", "rank_width", "drift", "drift_p"]
    assert rows[unknown].isna().to_numpy().all()
    assert not rows["settled"].any() and not rows["ratio_settled"].any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3), later=st.integers(-1000, 10**6))
def test_verdicts_depend_on_neither_the_unit_nor_the_moment_nor_the_order_of_rows(
    seed: int, factor: float, later: int
) -> None:
    table = noisy_session(seed, runs=6)
    other = table.assign(duration_s=factor * table["duration_s"], start_s=table["start_s"] + later)
    other = other.sample(frac=1, random_state=seed)
    keys, seconds = ["variant", "input_id"], ["median_s", "p90_s", "p99_s"]
    rows, again = (diagnose(one, Rule()).sort_values(keys, ignore_index=True) for one in (table, other))
    pd.testing.assert_frame_equal(again.assign(**again[seconds] / factor), rows)
    for target in (0.01, 0.02, 0.05):
        assert set(still_open(other, Rule(target=target), 9)) == set(still_open(table, Rule(target=target), 9))


def test_the_rule_is_asked_of_a_hundred_thousand_runs_in_half_a_second() -> None:
    seconds = {FP32: [[1.0, 1.0]] * 10} | {(f"v{number}", ONCE): [[1.0]] * 10 for number in range(15)}
    table = latency(seconds, slices=np.ones((6, 100)))
    assert len(table) > 100_000

    def asked() -> float:
        begin = time.process_time()
        still_open(table, Rule(), more=9)
        return time.process_time() - begin

    assert min(asked() for _ in range(3)) < 0.5
