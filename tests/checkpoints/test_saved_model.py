"""A SavedModel becomes a Keras model of its layers, with its outputs. None of its graph is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from test_keras_file import PICTURES, refusal, with_random_weights

from tocompress.checkpoints.keras_file import read
from tocompress.models.keras_alone import keras

layers, ops = keras.layers, keras.ops


def kinds(model: Any) -> Counter[str]:
    return Counter(type(operation).__name__ for operation in model.operations)


def check(model: Any, folder: Path, pictures: np.ndarray = PICTURES, tolerance: float = 1e-5) -> Any:
    """Return the model that is read from the folder, which gives the outputs of `model`."""
    loaded = read(folder).model
    expected = np.asarray(model(pictures))
    np.testing.assert_allclose(loaded(pictures), expected, rtol=0, atol=tolerance * expected.std(0).mean())
    return loaded


def everything() -> Any:
    """A model with every operation that is known, and its layers in one order."""
    image = keras.Input((8, 8, 3))
    tensor = layers.Normalization(mean=[100.0, 120.0, 90.0], variance=[900.0, 1000.0, 1100.0])(image / 2.0 + 1.0)
    tensor = layers.Conv2D(6, 3, padding="same", use_bias=False, name="stem")(tensor[..., ::-1])
    tensor = layers.BatchNormalization(name="norm")(tensor)
    tensor = layers.Activation("silu")(tensor)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(tensor)
    gate = layers.Conv2D(6, 1, activation="hard_sigmoid", name="gate")(gate)
    tensor = layers.Multiply()([tensor, gate])
    tensor = layers.Conv2D(6, 3, groups=2, padding="same", activation="relu6")(tensor)
    left = layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2, activation="selu")(tensor)
    right = layers.DepthwiseConv2D(3, padding="same", activation="elu")(tensor)
    right = layers.Conv2D(4, 1, activation="softplus")(right)
    tensor = layers.Average()([layers.Subtract()([left, right]), layers.Maximum()([left, right])])
    tensor = layers.Concatenate()([tensor, layers.LeakyReLU(0.2)(left), layers.PReLU(shared_axes=[1, 2])(right)])
    tensor = layers.ZeroPadding2D(((1, 0), (0, 1)))(tensor)
    tensor = layers.Cropping2D(((0, 1), (1, 0)))(layers.MaxPooling2D(2, 1, "same")(tensor))
    tensor = layers.Add()([layers.AveragePooling2D(2)(tensor), layers.MaxPooling2D(3, 2, "same")(tensor)])
    tensor = ops.minimum(ops.maximum(tensor, -0.5), 3.0)
    tensor = layers.Dropout(0.5)(layers.BatchNormalization(name="alone")(tensor))
    tops = [layers.GlobalMaxPooling2D()(tensor), layers.Flatten()(layers.Permute((2, 1, 3))(tensor))]
    tensor = layers.Dense(9, activation="tanh", name="hidden")(layers.Concatenate()(tops))
    tensor = layers.Reshape((3, 3))(tensor)
    tensor = layers.BatchNormalization(name="last")(layers.Flatten()(tensor))
    return with_random_weights(keras.Model(image, layers.Dense(5, name="logits")(tensor)))


@pytest.mark.parametrize("generation", ["export", "save"])
def test_a_saved_model_gives_its_own_outputs_from_the_same_layers(generation: str, tmp_path: Path) -> None:
    model = everything()
    if generation == "export":
        model.export(tmp_path / "saved", verbose=False)
    else:
        tf.saved_model.save(model, str(tmp_path / "saved"))
    loaded = check(model, tmp_path / "saved")
    found, expected = kinds(loaded), kinds(model)
    for kind in ("Conv2D", "DepthwiseConv2D", "Dense", "Multiply", "Concatenate", "ZeroPadding2D", "Cropping2D"):
        known = expected[kind] + (expected["SeparableConv2D"] if kind in ("Conv2D", "DepthwiseConv2D") else 0)
        assert found[kind] == known, kind
    biased = {layer.name: layer.use_bias for layer in loaded.layers if isinstance(layer, (layers.Conv2D, layers.Dense))}
    assert not biased.pop("stem") and all(biased.values()) and {"gate", "hidden", "logits"} <= biased.keys()
    assert {"norm", "alone", "last"} <= {layer.name for layer in loaded.layers}
    assert {"silu", "hard_sigmoid"} <= {
        getattr(getattr(each, "activation", None), "__name__", "") for each in loaded.layers
    }


def test_layers_as_functions_of_their_own_are_read(tmp_path: Path) -> None:
    """Keras 2 called a function a layer, and used fused batch norms."""

    class Model(tf.Module):
        def __init__(self) -> None:
            draw = np.random.default_rng(1).uniform
            self.kernel = tf.Variable(draw(-1, 1, (3, 3, 3, 4)), dtype=tf.float32)
            self.numbers = [tf.Variable(draw(0.5, 1, 4), dtype=tf.float32) for _ in range(4)]
            self.dense = tf.Variable(draw(-1, 1, (4, 5)), dtype=tf.float32)

        @tf.function
        def convolution(self, image: Any) -> Any:
            return tf.nn.relu(tf.nn.conv2d(image, self.kernel, 1, "SAME"))

        @tf.function
        def norm(self, tensor: Any) -> Any:
            return tf.compat.v1.nn.fused_batch_norm(tensor, *self.numbers, epsilon=0.01, is_training=False)[0]

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
        def __call__(self, image: Any) -> Any:
            tensor = self.norm(self.convolution(image))
            return {"scores": tf.nn.softmax(tf.reduce_mean(tensor, (1, 2)) @ self.dense * 0.01)}

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "saved"), {"serving_default": model.__call__})
    loaded = check(lambda pictures: model(pictures)["scores"], tmp_path / "saved")
    assert kinds(loaded)["BatchNormalization"] == 1


LONG = np.ones((2**15, 1), np.float32)
Body = Callable[[Any], Any]
EVIL: dict[str, tuple[Body, str]] = {
    "Python": (lambda x: tf.reshape(tf.numpy_function(lambda y: y, [x], tf.float32), (-1, 192)), "PyFunc"),
    "file read": (
        lambda x: tf.reshape(x, (-1, 192)) + tf.strings.to_number(tf.io.read_file("/etc/hostname")),
        "the operation",
    ),
    "loop": (lambda x: tf.while_loop(lambda y: tf.reduce_sum(y) < 9, lambda y: (y + 1,), (x,))[0], "the operation"),
    "random": (lambda x: tf.reshape(x + tf.random.normal((8, 8, 3)), (-1, 192)), "the operation RandomStandardNormal"),
    "bomb": (
        lambda x: tf.reshape(x, (-1, 192)) + tf.reduce_sum(tf.constant(LONG) * tf.constant(LONG.T)),
        "enormous size",
    ),
    "unsupported": (lambda x: tf.reshape(tf.reduce_mean(x, 3), (-1, 64)), "this use of Mean is not supported"),
    "two inputs' worth of batch": (lambda x: tf.reshape(x, (-1, 96)), "this use of Reshape is not supported"),
}


@pytest.mark.parametrize("case", EVIL)
def test_operations_that_are_no_layers_are_refused_by_name(case: str, tmp_path: Path) -> None:
    body, words = EVIL[case]
    module = tf.Module()
    module.function = tf.function(body)
    concrete = module.function.get_concrete_function(tf.TensorSpec((None, 8, 8, 3), tf.float32))
    tf.saved_model.save(module, str(tmp_path / "saved"), {"serving_default": concrete})
    message = refusal(tmp_path / "saved")
    assert words in message and "save" in message


def test_whole_numbers_as_input_are_said_and_text_is_refused(tmp_path: Path) -> None:
    module = tf.Module()
    module.function = tf.function(lambda x: tf.reshape(tf.cast(x, tf.float32), (-1, 192)) / 255.0)
    concrete = module.function.get_concrete_function(tf.TensorSpec((None, 8, 8, 3), tf.uint8))
    tf.saved_model.save(module, str(tmp_path / "saved"), {"serving_default": concrete})
    loaded = read(tmp_path / "saved")
    np.testing.assert_allclose(loaded.model(PICTURES), PICTURES.reshape(3, 192) / 255, rtol=1e-5)
    assert "though the file says uint8" in loaded.notes[0]
    module = tf.Module()
    module.function = tf.function(lambda x: tf.strings.to_number(x))
    concrete = module.function.get_concrete_function(tf.TensorSpec((None, 8), tf.string))
    tf.saved_model.save(module, str(tmp_path / "text"), {"serving_default": concrete})
    assert "its input is of the type string" in refusal(tmp_path / "text")


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    model = with_random_weights(keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4)]))
    folder = tmp_path / "saved"
    model.export(folder, verbose=False)
    whole = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    assert "saved_model.pb is damaged" in refusal(folder)
    saved = SavedModel.FromString(whole)
    for name in list(saved.meta_graphs[0].signature_def):
        del saved.meta_graphs[0].signature_def[name]
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    assert "no signature for serving" in refusal(folder)
    for change, words in ((call_itself, "call one another without end"), (tie_in_a_circle, "nodes have no order")):
        saved = SavedModel.FromString(whole)
        change(saved.meta_graphs[0].graph_def.library.function)
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        assert words in refusal(folder)
    (folder / "saved_model.pb").write_bytes(whole)
    check(model, folder)
    next((folder / "variables").glob("*.data*")).unlink()
    assert "get all of" in refusal(folder)


def call_itself(functions: Any) -> None:
    for function in functions:
        for node in function.node_def:
            if node.op == "StatefulPartitionedCall":
                node.attr["f"].func.name = function.signature.name


def tie_in_a_circle(functions: Any) -> None:
    for function in functions:
        for node in function.node_def:
            if node.op == "MatMul":
                node.input[0] = f"{node.name}:product:0"


SIZES = {"MobileNetV2": 64, "MobileNetV3Small": 64, "EfficientNetB0": 64}


@pytest.mark.long
@pytest.mark.parametrize("network", SIZES)
def test_a_network_of_keras_keeps_its_outputs(network: str, tmp_path: Path) -> None:
    shape = (SIZES[network], SIZES[network], 3)
    model = getattr(keras.applications, network)(weights=None, input_shape=shape, classes=7, classifier_activation=None)
    pictures = np.random.default_rng(1).uniform(-1, 1, (4, *shape)).astype(np.float32)
    for layer in model.layers:  # else initial weights give nearly the same outputs for all pictures
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(pictures, training=True)
    model.export(tmp_path / "saved", verbose=False)
    # So many layers make more of a rounding: one of 1e-6 in the pictures moves an output by 4e-4 of its deviation.
    check(model, tmp_path / "saved", pictures, 1e-4)
