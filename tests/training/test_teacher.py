"""A taught network minimizes the weighted mean of its cross-entropies with the labels and with the teacher."""

import keras
import numpy as np
import pytest

from tocompress.training.teacher import Taught

ROWS = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
LABELS = np.arange(8) % 3


def network(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)])


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def taught(share):
    model = Taught(network(1), network(2), share)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_loss_is_the_weighted_mean_of_both(share):
    logs = np.log(softmax(network(1).predict(ROWS, verbose=0)))
    by_labels = -logs[np.arange(8), LABELS].mean()
    by_teacher = -(softmax(network(2).predict(ROWS, verbose=0)) * logs).sum(axis=1).mean()
    loss = taught(share).evaluate(ROWS, LABELS, verbose=0)
    assert loss == pytest.approx((1 - share) * by_labels + share * by_teacher, rel=1e-5)
    assert by_labels != pytest.approx(by_teacher, rel=1e-3)


def test_examples_count_by_their_weights():
    weights = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    half = taught(0.5).evaluate(ROWS[:4], LABELS[:4], verbose=0)
    assert taught(0.5).evaluate(ROWS, LABELS, sample_weight=weights, verbose=0) == pytest.approx(half / 2, rel=1e-5)


def test_the_teacher_learns_nothing_and_is_no_part_of_the_learner():
    learner, teacher = network(1), network(2)
    model = Taught(learner, teacher, 0.5)
    before = teacher.get_weights()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    model.fit(ROWS, LABELS, verbose=0)
    assert [id(variable) for variable in model.variables] == [id(variable) for variable in learner.variables]
    for variable, value in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(variable, value)
