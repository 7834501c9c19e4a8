"""A network without channels computes what the whole one does with them silenced."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from collections.abc import Iterator

import keras
import numpy as np
import pytest
from exactness import TOLERANCE, Arrays, assert_exact, double_precision, random_mask

from tocompress.compression.pruning.channels import Channels, Mask
from tocompress.compression.pruning.recurrent import gnmt_channels
from tocompress.compression.pruning.surgery import cut, cut_shapes, silenced
from tocompress.compression.quantization.grid import quantize
from tocompress.errors import StudyError
from tocompress.models import gnmt
from tocompress.models.layers import Scope, image_input
from tocompress.models.registry import NETWORKS, build

CNNS = [network for network in NETWORKS.values() if network.kind == "cnn"]


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with double_precision():
        yield


@pytest.mark.parametrize("network", CNNS, ids=lambda network: network.name)
def test_a_pruned_cnn_equals_the_silenced_one(network) -> None:
    assert_exact(build(network.name, width=0.05, input_size=network.minimum_input_size, classes=5))


def test_a_pruned_cnn_in_its_folded_form_equals_the_silenced_one() -> None:
    assert_exact(build("inception_v2", width=0.05, input_size=32, classes=5, folded=True))


def test_a_pruned_network_that_flattens_and_multiplies_depthwise_equals_the_silenced_one() -> None:
    scope = Scope("Network", width=1.0, minimum_depth=1, folded=False, epsilon=1e-3)
    image = image_input(6)
    x = scope.convolution(image, "Convolution", 6, 3, stride=2)
    multiplied = keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="Depthwise")(x)
    x = keras.layers.BatchNormalization(name="Normalized")(multiplied)
    x = scope.separable(keras.layers.Add()([x, multiplied]), "Separable", 5, 3, multiplier=2)
    x = keras.layers.Dense(8, "relu", name="Hidden")(keras.layers.Flatten()(x))
    assert_exact(keras.Model(image, keras.layers.Dense(4, name="Logits")(x)))


@pytest.fixture
def translator() -> tuple[Arrays, Channels, Mask]:
    shapes = gnmt.shapes(20, 22, 12)
    random = np.random.default_rng(0)
    channels = gnmt_channels(shapes)
    return {name: random.normal(0, 0.5, shape) for name, shape in shapes.items()}, channels, random_mask(channels)


def test_a_pruned_translator_equals_the_silenced_one(translator: tuple[Arrays, Channels, Mask]) -> None:
    weights, channels, keep = translator
    small, silent = cut(weights, channels, keep), silenced(weights, channels, keep)
    random = np.random.default_rng(4)
    source, target, length = random.integers(3, 20, (3, 6)), random.integers(3, 22, (3, 5)), np.int32([6, 4, 1])
    source, target = source.astype(np.int32), target.astype(np.int32)

    actual, expected, whole = (
        np.asarray(gnmt.teacher_forced(values, source, length, target)) for values in (small, silent, weights)
    )
    assert actual.dtype == np.float64
    assert np.abs(expected - whole).max() > 0.1 * whole.std()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * expected.std())
    tokens = np.asarray(gnmt.greedy(small, source, length, 8, forced=True))
    np.testing.assert_array_equal(tokens, gnmt.greedy(silent, source, length, 8, forced=True))
    assert len(np.unique(tokens)) > 1


def test_a_pruned_translator_has_the_predicted_shapes_and_can_be_pruned_again(
    translator: tuple[Arrays, Channels, Mask],
) -> None:
    weights, channels, keep = translator
    small = cut(weights, channels, keep)
    shapes = {name: values.shape for name, values in small.items()}
    assert shapes == cut_shapes({name: values.shape for name, values in weights.items()}, channels, keep)
    assert len({len(ids[keep[ids]]) for ids in channels.groups.values()}) > 2  # groups of different sizes
    again = gnmt_channels(shapes)
    assert again.count == keep.sum()
    assert all(values.flags.c_contiguous for values in cut(small, again, random_mask(again)).values())


def test_arrays_keep_their_type_and_silence_is_zero_only_where_a_channel_is_read() -> None:
    ids = np.int32([0, 1])
    channels = Channels(
        {"a/weights": (None, None, None, ids), "a/biases": (ids,), "b/weights": (ids, np.int32([-1]))},
        {"a/weights": 3},
        {"a": ids},
    )
    weights = {"a/weights": np.ones((1, 1, 3, 2)), "a/biases": np.ones(2), "b/weights": np.ones((2, 1))}
    weights = {name: values.astype(np.float32) for name, values in weights.items()}
    keep = np.array([False, True])
    assert {name: values.shape for name, values in cut(weights, channels, keep).items()} == {
        "a/weights": (1, 1, 3, 1),
        "a/biases": (1,),
        "b/weights": (1, 1),
    }
    silent = silenced(weights, channels, keep)
    assert silent["b/weights"].tolist() == [[0], [1]]
    assert silent["a/weights"].all() and silent["a/biases"].all()
    for result in (cut(weights, channels, keep), silent):
        assert {values.dtype for values in result.values()} == {np.dtype(np.float32)}


def test_what_does_not_fit_is_named() -> None:
    ids = np.int32([0, 1])
    channels, keep = Channels({"a/kernel": (None, ids)}, {"a/kernel": 1}, {"a": ids}), np.array([True, False])
    kernel = np.ones((3, 2), np.float32)
    for remove in (cut, silenced):
        with pytest.raises(StudyError, match="a/kernel: quantized to 8 bits"):
            remove({"a/kernel": quantize(kernel, 8)}, channels, keep)
    with pytest.raises(StudyError, match=r"b/kernel: .*no such variable"):
        cut({"b/kernel": kernel}, channels, keep)
    with pytest.raises(StudyError, match=r"a/kernel: shape \[3, 3\], .*\[3, 2\]"):
        cut_shapes({"a/kernel": (3, 3)}, channels, keep)
    with pytest.raises(StudyError, match=r"mask of 1 channels .* 2"):
        cut({"a/kernel": kernel}, channels, keep[:1])
