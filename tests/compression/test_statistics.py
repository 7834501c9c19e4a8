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


def weights_of_variance(variance):
    return {
        name: np.full_like(tensor, variance) if name.endswith("/moving_variance") else np.asarray(tensor)
        for name, tensor in initial(CNN).items()
    }


def test_each_batch_norm_makes_outputs_of_its_offset_and_scale():
    measured = recalibrated(weights_of_variance(1e-6), CNN, pictures(), seed=1)
    network, _ = network_of(CNN, measured)
    inputs = shuffled_batches(pictures(), CNN, 100, 1)[0][0]
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    outputs = keras.Model(network.inputs, [layer.output for layer in layers]).predict_on_batch(inputs)
    for layer, values in zip(layers, outputs, strict=True):
        spread = np.sqrt(layer.moving_variance / (layer.moving_variance + layer.epsilon))
        np.testing.assert_allclose(values.mean(axis=(0, 1, 2)), layer.beta, atol=2e-3, err_msg=layer.name)
        np.testing.assert_allclose(values.std(axis=(0, 1, 2)), layer.gamma * spread, atol=2e-3, err_msg=layer.name)


def test_nothing_but_statistics_changes_and_no_variance_falls_below_half():
    weights = weights_of_variance(1e6)
    measured = recalibrated(weights, CNN, pictures(), seed=1)
    changed = {name for name, tensor in weights.items() if not np.array_equal(measured[name], tensor)}
    assert list(measured) == list(weights)
    assert changed == {name for name in weights if name.endswith(("/moving_mean", "/moving_variance"))}
    assert all((tensor == 5e5).all() for name, tensor in measured.items() if name.endswith("/moving_variance"))
