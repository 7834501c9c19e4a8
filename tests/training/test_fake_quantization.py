"""Fake quantization is quantization, with the float kernel's gradient, and loses nothing of the network it wraps."""

import keras
import numpy as np
import pytest

from tocompress.compression.quantization.grid import dequantize, quantize
from tocompress.errors import StudyError
from tocompress.models import gnmt
from tocompress.training.fake_quantization import FakeQuantized, Grid, fake_quantized


@pytest.mark.parametrize("bits", [2, 6, 8, 16])
@pytest.mark.parametrize(("axis", "symmetric"), [(None, False), (2, False), (3, False), (2, True), (3, True)])
@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_a_kernel_is_read_as_it_would_be_stored(bits, axis, symmetric, shift):
    kernel = (np.random.default_rng(bits).normal(size=(3, 3, 5, 7)) + shift).astype(np.float32)
    kernel[:, :, 0, 0] = 0
    kernel[..., 1] = 0
    grid = Grid(bits, axis, symmetric)
    expected = dequantize(quantize(kernel, *grid))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(fake_quantized(kernel, grid)), expected)


@pytest.mark.long
def test_the_gradient_goes_straight_through_and_batch_norm_learns():
    image = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(3, 3, use_bias=False, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm", momentum=0.5)(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    kernel, seed = network.get_layer("conv").kernel, network.get_layer("dropout").seed_generator.state
    wrapped = FakeQuantized(network, {"conv/weights": kernel}, {"conv/weights": Grid(2)})
    images = np.random.default_rng(0).normal(size=(8, 4, 4, 2)).astype(np.float32)

    stored = dequantize(quantize(kernel.numpy(), 2))
    before = kernel.numpy()
    kernel.assign(stored)
    expected = network.predict(images, verbose=0)
    kernel.assign(before)
    np.testing.assert_array_equal(wrapped.predict(images, verbose=0), expected)

    mean, drawn = network.get_layer("norm").moving_mean.numpy(), np.array(seed)
    wrapped.compile("sgd", "mse", jit_compile=False)
    wrapped.fit(images, np.ones((8, 3)), verbose=0)
    assert len(np.unique(kernel.numpy() - before)) > 4  # moved, and not along a grid
    assert (network.get_layer("norm").moving_mean.numpy() != mean).all()
    assert (np.array(seed) != drawn).any()


@pytest.mark.long
def test_the_loss_of_guided_attention_counts_once():
    shapes = gnmt.shapes(8, 8, 4)
    inputs = {
        "source": np.array([[3, 4, 2], [5, 6, 7]], np.int32),
        "source_length": np.array([2, 3], np.int32),
        "target": np.array([[1, 3, 4], [1, 5, 2]], np.int32),
    }
    following = np.array([[3, 4, 2], [5, 2, 2]], np.int32)
    losses = []
    for wrap in (False, True):
        network = gnmt.GNMT(shapes, dropout=0.0, guidance=3.0, seed=1)
        model = (
            FakeQuantized(network, gnmt.named_variables(network), {gnmt.QUERY_KERNEL: Grid(16)}) if wrap else network
        )
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        losses.append(model.train_on_batch(inputs, following))
    assert losses[0] > np.log(8) + 0.2  # the guidance is in it
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_an_unknown_kernel_is_named():
    network = gnmt.GNMT(gnmt.shapes(8, 8, 4))
    with pytest.raises(StudyError, match="no variable conv/weights to quantize"):
        FakeQuantized(network, gnmt.named_variables(network), {"conv/weights": Grid(8)})
