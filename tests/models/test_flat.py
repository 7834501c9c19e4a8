"""A flat graph computes as the model that it was made of, and as its deployed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tocompress.checkpoints.keras_file import read
from tocompress.errors import StudyError
from tocompress.models.flat import flat, folded, kernels_of_batch_norms, rebuilt, takes_pixels
from tocompress.models.variables import named_variables
from tocompress.runtimes.deployed import deployed

SHAPE = (12, 10, 3)


def outputs(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


def images(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (5, *shape)).astype(np.float32)


def stirred(model: keras.Model) -> keras.Model:
    """Give every batch norm statistics and scales of its own."""
    random = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return model


def transferred() -> keras.Model:
    """Return a backbone as a layer of a model with a head, as transfer learning makes it."""
    inner = image = keras.Input(SHAPE)
    inner = layers.Conv2D(8, 3, use_bias=False, name="conv")(inner)
    inner = layers.BatchNormalization(epsilon=0.01, name="bn")(inner)
    inner = layers.ReLU()(inner)
    inner = layers.DepthwiseConv2D(3, name="depthwise")(inner)
    inner = layers.BatchNormalization(scale=False, name="depthwise bn")(inner)
    backbone = keras.Model(image, layers.GlobalAveragePooling2D()(inner), name="backbone")
    x = outer = keras.Input(SHAPE)
    x = layers.Identity()(x)
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(x)
    x = backbone(x, training=False)
    x = layers.Dropout(0.5)(x)
    return keras.Model(outer, layers.Dense(4, activation="softmax", name="output")(x))


def preactivated() -> keras.Model:
    """Return a model with batch norms that no kernel can take in."""
    x = image = keras.Input(SHAPE)
    x = first = layers.Conv2D(6, 3, padding="same", name="first")(x)
    x = layers.BatchNormalization(name="shared_input")(x)
    x = layers.Conv2D(6, 1, activation="relu", name="activated")(x)
    x = layers.BatchNormalization(name="after_relu")(x)
    x = layers.Add()([x, first])
    x = layers.Conv2D(5, 3, name="last")(x * 2 + 1)
    x = layers.BatchNormalization(center=False, name="after_last")(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Softmax()(layers.Dense(3)(x)))


def shared() -> keras.Model:
    """Return a model with layers that are called twice, and with probabilities before its last layer."""
    x = image = keras.Input(SHAPE)
    repeated = (layers.Conv2D(3, 3, padding="same", name="twice"), layers.BatchNormalization(), layers.ReLU())
    for layer in (*repeated, *repeated):
        x = layer(x)
    x = layers.Conv2D(3, 1, activation="softmax")(layers.GlobalMaxPooling2D(keepdims=True)(x))
    return keras.Model(image, layers.Softmax()(layers.Dropout(0.1)(layers.Flatten()(x))))


def namesakes() -> keras.Model:
    """Return a model with two backbones whose layers have the same names, one of them that of a flat graph's."""
    x = image = keras.Input(SHAPE)
    for name in ("a", "b"):
        inner = [keras.Input(x.shape[1:]), layers.ReLU(), layers.BatchNormalization(name="BatchNorm")]
        x = keras.Sequential([*inner, layers.Conv2D(3, 3, name="conv")], name=name)(x)
    return keras.Model(image, layers.Dense(3, activation="log_softmax")(layers.Flatten()(x)))


