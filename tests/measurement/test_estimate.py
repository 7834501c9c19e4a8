"""Times and ratios of sessions whose parts are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up_session import FP32, Q8, Q8_ONCE, latency
from scipy import stats

from tocompress.measurement.estimate import Noise, estimates, levels, noise, of_one_input
from tocompress.vocabulary.arithmetic import FLOAT

MACHINE = np.array([1.0, 1.3, 0.8, 1.1])  # its state in each generation


def log_times(table: pd.DataFrame, quantile: float = 0.5) -> pd.DataFrame:
    return levels(of_one_input(table), quantile)


def test_a_change_of_the_machine_cancels_in_the_ratio_and_widens_the_time() -> None:
    seconds = {FP32: [[s, s] for s in 0.002 * MACHINE], Q8: [[s] for s in 0.001 * MACHINE]}
    found = estimates(log_times(latency(seconds)))
    assert found[Q8].ratio == pytest.approx((0.5, 0.5, 0.5))
    assert found[FP32].ratio == (1.0, 1.0, 1.0)
    logarithms = np.log(0.001 * MACHINE)
    low, high = stats.t.interval(0.95, 3, loc=logarithms.mean(), scale=stats.sem(logarithms))
    assert found[Q8].value == pytest.approx(np.exp([logarithms.mean(), low, high]))
    assert found[Q8].generations == 4


def test_a_condition_that_missed_generations_has_the_time_of_the_usual_machine() -> None:
    seconds = {FP32: [[s, s] for s in 0.002 * MACHINE], Q8: [[0.001], [], [0.0008], []]}
    found = estimates(log_times(latency(seconds)))
    assert found[Q8].generations == 2
    assert found[Q8].value.value == pytest.approx(found[FP32].value.value / 2)
    assert found[Q8].ratio == pytest.approx((0.5, 0.5, 0.5))


def test_both_processes_of_fp32_count_alike() -> None:
    seconds = {FP32: [[1.0, 4.0], [2.0, 2.0]], Q8: [[1.0], [1.0]]}
    found = estimates(log_times(latency(seconds)))
    assert found[FP32].value == pytest.approx((2.0, 2.0, 2.0))
    assert found[Q8].ratio == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(("quantile", "expected"), [(0.5, 3.0), (0.1, 1.4)])
def test_the_time_of_a_process_is_the_quantile_of_its_runs(quantile: float, expected: float) -> None:
    table = latency({FP32: [[1.0], [1.0]]}, slices=((1.0, 2.0), (3.0, 4.0, 100.0)))
    assert np.exp(log_times(table, quantile)[FP32]).tolist() == pytest.approx([expected] * 2)


def test_inputs_of_any_length_and_number_of_runs_count_alike() -> None:
    table = latency({FP32: [[1.0]], Q8: [[3.0]]}, {"short": 1.0, "long": 5.0})
    table = table.drop(table.index[table["input_id"].eq("long") & table["round"].eq(2)])
    assert np.exp(log_times(table)).loc[1].to_dict() == pytest.approx({FP32: 3.0, Q8: 9.0})


def test_warm_up_and_batches_are_no_latency() -> None:
    table = pd.concat([latency({FP32: [[1.0]]}), latency({FP32: [[5.0]]}, batch=8)])
    assert np.exp(log_times(table)[FP32]).tolist() == [1.0]


def test_without_fp32_there_is_no_ratio() -> None:
    found = estimates(log_times(latency({Q8: [[1.0], [1.1]], Q8_ONCE: [[2.0], [2.1]]})))
    assert [estimate.ratio for estimate in found.values()] == [None, None]
    assert found[Q8_ONCE].value.value == pytest.approx(np.sqrt(2.0 * 2.1))


@pytest.mark.parametrize("parts", [Noise(0.05, 0.02, 0.01), Noise(0.02, 0.03, 0.04)])
def test_noise_is_told_apart(parts: Noise) -> None:
    """Sixty generations. In the later ones only the first of ten conditions and the slower half of them take part."""
    random = np.random.default_rng(2)
    rows = []
    for generation in range(60):
        states = random.normal(0, parts.machine, 8)
        taking_part = ["0", "0", *"56789"] if generation >= 30 else ["0", *"0123456789"]
        for process, variant in enumerate(taking_part):
            level = int(variant) + random.normal(0, parts.process)
            for place, state in enumerate(states):
                duration_s = np.exp(level + state + random.normal(0, parts.sample))
                rows.append((variant, FLOAT, generation, (generation, process), place, duration_s))
    columns = ["variant", "arithmetic", "generation", "process", "round", "duration_s"]
    assert tuple(noise(pd.DataFrame(rows, columns=columns))) == pytest.approx(tuple(parts), rel=0.15)
