"""A requirement is met or missed by the bounds of an interval, never by its mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tocompress.measurement.statistics import Interval
from tocompress.search.evidence import Evidence, Verdict, bounded, changes, corrected, missing, overall, value, verdict
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.settings.search import Limit

Q8 = Configuration(0.0, "integer", (8,))
LEVEL = 0.95


def hits(n: int, total: int = 100) -> np.ndarray:
    return np.r_[np.ones(n), np.zeros(total - n)]


def test_a_change_of_accuracy_is_that_of_paired_examples() -> None:
    (change,) = changes("top1", [hits(85)], [hits(80)], LEVEL)
    # Agresti and Min: (0 - 5) / 102, with a margin of 1.96 sqrt(6 - 25 / 102) / 102
    assert change == pytest.approx((-0.05, -5 / 102 - 0.04609, -5 / 102 + 0.04609), abs=1e-5)


def test_a_change_of_a_cost_is_the_logarithm_of_a_paired_ratio() -> None:
    drift = np.exp([0.0, 0.3, -0.2, 0.1])
    noise = np.exp([0.01, -0.01, 0.01, -0.01])
    (change,) = changes("latency", [10 * drift], [5 * drift * noise], LEVEL)
    # Student's 3.182 with 3 degrees, times 0.01 sqrt(4 / 3) / sqrt(4)
    assert change == pytest.approx((math.log(0.5), math.log(0.5) - 0.018374, math.log(0.5) + 0.018374), abs=1e-5)


def test_pairs_of_a_cost_may_have_different_numbers_of_rounds() -> None:
    before, after = [np.array([1.0, 1.1, 0.9]), np.array([2.0])], [np.array([1.1, 1.2, 1.0]), np.array([1.0])]
    three, one = changes("latency", before, after, LEVEL)
    assert three.low is not None and three.low < three.value
    assert one == (pytest.approx(-math.log(2)), -math.inf, math.inf)


def test_a_size_is_exact() -> None:
    assert value("size", np.array([8e6]), LEVEL) == (8e6, 8e6, 8e6)
    ((change, low, high),) = changes("size", [np.array([8e6])], [np.array([2e6])], LEVEL)
    assert change == low == high == pytest.approx(math.log(0.25))


def test_a_value_has_the_interval_of_its_kind() -> None:
    assert value("top1", hits(85), LEVEL) == pytest.approx((0.85, 0.76716, 0.90694), abs=1e-5)  # Wilson
    resamples = np.random.default_rng(1).normal(30, 0.5, 4000)
    assert value("bleu", resamples, LEVEL) == pytest.approx((30, 30 - 0.98, 30 + 0.98), abs=0.03)
    assert value("latency", np.array([20.0]), LEVEL) == (pytest.approx(20.0), 0.0, math.inf)


def test_a_generation_that_left_a_variant_out_tells_nothing_of_its_time() -> None:
    times = np.array([20.0, 21.0, 19.0])
    assert value("latency", np.r_[math.nan, times, math.nan], LEVEL) == value("latency", times, LEVEL)
    _, low, high = value("latency", np.array([math.nan]), LEVEL)
    assert (low, high) == (0.0, math.inf)


def test_a_drift_widens_the_interval_of_a_time_and_leaves_that_of_a_ratio() -> None:
    random = np.random.default_rng(1)
    drift = np.exp(np.repeat([0.05, -0.05, 0.02, 0.0, -0.02], 8))
    noisy = np.exp(random.normal(0, 0.001, (2, 40)))
    of_value = value("latency", 20 * drift * noisy[0], LEVEL)
    (of_ratio,) = changes("latency", [20 * drift * noisy[0]], [10 * drift * noisy[1]], LEVEL)
    assert of_value.low is not None and of_value.high is not None
    assert of_ratio.low is not None and of_ratio.high is not None
    assert of_value.high / of_value.low > 1.05
    assert of_ratio.high - of_ratio.low < 0.002


@pytest.mark.parametrize(
    ("limit", "interval", "found", "short"),
    [
        (Limit("latency", "at most", 20.0), (18, 17, 20), Verdict.MET, 0),
        (Limit("latency", "at most", 20.0), (18, 17, 21), Verdict.UNDECIDED, 1),
        (Limit("latency", "at most", 20.0), (23, 21, 25), Verdict.MISSED, 5),
        (Limit("latency", "at most", 20.0), (18, 0, math.inf), Verdict.UNDECIDED, math.inf),
        (Limit("top1", "at least", 0.8), (0.85, 0.8, 0.9), Verdict.MET, 0),
        (Limit("top1", "at least", 0.8), (0.81, 0.75, 0.85), Verdict.UNDECIDED, 0.05),
        (Limit("top1", "at least", 0.8), (0.7, 0.65, 0.75), Verdict.MISSED, 0.15),
        (Limit("top1", "lose at most", 0.01), (0.0, -0.01, 0.01), Verdict.MET, 0),
        (Limit("top1", "lose at most", 0.01), (-0.005, -0.015, 0.005), Verdict.UNDECIDED, 0.005),
        (Limit("top1", "lose at most", 0.01), (-0.03, -0.04, -0.02), Verdict.MISSED, 0.03),
        (Limit("top1", "lose at most", 0.0), (0.0, 0.0, 0.0), Verdict.MET, 0),
    ],
)
def test_the_bounds_decide(limit: Limit, interval: tuple[float, float, float], found: Verdict, short: float) -> None:
    assert verdict(limit, Interval(*interval)) is found
    assert missing(limit, Interval(*interval)) == pytest.approx(short)


def test_fp32_loses_nothing_against_itself() -> None:
    evidence = Evidence((UNCOMPRESSED, Q8), {"top1": np.stack([hits(85), hits(80)])})
    limit = Limit("top1", "lose at most", 0.01)
    assert bounded(limit, evidence, UNCOMPRESSED, LEVEL) == (0, 0, 0)
    assert bounded(limit, evidence, Q8, LEVEL) == changes("top1", [hits(85)], [hits(80)], LEVEL)[0]


def test_one_requirement_that_is_missed_is_enough() -> None:
    assert overall([Verdict.MET, Verdict.UNDECIDED, Verdict.MISSED]) is Verdict.MISSED
    assert overall([Verdict.MET, Verdict.UNDECIDED]) is Verdict.UNDECIDED
    assert overall([Verdict.MET, Verdict.MET]) is Verdict.MET


def test_the_level_is_corrected_for_the_number_of_comparisons() -> None:
    assert corrected(0.95, 5) == pytest.approx(0.99)
    assert corrected(0.95, 0) == pytest.approx(0.95)
