"""Networks of other people are pruned exactly: those of keras.applications, and any that layers can make."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from exactness import assert_exact, double_precision
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from tocompress.compression.pruning.dependencies import trace

Tensor = keras.KerasTensor


def _without_normalization(layer: keras.Operation) -> keras.Operation:
    """Return the layer as importing a file leaves it."""
    if isinstance(layer, layers.Normalization):
        return layers.Rescaling([1.0, 2.0, 0.5], [0.0, 0.1, 0.2], name=layer.name)
    return type(layer).from_config(layer.get_config())


@pytest.mark.parametrize(
    ("network", "size", "options"),
    [
        pytest.param("MobileNetV2", 32, {"alpha": 0.35}),
        pytest.param("MobileNetV3Small", 32, {"alpha": 0.5}),
        pytest.param("EfficientNetB0", 32, {}, marks=pytest.mark.long),
        pytest.param("ResNet50V2", 32, {}, marks=pytest.mark.long),
        pytest.param("DenseNet121", 32, {}, marks=pytest.mark.long),
        pytest.param("NASNetMobile", 32, {}, marks=pytest.mark.long),
        pytest.param("Xception", 71, {}, marks=pytest.mark.long),
    ],
)
def test_a_pruned_network_of_keras_equals_the_silenced_one(network: str, size: int, options: dict[str, Any]) -> None:
    with double_precision():
        model = getattr(keras.applications, network)(
            input_shape=(size, size, 3), weights=None, classes=5, classifier_activation=None, **options
        )
        model = keras.models.clone_model(model, clone_function=_without_normalization)
        assert not trace(model).whole
        assert_exact(model)


def _convolution(x: Tensor, filters: int | None = None, size: int = 1, **options: Any) -> Tensor:
    return layers.Conv2D(filters or x.shape[-1], size, padding="same", **options)(x)


def _excited(x: Tensor, keepdims: bool) -> Tensor:
    gate = layers.GlobalAveragePooling2D(keepdims=keepdims)(x)
    gate = layers.Dense(x.shape[-1], "sigmoid")(layers.Dense(2, "silu")(gate))
    return layers.Multiply()([gate if keepdims else layers.Reshape((1, 1, x.shape[-1]))(gate), x])


def _called_twice(x: Tensor) -> Tensor:
    shared, activation = layers.Conv2D(x.shape[-1], 1), layers.ReLU()
    return activation(shared(activation(shared(x))))


#: Each takes and returns a map [B, height, width, channels].
STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "convolution": lambda x: _convolution(x, 4, 3, activation="gelu"),
    "convolution with softmax": lambda x: _convolution(x, 4, activation="softmax"),
    "convolution in groups": lambda x: _convolution(_convolution(x, 4), 6, 3, groups=2),
    "convolution called twice": _called_twice,
    "depthwise": lambda x: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="tanh")(x),
    "separable": lambda x: layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2)(x),
    "dense": lambda x: layers.Dense(4, "hard_silu")(x),
    "batch norm": lambda x: layers.BatchNormalization()(x),
    "batch norm without scale": lambda x: layers.BatchNormalization(scale=False)(x),
    "layer norm": lambda x: layers.LayerNormalization()(x),
    "group norm": lambda x: layers.GroupNormalization(1)(x),
    "rescaling": lambda x: layers.Rescaling(0.5, 1.0)(x),
    "rescaling by channel": lambda x: layers.Rescaling(np.linspace(0.5, 1, x.shape[-1]).tolist())(x),
    "prelu": lambda x: layers.PReLU()(x),
    "prelu of a channel": lambda x: layers.PReLU(shared_axes=[1, 2])(x),
    "prelu of a place": lambda x: layers.PReLU(shared_axes=[3])(x),
    "leaky relu": lambda x: layers.LeakyReLU()(x),
    "elu": lambda x: layers.ELU()(layers.Identity()(x)),
    "activations": lambda x: layers.Activation("mish")(layers.Activation("softplus")(x)),
    "softmax": lambda x: layers.Softmax()(x),
    "softmax over rows": lambda x: layers.Softmax(axis=1)(x),
    "dropout": lambda x: layers.Dropout(0.5)(layers.SpatialDropout2D(0.5)(x)),
    "residual": lambda x: layers.Add()([x, _convolution(x, activation="relu")]),
    "maximum": lambda x: layers.Maximum()([layers.Subtract()([x, _convolution(x)]), layers.Average()([x, x])]),
    "excitation": lambda x: _excited(x, keepdims=True),
    "excitation reshaped": lambda x: _excited(x, keepdims=False),
    "attention to places": lambda x: layers.Multiply()([_convolution(x, 1, activation="sigmoid"), x]),
    "merge of two ranks": lambda x: layers.Add()([x, layers.Dense(x.shape[-1])(layers.GlobalMaxPooling2D()(x))]),
    "concatenation": lambda x: layers.Concatenate()([_convolution(x, 2), x, _convolution(x, 3)]),
    "concatenation of rows": lambda x: layers.Concatenate(axis=1)([_convolution(x), x]),
    "sizes": lambda x: layers.Cropping2D(((1, 0), (0, 2)))(layers.ZeroPadding2D(1)(layers.UpSampling2D(2)(x))),
    "pooling": lambda x: layers.AveragePooling2D(2, padding="same")(layers.MaxPooling2D(2, 1, padding="same")(x)),
    "reshape": lambda x: layers.Reshape((1, -1, x.shape[-1]))(x),
    "reshape that mixes": lambda x: layers.Reshape((x.shape[3], x.shape[1], x.shape[2]))(x),
    "flat and back": lambda x: layers.Reshape(x.shape[1:])(layers.Flatten()(x)),
    "permute": lambda x: layers.Permute((2, 1, 3))(x),
    "permute channels": lambda x: layers.Permute((1, 3, 2))(x),
    "operators": lambda x: ops.relu6(x + 3) / 6 - 1 / (x * x + 1),
    "operators between maps": lambda x: ops.maximum(x, -_convolution(x)) * ops.sigmoid(_convolution(x, 1)),
    "operators by channel": lambda x: x * np.linspace(0.5, 1, x.shape[-1]),
    "operators on axes": lambda x: ops.concatenate([x, ops.mean(x, 2, keepdims=True) * ops.softmax(x, 1)]),
    "sums over channels": lambda x: x + ops.mean(x, axis=-1, keepdims=True),
}

HEADS: list[Callable[[Tensor], Tensor]] = [
    lambda x: layers.Flatten()(x),
    lambda x: layers.Reshape((-1,))(x),
    lambda x: layers.GlobalAveragePooling2D()(x),
    lambda x: ops.squeeze(ops.max(x, axis=(1, 2), keepdims=True), axis=(1, 2)),
]


def network(steps: list[str], head: int, shape: tuple[int, int, int]) -> keras.Model:
    image = keras.Input(shape)
    x = _convolution(image, 5, 3)
    for step in steps:
        x = STEPS[step](x)
    x = HEADS[head](_convolution(x, 5, activation="tanh"))
    return keras.Model(image, layers.Dense(3)(layers.Dense(4, "relu6")(x)))


@pytest.mark.parametrize("step", STEPS)
def test_a_pruned_layer_of_each_kind_equals_the_silenced_one(step: str) -> None:
    with double_precision():
        assert_exact(network([step], 0, (3, 5, 1)))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis 1")
@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=6),
    head=st.integers(0, len(HEADS) - 1),
    shape=st.tuples(st.integers(3, 5), st.integers(3, 5), st.sampled_from((1, 3))),
)
def test_a_pruned_random_network_equals_the_silenced_one(
    steps: list[str], head: int, shape: tuple[int, int, int]
) -> None:
    with double_precision():
        assert_exact(network(steps, head, shape), smaller=False)
