"""Rounding by second moments against all other ways to round."""

import itertools

import numpy as np
import pytest

from tocompress.compression.quantization.moments import moments_of
from tocompress.compression.quantization.rounding import best_kernel, rounded

LOWEST, HIGHEST = -2, 1  # 2 bits


def loss(integers, places, second):
    """The mean square of the outputs' errors of each channel, [G, C]."""
    errors = integers - places
    return np.einsum("gkc,gkl,glc->gc", errors, second, errors)


def problem(seed, inputs, channels=4, groups=1, spread=1.5):
    """Places on a grid of 2 bits, some beyond it, and second moments of inputs that go together."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (groups, 50, inputs)) @ random.normal(0, 1, (groups, inputs, inputs)) + 0.5
    places = random.uniform(-spread, spread, (groups, inputs, channels)) - 0.5
    bounds = (np.full((groups, 1, channels), bound) for bound in (LOWEST, HIGHEST))
    second = rows.swapaxes(1, 2) @ rows / 50
    # The loss that is minimized has a hundredth of the mean on the diagonal, too.
    return places, *bounds, second + 0.01 * np.trace(second, axis1=1, axis2=2)[:, None, None] / inputs * np.eye(inputs)


def best_of(places, second, candidates):
    """The least loss of each channel over all combinations of the inputs' candidates."""
    least = []
    for group, matrix in enumerate(second):
        for channel in range(places.shape[2]):
            choices = np.array(list(itertools.product(*candidates(places[group, :, channel]))))
            errors = choices - places[group, :, channel]
            least.append(np.einsum("nk,kl,nl->n", errors, matrix, errors).min())
    return np.reshape(least, (len(second), -1))


def floor_and_ceiling(places):
    return [np.clip([np.floor(place), np.ceil(place)], LOWEST, HIGHEST) for place in places]


def all_integers(places):
    return [range(LOWEST, HIGHEST + 1)] * len(places)


@pytest.mark.parametrize("inputs", [1, 2, 4, 6])
def test_the_loss_is_near_the_least_of_all_choices(inputs):
    found, of_two, of_all, nearest = [], [], [], []
    for seed in range(20):
        places, lowest, highest, second = problem(seed, inputs)
        found.append(loss(rounded(places, lowest, highest, second), places, second))
        nearest.append(loss(np.clip(np.rint(places), LOWEST, HIGHEST), places, second))
        of_two.append(best_of(places, second, floor_and_ceiling))
        of_all.append(best_of(places, second, all_integers))
    assert np.sum(found) <= 1.03 * np.sum(of_two)
    assert np.sum(found) <= 1.09 * np.sum(of_all)  # integers further away undo errors, too
    assert np.mean(np.less(found, np.multiply(1.001, of_all))) > 0.75
    assert inputs == 1 or np.sum(nearest) > 1.3 * np.sum(of_all)  # the problems are not easy


@pytest.mark.parametrize("seed", range(20))
def test_it_is_never_worse_than_nearest(seed):
    places, lowest, highest, second = problem(seed, inputs=12)
    nearest = np.clip(np.rint(places), LOWEST, HIGHEST)
    assert (
        loss(rounded(places, lowest, highest, second), places, second) <= 1.0001 * loss(nearest, places, second)
    ).all()


def test_independent_inputs_take_the_nearest_levels():
    places, lowest, highest, _ = problem(0, inputs=6)
    integers = rounded(places, lowest, highest, np.diag([3.0, 0.1, 1.0, 5.0, 2.0, 1.0])[None])
    np.testing.assert_array_equal(integers, np.clip(np.rint(places), LOWEST, HIGHEST))


def test_bounds_of_each_channel_are_kept():
    places, lowest, highest, second = problem(1, inputs=150, spread=20)  # more inputs than a block
    lowest[..., 1], highest[..., 1] = -1, 0
    integers = rounded(places, lowest, highest, second)
    assert (integers >= lowest).all()
    assert (integers <= highest).all()
    np.testing.assert_array_equal(integers, np.rint(integers))


def test_groups_are_rounded_as_if_alone():
    places, lowest, highest, second = problem(2, inputs=9, groups=3)
    together = rounded(places, lowest, highest, second)
    for group in range(3):
        part = slice(group, group + 1)
        np.testing.assert_array_equal(together[part], rounded(places[part], lowest[part], highest[part], second[part]))


def test_inputs_that_are_never_active_do_no_harm():
    places, lowest, highest, second = problem(3, inputs=5)
    second[:, 2], second[:, :, 2] = 0, 0
    assert (abs(rounded(places, lowest, highest, second) - places) <= 3).all()
    silent = rounded(places, lowest, highest, np.zeros_like(second))
    np.testing.assert_array_equal(silent, np.clip(np.rint(places), LOWEST, HIGHEST))


def test_the_best_kernel_undoes_the_change_of_its_inputs():
    random = np.random.default_rng(0)
    exact = random.normal(0, 1, (2, 500, 4)).astype(np.float32)
    change = np.eye(4) + random.normal(0, 0.3, (2, 4, 4))
    kernel = random.normal(0, 1, (2, 4, 3))
    same, turned = (moments_of([(exact, other.astype(np.float32))]) for other in (exact, exact @ change))
    np.testing.assert_allclose(best_kernel(kernel, same), kernel, rtol=1e-5)
    undone = best_kernel(kernel, turned)
    errors = [np.square(exact @ kernel - (exact @ change) @ other).mean() for other in (kernel, undone)]
    assert errors[1] < 0.02 * errors[0]
