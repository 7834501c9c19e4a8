"""Batches of sentences: every pair once an epoch, shifted targets, and a loss that padding does not move."""

import keras
import numpy as np
import pytest

from tocompress.data.subwords import END_ID, START_ID
from tocompress.tasks.translation.batches import Batches

PAIRS = [([3 + n] * (1 + n % 4), [40 + n] * (1 + n % 7)) for n in range(23)]


def test_every_pair_is_seen_once_an_epoch_in_a_new_order():
    batches = Batches(PAIRS, batch_size=5, seed=1)
    orders = []
    for _ in range(2):
        seen = [int(row[0]) for index in range(len(batches)) for row in batches[index][0]["source"]]
        assert sorted(seen) == [3 + n for n in range(23)]
        orders.append(seen)
        batches.on_epoch_end()
    assert orders[0] != orders[1]


def test_the_decoder_is_given_what_came_before():
    inputs, following, weight = Batches(PAIRS[6:7], batch_size=1, seed=1)[0]
    assert inputs["target"].tolist() == [[START_ID, *[46] * 7]]
    assert following.tolist() == [[*[46] * 7, END_ID]]
    assert inputs["source_length"].tolist() == [3]
    np.testing.assert_array_equal(weight, 1)


def test_the_weighted_mean_is_the_mean_over_real_tokens():
    inputs, following, weight = Batches(PAIRS, batch_size=23, seed=1)[0]
    loss = np.random.default_rng(0).random(following.shape)
    real = (
        np.arange(following.shape[1])
        < 1 + np.array([len(PAIRS[int(row[0]) - 3][1]) for row in inputs["source"]])[:, None]
    )
    np.testing.assert_allclose((loss * weight).mean(), loss[real].mean(), rtol=1e-6)


def test_what_keras_sees_beforehand_shows_that_lengths_vary():
    batches = Batches([([3], [4])] * 10 + [([3] * 5, [4])] * 5, batch_size=5, seed=1)
    seen = [keras.tree.map_structure(np.shape, batches[index]) for index in (0, 1)]
    assert all(seen[0][0][name][1] != seen[1][0][name][1] for name in ("source", "target"))
    assert seen[0][1][1] != seen[1][1][1]
    assert {batches[index][0]["target"].shape for index in (0, 2)} == {(5, 2)}
    assert all(batches[index][2].mean() == pytest.approx(1) for index in range(3))


def test_a_validation_set_keeps_its_order():
    batches = Batches(PAIRS, batch_size=5, seed=1, shuffled=False)
    first = [batches[index][0]["source"].tolist() for index in range(len(batches))]
    batches.on_epoch_end()
    assert [batches[index][0]["source"].tolist() for index in range(len(batches))] == first
