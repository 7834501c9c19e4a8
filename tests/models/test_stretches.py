"""The rest of a network, from where a single tensor passes, gives the outputs of the whole."""

import keras
import numpy as np
import pytest

from tocompress.models.registry import build
from tocompress.models.stretches import stretches_of
from tocompress.models.variables import named_variables


def network_of(name):
    size = 75 if name == "inception_v4" else 32
    network = build(name, width=0.03, input_size=size, classes=7)
    return network, np.random.default_rng(1).random((2, size, size, 3), np.float32)


@pytest.mark.parametrize("name", ["mobilenet_v1", "resnet_v1_50", "inception_v4"])
def test_each_rest_gives_the_outputs_of_the_whole_network(name):
    network, inputs = network_of(name)
    wanted = network(inputs)
    entering, used, count = inputs, [], 0
    for part in stretches_of(network):
        np.testing.assert_allclose(part.rest(entering), wanted, rtol=1e-4, atol=1e-5)
        used += part.variables
        count += 1
        entering = part.onward(entering) if part.onward else None
    assert entering is None
    assert count > 4
    assert sorted(used) == sorted(named_variables(network))


def test_a_layer_that_is_called_twice_belongs_to_its_first_stretch():
    start = keras.Input((8,))
    layers = [keras.layers.Dense(8, name=name) for name in "abcdefgh"]
    end = start
    for layer in [*layers, layers[0]]:
        end = layer(end)
    network = keras.Model(start, end)
    first, *others = list(stretches_of(network))
    assert "a/weights" in first.variables
    assert not any("a/weights" in part.variables for part in others)
    inputs = np.random.default_rng(1).random((2, 8), np.float32)
    np.testing.assert_allclose(others[0].rest(first.onward(inputs)), network(inputs), rtol=1e-4, atol=1e-6)


def test_a_network_is_not_cut_within_a_shortcut():
    start = keras.Input((8,))
    deep = start
    for _ in range(9):
        deep = keras.layers.Dense(8)(deep)
    network = keras.Model(start, keras.layers.Add()([start, deep]))
    (only,) = stretches_of(network)
    assert only.rest is network and only.onward is None
