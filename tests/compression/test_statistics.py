"""Recalibrated statistics are the moments of all that reaches each batch norm, in a network recalibrated so far."""

import keras
import numpy as np

from tocompress.checkpoints.acquire import initial
from tocompress.compression.statistics import recalibrated
from tocompress.settings.model import ImageModel
from tocompress.tasks.examples import shuffled_batches
from tocompress.tasks.networks import network_of

CNN = ImageModel(network="resnet_v1_50", build="initial", width=0.05, input_size=32, classes=10, data="glyphs")


def pictures():
    images = np.random.default_rng(1).integers(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    return images, np.arange(100, dtype=np.int32) % 10


def test_each_batch_norm_makes_outputs_of_its_offset_and_scale():
    weights = {name: np.asarray(tensor) for name, tensor in initial(CNN).items()}
    measured = recalibrated(weights, CNN, pictures(), seed=1)

    network, _ = network_of(CNN, measured)
    inputs = shuffled_batches(pictures(), CNN, 100, 1)[0][0]
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    outputs = keras.Model(network.inputs, [layer.output for layer in layers]).predict_on_batch(inputs)
    for layer, values in zip(layers, outputs, strict=True):
        moments = np.mean(values, axis=(0, 1, 2)), np.std(values, axis=(0, 1, 2))
        spread = np.sqrt(layer.moving_variance / (layer.moving_variance + layer.epsilon))  # no channel is below epsilon
        np.testing.assert_allclose(moments[0], layer.beta, atol=2e-3, err_msg=layer.name)
        np.testing.assert_allclose(moments[1], layer.gamma * spread, atol=2e-3, err_msg=layer.name)


def test_nothing_but_statistics_changes():
    weights = {name: np.asarray(tensor) for name, tensor in initial(CNN).items()}
    measured = recalibrated(weights, CNN, pictures(), seed=1)
    changed = {name for name, tensor in weights.items() if not np.array_equal(measured[name], tensor)}
    assert list(measured) == list(weights)
    assert changed == {name for name in weights if name.endswith(("/moving_mean", "/moving_variance"))}
