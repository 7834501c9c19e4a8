"""Intervals against scipy, and how often they hold the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from tocompress.measurement.statistics import (
    Change,
    Interval,
    batch_interval,
    correlation,
    exponential,
    half_width_left,
    largest_half_width,
    mean_interval,
    median_interval,
    moderated_intervals,
    ratio_interval,
    relative_half_width,
    trend,
    within,
)


def test_median_interval_takes_the_tabulated_ranks() -> None:
    # Ranks of the 95 % interval of a median: none below 6; 1..6, 2..9, 9..22 for n = 6, 10, 30.
    assert median_interval(range(1, 6)) == Interval(3.0, None, None)
    assert median_interval(range(1, 7)) == Interval(3.5, 1.0, 6.0)
    assert median_interval(range(1, 11)) == Interval(5.5, 2.0, 9.0)
    assert median_interval(range(1, 31)) == Interval(15.5, 10.0, 21.0)


@pytest.mark.parametrize("n", [6, 9, 20, 57, 400])
def test_median_interval_agrees_with_scipy(n: int) -> None:
    samples = np.random.default_rng(n).lognormal(size=n)
    expected = stats.quantile_test(samples, q=0, p=0.5).confidence_interval(0.95)
    _, low, high = median_interval(samples)
    assert (low, high) == (expected.low, expected.high)


def test_mean_interval_is_students() -> None:
    values = [101.0, 99.0, 104.0, 98.0, 103.0]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx((101.0, low, high))


def test_ratio_of_a_stream_to_itself_is_one_exactly() -> None:
    stream = [1.0, 3.0, 2.0, 5.0]
    assert ratio_interval(stream, stream) == (1.0, 1.0, 1.0)


def test_ratio_holds_one_for_two_streams_of_one_distribution_and_cancels_drift() -> None:
    random = np.random.default_rng(3)
    drift = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    same = ratio_interval(drift * random.normal(1, 0.01, 5), drift * random.normal(1, 0.01, 5))
    assert same.low is not None and same.high is not None
    assert 0.95 < same.low < 1 < same.high < 1.05
    twice = ratio_interval(2 * drift, drift)
    assert twice == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.parametrize("observations", [[], [7.0]])
def test_too_few_observations_have_no_interval(observations: list[float]) -> None:
    if observations:
        assert mean_interval(observations) == (7.0, None, None)
        assert ratio_interval(observations, [3.5]) == (pytest.approx(2.0), None, None)
        assert not within(mean_interval(observations))
    else:
        with pytest.raises(ValueError, match="no observation"):
            mean_interval(observations)


def test_within_means_a_half_width_within_five_percent() -> None:
    assert within(Interval(100.0, 95.0, 105.0))
    assert not within(Interval(100.0, 94.9, 105.0))
    assert not within(Interval(100.0, None, None))
    assert within(Interval(0.0, 0.0, 0.0))
    assert not within(Interval(0.0, -1.0, 1.0))
    assert relative_half_width(Interval(-100.0, -107.0, -93.0)) == pytest.approx(0.07)


def test_batches_are_twenty_runs_of_neighbours_or_single_samples() -> None:
    series = np.random.default_rng(2).normal(1, 0.1, 60)
    assert batch_interval(series) == pytest.approx(mean_interval(series.reshape(20, 3).mean(axis=1)))
    assert batch_interval(series[:19]) == pytest.approx(mean_interval(series[:19]))
    means = [*series[:19], np.mean(series[19:21])]
    assert batch_interval(series[:21]) == pytest.approx(mean_interval(means))


def test_batches_stand_autocorrelation_that_single_samples_do_not() -> None:
    shocks = np.random.default_rng(4).normal(size=(500, 1100))
    series = signal.lfilter([1], [1, -0.8], shocks)[:, 100:]

    def coverage(interval: Callable[[np.ndarray], Interval]) -> float:
        return np.mean([low is not None and low <= 0 <= high for _, low, high in map(interval, series)])

    assert coverage(batch_interval) > 0.9
    assert coverage(mean_interval) < 0.6


def test_trend_is_the_change_over_the_whole_span_whatever_one_value_does() -> None:
    times = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
    assert trend(times, np.array([90.0, 95.0, 100.0, 105.0, 110.0])) == pytest.approx((0.2, 0.0))
    outlier = trend(times, np.array([90.0, 95.0, 900.0, 105.0, 110.0]))
    assert outlier.size == pytest.approx(0.2, rel=0.1)
    values = np.array([1.0, 1.3, 1.1, 1.2, 1.4])
    assert trend(times, values).p == pytest.approx(stats.spearmanr(times, values).pvalue)
    assert trend(times[:1], values[:1]) == Change(None, None)
    assert trend(times[:2], values[:2]) == (pytest.approx(0.3 / 1.15), None)


# --- moderated intervals ----------------------------------------------------------------------------------------------


def half_widths(intervals: list[Interval]) -> list[float]:
    return [interval.high - interval.value for interval in intervals if interval.high is not None]


def test_variances_are_drawn_towards_the_shared_one() -> None:
    """For two rows of three, the prior has two degrees of freedom where their variances are apart by this factor.

    Trigamma(1) is pi^2 / 6, and the variance of two logarithms is half of their squared difference.
    """
    apart = np.exp(np.pi * np.sqrt(2 / 3))
    deviations = np.array([-1.0, 0.0, 1.0])  # of variance 1
    found = moderated_intervals(np.array([5 + deviations, 7 + np.sqrt(apart) * deviations]))
    moderated = (np.sqrt(apart) + np.array([1.0, apart])) / 2
    assert half_widths(found) == pytest.approx(stats.t.ppf(0.975, 4) * np.sqrt(moderated / 3))
    assert [interval.value for interval in found] == pytest.approx([5.0, 7.0])


def test_rows_of_like_spread_share_one_variance_and_all_degrees_of_freedom() -> None:
    rows = np.random.default_rng(1).normal(0, 1, (40, 3)) + np.arange(40)[:, None]
    rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, ddof=1, keepdims=True)
    shared = np.exp(np.euler_gamma)  # the expected logarithm of a variance of three values is that much below
    assert half_widths(moderated_intervals(rows)) == pytest.approx([stats.t.ppf(0.975, 80) * np.sqrt(shared / 3)] * 40)


def test_a_row_without_company_has_students_interval() -> None:
    rows = np.array([[1.0, 2.0, np.nan, 4.0], [7.0, np.nan, np.nan, np.nan], [np.nan] * 4])
    alone, single, absent = moderated_intervals(rows)
    assert alone == pytest.approx(mean_interval([1.0, 2.0, 4.0]))
    assert single == (7.0, None, None)
    assert np.isnan(absent.value) and absent.low is None
    assert moderated_intervals(rows[:0]) == []


def test_rows_that_agree_by_luck_are_widened_and_wild_ones_hardly_narrowed() -> None:
    rows = np.random.default_rng(2).normal(0, 0.1, (12, 5))
    rows[0] *= 0.01
    rows[1] *= 20
    lucky, wild, *others = half_widths(moderated_intervals(rows))
    own_lucky, own_wild = half_widths([mean_interval(rows[0]), mean_interval(rows[1])])
    assert lucky > 5 * own_lucky
    assert lucky < min(others)
    assert 0.5 * own_wild < wild < own_wild


# --- how often intervals hold the truth -------------------------------------------------------------------------------


def held(intervals: list[Interval], truth: float = 0.0) -> list[bool]:
    return [low is not None and high is not None and low <= truth <= high for _, low, high in intervals]


def test_ratios_and_times_of_a_session_hold_the_truth() -> None:
    """A thousand sessions of twelve conditions in five generations, as log times with two processes of fp32."""
    random = np.random.default_rng(3)
    sessions = random.normal(0, 0.05, (1000, 14, 5))
    ratios = [held(moderated_intervals(one[2:] - one[:2].mean(axis=0))) for one in sessions]
    assert 0.935 <= np.mean(ratios) <= 0.965
    times = held([mean_interval(times) for times in (sessions + random.normal(0, 0.05, (1000, 1, 5)))[:, 2]])
    assert 0.935 <= np.mean(times) <= 0.965


def test_the_largest_likely_spread_is_above_the_true_one_four_times_in_five() -> None:
    spreads = np.random.default_rng(4).normal(0, 1, (2000, 6)).std(axis=1, ddof=1)
    true = stats.norm.ppf(0.975) / np.sqrt(6)
    assert np.mean([(largest_half_width(spread, 6) or 0) > true for spread in spreads]) == pytest.approx(0.8, abs=0.02)
    assert largest_half_width(1.0, 1) is None
    assert largest_half_width(np.nan, 6) is None


def test_what_is_left_of_a_half_width_is_of_students_interval() -> None:
    few, many = mean_interval([-1.0, 1.0, -1.0, 1.0]), mean_interval([-1.0, 1.0] * 6)
    spreads = np.sqrt([4 / 3, 12 / 11])
    assert few.high is not None and many.high is not None
    assert half_width_left(4, 8) == pytest.approx((many.high / spreads[1]) / (few.high / spreads[0]))
    assert half_width_left(1, 8) == 0.0  # nothing is known


def test_the_interval_of_a_value_is_that_of_its_logarithm() -> None:
    assert exponential(Interval(0.0, -1.0, 2.0)) == (1.0, np.exp(-1), np.exp(2))
    assert exponential(Interval(0.0, None, None)) == (1.0, None, None)


def test_the_median_of_skewed_samples_is_held() -> None:
    samples = np.random.default_rng(1).lognormal(0, 0.3, (2000, 30))
    assert 0.94 < np.mean(held([median_interval(process) for process in samples], truth=1.0)) < 0.98


# --- whatever the samples ---------------------------------------------------------------------------------------------

VALUES = st.floats(1e-3, 1e3)
SAMPLES = st.lists(VALUES, min_size=1, max_size=70).map(np.array)
PAIRS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30).map(np.array)


def ratio_to_one(samples: np.ndarray, level: float = 0.95) -> Interval:
    return ratio_interval(samples, np.ones(len(samples)), level)


def width(interval: Interval) -> float:
    return interval.high - interval.low if interval.low is not None and interval.high is not None else np.inf


def nearly(interval: tuple[float | None, ...], span: float = 0.0) -> tuple[object, ...]:
    """Equal but for what rounding does to samples of that span."""
    return tuple(None if bound is None else pytest.approx(bound, rel=1e-6, abs=1e-6 * span) for bound in interval)


@pytest.mark.parametrize("interval", [median_interval, mean_interval, batch_interval, ratio_to_one])
@settings(max_examples=60, deadline=None)
@given(samples=SAMPLES)
def test_an_interval_is_finite_holds_its_value_and_grows_with_its_level(
    interval: Callable[..., Interval], samples: np.ndarray
) -> None:
    value, low, high = interval(samples)
    assert samples.min() * (1 - 1e-9) <= value <= samples.max() * (1 + 1e-9)
    assert (low is None) == (high is None)
    if low is not None and high is not None:
        assert -np.inf < low <= value <= high < np.inf
    assert width(interval(samples, 0.8)) <= width(interval(samples, 0.95)) <= width(interval(samples, 0.99))


@pytest.mark.parametrize("interval", [median_interval, mean_interval, batch_interval])
@settings(max_examples=60, deadline=None)
@given(samples=SAMPLES, factor=st.floats(0.01, 100), offset=st.floats(-1e3, 1e3))
def test_an_interval_moves_with_its_samples_and_turns_with_their_sign(
    interval: Callable[..., Interval], samples: np.ndarray, factor: float, offset: float
) -> None:
    value, low, high = (None if bound is None else factor * bound + offset for bound in interval(samples))
    span = factor * samples.max() + abs(offset)
    assert interval(factor * samples + offset) == nearly((value, low, high), span)
    value, low, high = (None if bound is None else -bound for bound in interval(samples))
    assert interval(-samples) == nearly((value, high, low), samples.max())


@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS, factor=st.floats(0.01, 100))
def test_a_ratio_scales_and_is_the_inverse_of_its_inverse(pairs: np.ndarray, factor: float) -> None:
    values, references = pairs.T
    ratio, low, high = ratio_interval(values, references)
    assert 0 < ratio < np.inf
    assert ratio_interval(factor * values, references).value == pytest.approx(factor * ratio)
    assert ratio_interval(factor * values, factor * references) == nearly((ratio, low, high))
    inverse = ratio_interval(references, values)
    assert inverse.value == pytest.approx(1 / ratio)
    if low is not None and high:
        assert inverse.low == pytest.approx(1 / high)


@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS, seed=st.integers(0, 9))
def test_the_order_of_independent_samples_says_nothing(pairs: np.ndarray, seed: int) -> None:
    values, references = pairs.T
    shuffled, paired = np.random.default_rng(seed).permutation(pairs).T
    assert median_interval(shuffled) == median_interval(values)
    assert mean_interval(shuffled) == nearly(mean_interval(values), values.max())
    assert ratio_interval(shuffled, paired) == nearly(ratio_interval(values, references))


@pytest.mark.parametrize("interval", [median_interval, mean_interval])
@settings(max_examples=60, deadline=None)
@given(samples=SAMPLES, times=st.integers(2, 5))
def test_more_of_the_same_samples_never_widen_an_interval(
    interval: Callable[..., Interval], samples: np.ndarray, times: int
) -> None:
    assert width(interval(np.repeat(samples, times))) <= width(interval(samples)) + 1e-9 * samples.max()


@settings(max_examples=100, deadline=None)
@given(pairs=PAIRS, factor=st.floats(0.01, 100), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 9))
def test_a_trend_needs_neither_units_nor_order_and_turns_with_time(
    pairs: np.ndarray, factor: float, offset: float, seed: int
) -> None:
    times, values = np.round(pairs[:, 0]), pairs[:, 1]
    size, p = trend(times, values)
    assert p is None or 0 <= p <= 1
    assert (size is None) == (np.ptp(times) == 0)
    order = np.random.default_rng(seed).permutation(len(times))
    for again in (
        trend(times[order], values[order]),
        trend(times, 2.0 ** round(offset / 100) * values),
        trend(times * 2.0 + round(offset), values),
    ):
        assert again == nearly((size, p), span=1e-6)
    assert trend(-times, values) == nearly((None if size is None else -size, p), span=1e-6)


@settings(max_examples=100, deadline=None)
@given(pairs=PAIRS)
def test_a_correlation_is_symmetric_and_within_one(pairs: np.ndarray) -> None:
    first, second = pairs.T
    found = correlation(first, second)
    assert (correlation(second, first),) == nearly((found,), span=1e-6)
    if found is not None:
        assert -1 <= found <= 1
        assert correlation(first, first) == pytest.approx(1)
