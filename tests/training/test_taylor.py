"""Gradient times activation, got from Keras' own training step, against what TensorFlow differentiates."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tocompress.compression.channels import Channels
from tocompress.compression.criteria import taylor_importance
from tocompress.errors import StudyError
from tocompress.training.taylor import taylor

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def made_by_one(name, axes, filters):
    """Channels that a single kernel makes, along the last of its axes."""
    ids = np.arange(filters, dtype=np.int32)
    return Channels({name: (*[None] * (axes - 1), ids)}, {name: axes - 1}, {"only": ids})


def test_gradient_times_activation_of_a_convolution_as_deployed():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 2))
    convolution = keras.layers.Conv2D(5, 3, use_bias=False)
    rest = keras.Sequential(
        [
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    network = keras.Model(inputs, rest(convolution(inputs)))
    random = np.random.default_rng(0)
    rest.layers[0].moving_mean.assign(random.standard_normal(5))
    batches = [(random.standard_normal((2, 4, 4, 2), np.float32), random.integers(0, 3, 2)) for _ in range(3)]
    responses = []
    for images, labels in batches:
        activation = convolution(images)
        with tf.GradientTape() as tape:
            tape.watch(activation)
            loss = LOSS(labels, rest(activation, training=False))
        responses.append(np.sum(activation * tape.gradient(loss, activation), axis=(0, 1, 2)))
    before = [np.array(variable) for variable in network.variables]

    channels = made_by_one("weights", 4, 5)
    scores = taylor(network, {"weights": convolution.kernel}, batches, channels)

    np.testing.assert_allclose(scores, taylor_importance({"weights": np.array(responses)}, channels), rtol=1e-4)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_words_that_occur_twice_or_in_one_batch_only_count_as_often_as_they_do():
    keras.utils.set_random_seed(0)
    embedding, dense = keras.layers.Embedding(6, 4), keras.layers.Dense(3)
    words = keras.Input((None,), dtype="int32")
    network = keras.Model(words, dense(embedding(words)))
    batches = [
        (np.int32([[1, 1, 2]]), np.int32([[0, 1, 2]]), np.float32([[1, 1, 0]])),
        (np.int32([[3, 5, 3]]), np.int32([[2, 0, 1]]), np.float32([[1, 2, 1]])),
    ]
    responses = []
    for sentence, labels, weight in batches:
        embedded = embedding(sentence)
        with tf.GradientTape() as tape:
            tape.watch(embedded)
            loss = LOSS(labels, dense(embedded), sample_weight=weight)
        responses.append(np.sum(embedded * tape.gradient(loss, embedded), axis=(0, 1)))

    channels = made_by_one("embedding", 2, 4)
    scores = taylor(network, {"embedding": embedding.embeddings}, batches, channels)

    np.testing.assert_allclose(scores, taylor_importance({"embedding": np.array(responses)}, channels), rtol=1e-4)


def test_without_calibration_data_nothing_is_ranked():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(StudyError, match="no calibration data"):
        taylor(network, {}, [], Channels({}, {}, {}))
