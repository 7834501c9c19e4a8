"""The change of the loss without a channel, got from Keras' own training step, against the loss itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.dependencies import trace
from tocompress.compression.pruning.recurrent import gnmt_channels
from tocompress.compression.pruning.surgery import silenced
from tocompress.compression.pruning.taylor import Taylor
from tocompress.errors import StudyError
from tocompress.models import gnmt
from tocompress.models.variables import named_variables

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def residual_network():
    """A convolution, a residual addition that two more make, batch norms with an offset, dropout."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 2))
    first = keras.layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    stem = keras.layers.ReLU()(keras.layers.BatchNormalization(name="first.BatchNorm")(first))
    branch = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name="second")(stem)
    branch = keras.layers.BatchNormalization(name="second.BatchNorm")(branch)
    merged = keras.layers.ReLU()(keras.layers.Add()([stem, branch]))
    pooled = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(merged))
    network = keras.Model(inputs, keras.layers.Dense(3, name="logits")(pooled))
    random = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in (layer.beta, layer.moving_mean):
                variable.assign(random.normal(0, 0.5, 4))
    return network


def changes(network, variables, channels, inputs, labels):
    """How fast the loss of one example changes as each channel vanishes where it is read, by TensorFlow."""
    whole = {name: variable.numpy() for name, variable in variables.items()}
    found = []
    for channel in range(channels.count):
        keep = np.arange(channels.count) != channel
        without = silenced(whole, channels, keep)
        slopes = []
        for share in (1e-3, -1e-3):
            for name, variable in variables.items():
                variable.assign(whole[name] + share * (without[name] - whole[name]))
            slopes.append(float(LOSS(labels, network(inputs, training=False))))
        found.append((slopes[0] - slopes[1]) / 2e-3)
    for name, variable in variables.items():
        variable.assign(whole[name])
    return np.array(found)


def test_scores_are_the_mean_square_of_the_change_without_each_channel():
    network = residual_network()
    variables, channels = named_variables(network), trace(network)
    random = np.random.default_rng(1)
    examples = [(random.standard_normal((1, 6, 6, 2), np.float32), random.integers(0, 3, 1)) for _ in range(3)]
    before = [np.array(variable) for variable in network.variables]
    expected = np.mean([changes(network, variables, channels, *example) ** 2 for example in examples], axis=0)

    scores = Taylor(network, variables, channels).scores(examples)

    assert channels.count == 4  # the addition binds both convolutions
    np.testing.assert_allclose(scores, expected, rtol=0.02)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.long
def test_a_unit_of_an_lstm_goes_where_it_is_read_and_where_its_gates_are_made():
    network = gnmt.GNMT(gnmt.shapes(12, 12, 4), seed=1)
    channels = gnmt_channels({name: tuple(variable.shape) for name, variable in network.named.items()})
    random = np.random.default_rng(1)
    for variable in network.named.values():
        variable.assign(variable + random.normal(0, 0.3, variable.shape))
    whole = {name: variable.numpy() for name, variable in network.named.items()}
    inputs = {"source": np.int32([[4, 5, 6]]), "source_length": np.int32([3]), "target": np.int32([[1, 7, 8, 9]])}
    labels = np.int32([[7, 8, 9, 2]])

    def loss(channel: int, share: float) -> float:
        for name, variable in network.named.items():
            values = whole[name]
            for axis, ids in enumerate(channels.variables[name]):
                if ids is not None:
                    along = [-1 if other == axis else 1 for other in range(values.ndim)]
                    values = values * np.where(ids == channel, 1 - share, 1).reshape(along)
            variable.assign(values)
        return float(LOSS(labels, network(inputs, training=False)))

    first = [ids[0] for ids in channels.groups.values()]
    slopes = [(loss(channel, 0.05) - loss(channel, -0.05)) / 0.1 for channel in first]
    for name, variable in network.named.items():
        variable.assign(whole[name])
    scores = Taylor(network, network.named, channels).scores([(inputs, labels)])
    np.testing.assert_allclose(np.sqrt(scores[first]), np.abs(slopes), rtol=0.03, atol=5e-6)


def test_weights_of_tokens_count_and_another_call_sees_other_values():
    keras.utils.set_random_seed(0)
    embedding, dense = keras.layers.Embedding(6, 4), keras.layers.Dense(3)
    words = keras.Input((None,), dtype="int32")
    network = keras.Model(words, dense(embedding(words)))
    ids, logits = np.arange(4, dtype=np.int32), np.full(3, -1, np.int32)
    channels = Channels({"embedding": (None, ids), "kernel": (ids, logits)}, {"embedding": 1}, {"only": ids})
    sentence, labels = np.int32([[1, 1, 2]]), np.int32([[0, 1, 2]])
    taylor = Taylor(network, {"embedding": embedding.embeddings, "kernel": dense.kernel, "bias": dense.bias}, channels)
    for weight in (np.float32([[1, 1, 0]]), np.float32([[1, 2, 1]])):
        embedded = embedding(sentence)
        with tf.GradientTape() as tape:
            tape.watch(embedded)
            loss = LOSS(labels, dense(embedded), sample_weight=weight)
        by_hand = np.sum(embedded * tape.gradient(loss, embedded), axis=(0, 1)) ** 2
        np.testing.assert_allclose(taylor.scores([(sentence, labels, weight)]), by_hand, rtol=1e-4)
        dense.kernel.assign(2 * dense.kernel)


def test_without_calibration_data_nothing_is_ranked():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(StudyError, match="no calibration data"):
        Taylor(network, {}, Channels({}, {}, {})).scores([])
