"""Scores of channels: norms relative to their layer, over all producers of a channel."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.criteria import importance, made_by, sum_filters, sum_readers

# Convolutions a and b meet in a residual addition (channels 0 and 1), then an LSTM makes channel 2 and 3.
IDS, GATES = np.int32([1, 0]), np.int32([2, 3] * 4)
CHANNELS = Channels(
    variables={
        "a/weights": (None, None, None, IDS),
        "b/weights": (None, None, None, IDS),
        "lstm/kernel": (None, GATES),
    },
    producers={"a/weights": 3, "b/weights": 3, "lstm/kernel": 1},
    groups={"a": np.int32([0, 1]), "lstm": np.int32([2, 3])},
)


def random_weights(seed=0):
    random = np.random.default_rng(seed)
    shapes = {"a/weights": (3, 3, 2, 2), "b/weights": (1, 1, 4, 2), "lstm/kernel": (5, 8)}
    return {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def test_l1_and_l2_by_hand():
    weights = {
        "a/weights": np.float32([[3, 0], [-4, 1]]).reshape(1, 1, 2, 2),  # filters of channel 1 and of channel 0
        "b/weights": np.float32([2, -6]).reshape(1, 1, 1, 2),
        "lstm/kernel": np.float32([[1, 0, -1, 0, 1, 0, 1, 3]]),
    }
    l1 = importance("l1", weights, CHANNELS, seed=0)
    np.testing.assert_allclose(l1, [(1 / 4 + 6 / 4) / 2, (7 / 4 + 2 / 4) / 2, 4 / 3.5, 3 / 3.5])
    l2 = importance("l2", weights, CHANNELS, seed=0)
    np.testing.assert_allclose(l2, [(1 / 3 + 6 / 4) / 2, (5 / 3 + 2 / 4) / 2, 2 / 2.5, 3 / 2.5])
    assert l1.dtype == l2.dtype == np.float64


@settings(max_examples=20, deadline=None)
@given(
    factor=st.floats(2**-20, 2**20), name=st.sampled_from(list(CHANNELS.producers)), norm=st.sampled_from(["l1", "l2"])
)
def test_the_scale_of_a_layer_does_not_matter(factor, name, norm):
    weights = random_weights()
    scaled = weights | {name: weights[name] * np.float32(factor)}
    np.testing.assert_allclose(
        importance(norm, scaled, CHANNELS, seed=0), importance(norm, weights, CHANNELS, seed=0), rtol=1e-5
    )


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_layer_of_zeros_scores_zero(norm):
    weights = random_weights()
    scores = importance(norm, weights | {"lstm/kernel": np.zeros((5, 8), np.float32)}, CHANNELS, seed=0)
    assert scores[2:].tolist() == [0, 0] and (scores[:2] > 0).all()


def test_random_depends_on_the_seed_and_on_nothing_else():
    first, again = (importance("random", random_weights(seed), CHANNELS, seed=3) for seed in (0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != importance("random", random_weights(), CHANNELS, seed=4)).all()


def test_a_channel_is_read_wherever_it_is_not_made():
    channels = Channels(
        variables={
            "a/weights": (None, None, np.int32([-1, -1]), IDS),
            "a/biases": (IDS,),
            "lstm/kernel": (np.int32([1, 0, -1, 2, 3]), GATES),
            "logits/weights": (np.int32([2, 3, 2]), None),
        },
        producers={"a/weights": 3, "lstm/kernel": 1},
        groups=CHANNELS.groups,
    )
    assert [channels.reading_axes(name) for name in channels.variables] == [(2,), (), (0,), (0,)]
    readings = {
        ("a/weights", 2): np.float64([5, 5]),
        ("lstm/kernel", 0): np.float64([1, 2, 9, 3, 4]),
        ("logits/weights", 0): np.float64([10, 20, 30]),
    }
    assert sum_readers(readings, channels).tolist() == [2, 1, 43, 24]


def test_entries_that_always_stay_belong_to_no_filter():
    ids = np.int32([-1, 1, 0, -1])
    channels = replace(CHANNELS, variables=CHANNELS.variables | {"a/weights": (None, ids)}, producers={"a/weights": 1})
    assert made_by("a/weights", channels).tolist() == [0, 1]
    assert sum_filters(np.float32([[9, 1, 2, 9], [9, 3, 4, 9]]), "a/weights", channels).tolist() == [6, 4]