@pytest.mark.parametrize("build", [transferred, preactivated, shared, namesakes])
def test_a_flat_graph_and_its_deployed_form_compute_as_the_model(build: Callable[[], keras.Model]) -> None:
    model = stirred(build())
    made, activations = flat(model)
    expected, found = outputs(model, images()), outputs(made, images())
    assert activations == {shared: ("softmax", "softmax"), namesakes: ("log_softmax",)}.get(build, ("softmax",))
    for activation in activations:
        found = keras.ops.convert_to_numpy(getattr(keras.activations, activation)(found))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.std())

    again = rebuilt(made.to_json())
    again.set_weights(made.get_weights())
    np.testing.assert_array_equal(outputs(again, images()), outputs(made, images()))

    form = deployed({name: np.asarray(variable) for name, variable in named_variables(made).items()}, 0.0)
    small = folded(made)
    assert not any(isinstance(layer, layers.BatchNormalization | layers.Dropout) for layer in small.layers)
    variables = named_variables(small)
    assert variables.keys() == form.keys()
    for name, variable in variables.items():
        variable.assign(form[name])
    expected = outputs(made, images())
    np.testing.assert_allclose(outputs(small, images()), expected, rtol=0, atol=1e-5 * expected.std())


def test_batch_norms_are_named_after_their_kernels() -> None:
    assert kernels_of_batch_norms(flat(transferred())[0]) == {
        "conv.BatchNorm": "conv",
        "depthwise.BatchNorm": "depthwise",
    }
    assert kernels_of_batch_norms(flat(preactivated())[0]) == {
        "shared_input.BatchNorm": None,
        "after_relu.BatchNorm": None,
        "last.BatchNorm": "last",
    }


def test_names_are_unique_without_their_case_and_never_a_graphs_own() -> None:
    x = image = keras.Input(SHAPE)
    for name in ("output", "Weights", "a b", "a_b", "A_B"):
        x = layers.Conv2D(3, 1, name=name)(x)
    inner = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 1, name="a_b")], name="part")
    x = layers.Dense(3, name="dequantize")(layers.GlobalAveragePooling2D()(inner(x)))
    names = [layer.name for layer in flat(keras.Model(image, x))[0].layers]
    assert names[0] == "input"
    assert len({name.lower() for name in names}) == len(names)
    assert not {"output", "weights", "dequantize"} & {name.lower() for name in names}
    assert "part.a_b" in names


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Rescaling(1 / 255), True),
        (layers.Rescaling(1 / 127.5, offset=-1), True),
        (layers.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3), True),
        (layers.Rescaling(2.0, offset=-1), False),
        (layers.ReLU(), False),
    ],
)
def test_a_model_that_scales_pixels_is_told_by_its_first_layer(layer: keras.Layer, expected: bool) -> None:
    model = keras.Sequential([keras.Input(SHAPE), layer, layers.Flatten(), layers.Dense(3)])
    assert takes_pixels(flat(model)[0]) is expected


@pytest.mark.parametrize(
    "preprocess",
    [
        keras.applications.mobilenet_v2.preprocess_input,  # x / 127.5 - 1
        keras.applications.densenet.preprocess_input,  # ImageNet's mean and deviation
        keras.applications.resnet50.preprocess_input,  # means of blue, green and red
    ],
)
def test_preprocessing_by_operations_is_told_too_and_survives_a_file(
    preprocess: Callable[[keras.KerasTensor], keras.KerasTensor], tmp_path: Path
) -> None:
    image = keras.Input(SHAPE)
    x = layers.Flatten()(layers.Conv2D(4, 3)(preprocess(image)))
    model = keras.Model(image, layers.Dense(3)(x))
    model.save(tmp_path / "model.keras")
    made, _ = flat(read(tmp_path / "model.keras").model)
    assert takes_pixels(made)
    pixels = 127.5 * (images() + 1)
    expected = outputs(model, pixels)
    np.testing.assert_allclose(outputs(made, pixels), expected, rtol=0, atol=1e-5 * expected.std())


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(axis=1, name="rows"),
        layers.Normalization(axis=1, mean=[0.0] * 12, variance=[1.0] * 12, name="rows"),
    ],
)
def test_a_layer_that_normalizes_another_axis_is_named(layer: keras.Layer) -> None:
    model = keras.Sequential([keras.Input(SHAPE), layer, layers.Flatten(), layers.Dense(3)])
    with pytest.raises(StudyError, match="rows: normalizes"):
        flat(model)
