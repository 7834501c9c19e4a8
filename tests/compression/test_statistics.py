"""A recalibrated network's batch norms have outputs as the uncompressed network's."""

import keras
import numpy as np
import pytest

from tocompress.checkpoints.acquire import initial
from tocompress.compression.statistics import LEAST, recalibrated, spreads
from tocompress.settings.model import ImageModel
from tocompress.tasks.examples import shuffled_batches
from tocompress.tasks.networks import network_of

CNN = ImageModel(network="resnet_v1_50", build="initial", width=0.05, input_size=32, classes=10, data="glyphs")
STATISTICS = ("/moving_mean", "/moving_variance")


@pytest.fixture(scope="module")
def pictures():
    images = np.random.default_rng(1).integers(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    return images, np.arange(100, dtype=np.int32) % 10


@pytest.fixture(scope="module")
def whole():
    """Weights whose stored statistics are not the moments of the inputs."""
    return {name: np.asarray(tensor) for name, tensor in initial(CNN).items()}


def outputs_of_batch_norms(weights, pictures):
    network, _ = network_of(CNN, weights)
    inputs = shuffled_batches(pictures, CNN, 100, 1)[0][0]
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return zip(
        layers, keras.Model(network.inputs, [layer.output for layer in layers]).predict_on_batch(inputs), strict=True
    )


def test_an_uncompressed_network_keeps_its_statistics(whole, pictures):
    measured = recalibrated(whole, CNN, pictures, 1, spreads(whole, CNN, pictures, 1))
    assert list(measured) == list(whole)
    for name, tensor in whole.items():
        np.testing.assert_allclose(measured[name], tensor, rtol=1e-4, atol=1e-5, err_msg=name)


def test_each_batch_norm_gets_back_the_mean_and_the_spread_of_its_outputs(whole, pictures):
    changed = {name: 1.7 * tensor if name.endswith("/weights") else tensor for name, tensor in whole.items()}
    measured = recalibrated(changed, CNN, pictures, 1, spreads(whole, CNN, pictures, 1))
    assert all(np.array_equal(measured[name], changed[name]) for name in changed if not name.endswith(STATISTICS))
    exact, mended = (outputs_of_batch_norms(weights, pictures) for weights in (whole, measured))
    for (layer, expected), (_, values) in zip(exact, mended, strict=True):
        np.testing.assert_allclose(
            values.mean((0, 1, 2)), expected.mean((0, 1, 2)), rtol=1e-3, atol=2e-3, err_msg=layer.name
        )
        np.testing.assert_allclose(
            values.std((0, 1, 2)), expected.std((0, 1, 2)), rtol=1e-3, atol=2e-3, err_msg=layer.name
        )


def test_a_channel_that_lost_its_spread_is_not_scaled_up_without_bound(whole, pictures):
    first = "resnet_v1_50/conv1/weights"
    faded = whole | {first: 1e-3 * whole[first]}
    measured = recalibrated(faded, CNN, pictures, 1, spreads(whole, CNN, pictures, 1))
    name, epsilon = "resnet_v1_50/conv1/BatchNorm/moving_variance", 1e-5
    np.testing.assert_allclose(measured[name] + epsilon, LEAST * (whole[name] + epsilon), rtol=1e-5)
