import numpy as np
import pytest

from tocompress.tasks.bootstrap import interval, paired_ratio, resample


def test_intervals_of_a_mean_cover_the_truth_as_often_as_their_level_says():
    random = np.random.default_rng(5)
    covered = 0
    for study in range(250):
        examples = random.normal(3.0, 1.0, 100)
        resampled = resample(lambda times, x=examples: times @ x / 100, 100, resamples=200, seed=study)
        low, high = interval(resampled, 0.9)
        covered += low <= 3.0 <= high
    assert covered / 250 == pytest.approx(0.9, abs=0.05)


def test_every_resample_draws_as_many_examples_as_there_are_and_the_same_for_the_same_seed():
    first, again, other = (resample(lambda times: times, 50, resamples=20, seed=seed) for seed in (1, 1, 2))
    assert (first.sum(axis=1) == 50).all()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_paired_ratio_is_narrower_than_its_parts_where_they_move_together():
    baseline = np.random.default_rng(0).normal(80, 5, 1000)
    ratio, low, high = paired_ratio(72.0, 80.0, 0.9 * baseline, baseline, 0.95)
    assert ratio == 0.9
    np.testing.assert_allclose([low, high], 0.9)


def test_there_is_no_ratio_to_a_baseline_of_zero():
    zeros = np.zeros(100)
    assert np.isnan(paired_ratio(0.0, 0.0, zeros, zeros, 0.95)).all()
    ratio, low, high = paired_ratio(1.0, 2.0, np.ones(100), np.append(zeros[1:], 4.0), 0.95)
    assert ratio == 0.5
    assert np.isnan([low, high]).all()
