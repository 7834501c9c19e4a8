"""A user's Keras model gives its own outputs once it is read, and no file makes its code run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tocompress.checkpoints import architecture
from tocompress.checkpoints.keras_file import read
from tocompress.errors import StudyError
from tocompress.models.keras_alone import keras

layers, ops = keras.layers, keras.ops
Json = Any


def with_random_weights(model: Any) -> Any:
    """Return the model with other values in every variable, so that no two layers can change places."""
    generator = np.random.default_rng(1)
    for variable in model.weights:
        if variable.dtype != "int32":
            variable.assign(generator.uniform(0.2, 0.8, variable.shape))
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def transferred() -> Any:
    """A model with all that a transfer-learned one has: nested models, augmentation, preprocessing and operations."""
    backbone_input = keras.Input((None, None, 3))
    tensor = layers.Conv2D(4, 3, use_bias=False, padding="same", name="stem")(backbone_input)
    tensor = layers.BatchNormalization(name="stem_bn")(tensor)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(tensor)
    gate = layers.Conv2D(4, 1, activation="hard_sigmoid")(gate)
    tensor = layers.Multiply()([tensor, gate])
    left = layers.DepthwiseConv2D(3, padding="same", name="left")(tensor)
    right = layers.DepthwiseConv2D(3, padding="same", name="right")(tensor)
    backbone = keras.Model(backbone_input, layers.Add()([right, left]), name="backbone")
    backbone.trainable = False
    image = keras.Input((8, 8, 3))
    tensor = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)], name="augmentation")(image)
    tensor = layers.Normalization()(tensor / 127.5 - 1.0)
    tensor = backbone(tensor, training=False)
    tensor = ops.relu6(tensor[..., ::-1] * 2.0)
    tensor = layers.SeparableConv2D(6, 3)(tensor)
    tensor = layers.PReLU(shared_axes=[1, 2])(tensor)
    tensor = layers.Dropout(0.2)(ops.mean(tensor, axis=(1, 2)))
    tensor = layers.Dense(5, kernel_regularizer="l2", kernel_constraint="max_norm")(tensor)
    return with_random_weights(keras.Model(image, layers.Softmax()(tensor)))


PICTURES = np.random.default_rng(2).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_gives_its_own_outputs(suffix: str, tmp_path: Path) -> None:
    model = transferred()
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / f"model.{suffix}")
    loaded = read(tmp_path / f"model.{suffix}")
    np.testing.assert_allclose(loaded.model(PICTURES), model(PICTURES), rtol=0, atol=1e-6)
    assert len(loaded.notes) == 1 and "random augmentation changes nothing in inference: random_flip" in loaded.notes[0]
    assert not loaded.model.compiled


def test_a_sequential_model_and_one_that_ends_in_a_nested_model_are_read(tmp_path: Path) -> None:
    head = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4)], name="head")
    image = keras.Input((8, 8, 3))
    functional_head = keras.Model(inner := keras.Input((3,)), layers.Dense(4)(inner), name="functional_head")
    pooled = layers.GlobalMaxPooling2D()(image)
    for model in (
        keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same"), head]),
        keras.Model(image, functional_head(pooled)),
        keras.Model(image, layers.Add()([head(image), functional_head(pooled)])),
    ):
        with_random_weights(model).save(tmp_path / "model.keras")
        model.save(tmp_path / "model.h5")
        for name in ("model.keras", "model.h5"):
            np.testing.assert_allclose(read(tmp_path / name).model(PICTURES), model(PICTURES), rtol=1e-6)


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "bfloat16", "mixed_bfloat16", "float64"])
def test_other_precisions_become_float32(policy: str, tmp_path: Path) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(4)])
        with_random_weights(model).save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = read(tmp_path / "model.keras")
    for stored, variable in zip(model.weights, loaded.model.weights, strict=True):
        assert variable.dtype == "float32"
        np.testing.assert_array_equal(variable, ops.cast(stored, "float32"))
    assert f"computed in float32, though layers were saved in {policy}" in loaded.notes


# What cannot be brought.


def saved(model: Any, path: Path) -> Path:
    model.save(path)
    return path


def small(*inner: Any, size: tuple[int | None, ...] = (8, 8, 3), classes: int = 4) -> Any:
    return keras.Sequential([keras.Input(size), *inner, layers.Flatten(), layers.Dense(classes, name="logits")])


def edited(path: Path, change: Callable[[Json], Json | None]) -> Path:
    """Change the description of a .keras file in place."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(members["config.json"])
    members["config.json"] = json.dumps(change(description) or description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(StudyError) as raised:
        read(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 600
    return message.removeprefix(f"{path}: ")


def record(kind: str, config: Json, **more: Json) -> Json:
    return {"module": "keras.layers", "class_name": kind, "registered_name": None, "config": config, **more}


FUNCTION = {"class_name": "function", "registered_name": "function"}
LAMBDA_CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}

#: Layers put in place of the Flatten layer, and words of the refusal. The first ones are published ways around
#: Keras's `safe_mode`: each made Keras run or load what the file names.
HOSTILE: dict[str, tuple[Json, str]] = {
    "lambda": (
        record("Lambda", {"name": "evil", "function": LAMBDA_CODE}),
        "evil: is of the type Lambda",
    ),
    "function of another module": (
        record("Lambda", {"name": "evil", "function": {"module": "os", "config": "system", **FUNCTION}}),
        "evil: is of the type Lambda",
    ),
    "class of another module": (
        {"module": "subprocess", "class_name": "Popen", "config": {"name": "evil", "args": ["true"]}},
        "evil: is of the type Popen, which is a custom object",
    ),
    "switch of the safe mode": (
        {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {"name": "evil"}},
        "evil: is of the type enable_unsafe_deserialization",
    ),
    "load_model as a layer": (
        {"module": "keras.models", "class_name": "function", "config": "load_model", "name": "evil"},
        "is of the type function",
    ),
    "download": (
        {"module": "keras.utils", "class_name": "get_file", "config": {"name": "evil", "origin": "http://x"}},
        "evil: is of the type get_file",
    ),
    "file as a vocabulary": (record("StringLookup", {"name": "evil", "vocabulary": "/etc/passwd"}), "text input"),
    "SavedModel as a layer": (record("TFSMLayer", {"name": "evil", "filepath": "/x"}), "runs code from outside Keras"),
    "Torch module": (record("TorchModuleWrapper", {"name": "evil", "module": "x"}), "runs code from outside Keras"),
    "lambda as an activation": (
        record("Dense", {"name": "evil", "units": 4, "activation": LAMBDA_CODE}),
        "evil: is of the type Lambda",
    ),
    "function as an activation": (
        record("Dense", {"name": "evil", "units": 4, "activation": {"module": "os", "config": "system", **FUNCTION}}),
        "is of the type function, which is a custom object",
    ),
    "object as a setting": (
        record("Reshape", {"name": "evil", "target_shape": record("Lambda", {"function": LAMBDA_CODE})}),
        "evil: is of the type Lambda",
    ),
    "custom object": (
        {"module": "mine", "class_name": "Dense", "registered_name": "mine>Dense", "config": {"name": "own"}},
        "own: is of the type Dense, which is a custom object",
    ),
    "registered custom object": (
        record("Gate", {"name": "own"}) | {"registered_name": "mine>Gate"},
        "own: is of the type Gate, which is a custom",
    ),
    "recurrent": (
        record("LSTM", {"name": "memory", "units": 4}),
        "memory: is of the type LSTM, which takes",
    ),
    "resizing": (
        record("Resizing", {"name": "fit", "height": 8, "width": 8}),
        "fit: is of the type Resizing, which",
    ),
    "unknown layer": (
        record("Conv3D", {"name": "solid", "filters": 2}),
        "solid: is of the type Conv3D, which is not",
    ),
    "quantized": (record("Dense", {"name": "packed", "units": 4, "dtype": "int8_from_float32"}), "packed: computes in"),
    "unknown setting": (record("Flatten", {"name": "odd", "twist": 3}), "odd: Flatten has the setting twist=3"),
    "wrong setting": (record("Dense", {"name": "wrong", "units": -1}), "wrong: "),
    "no settings": (record("Dense", None, name="bare"), "bare: its description has no settings"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_layer_of_an_image_classifier_is_refused_by_name(case: str, tmp_path: Path) -> None:
    entry, words = HOSTILE[case]
    path = saved(small(), tmp_path / "model.keras")

    def change(description: Json) -> None:
        description["config"]["layers"][1] = entry

    assert words in refusal(edited(path, change))


def test_training_parts_of_a_file_are_never_looked_at(tmp_path: Path) -> None:
    """Initial values, regularizers, losses and optimizers change nothing in a loaded model."""
    path = saved(small(), tmp_path / "model.keras")
    hostile = {"module": "os", "class_name": "system", "config": {"command": "false"}}

    def change(description: Json) -> None:
        description["compile_config"] = {"loss": hostile}
        dense = description["config"]["layers"][-1]
        dense["config"] |= {"kernel_initializer": hostile, "bias_regularizer": hostile, "kernel_constraint": hostile}
        dense["build_config"] = {"input_shape": hostile}

    assert read(edited(path, change)).model.output_shape == (None, 4)


def places(value: Json) -> list[tuple[Json, Json]]:
    """Return every place in a description: a list or mapping, and a key of it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *places(value[key]))]


def test_any_damage_of_a_description_is_refused_or_harmless(tmp_path: Path) -> None:
    path = saved(transferred(), tmp_path / "model.keras")
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json")
    generator = np.random.default_rng(4)
    refused = 0
    for _ in range(60):
        description = json.loads(text)
        found = places(description["config"])
        holder, key = found[generator.integers(len(found))]
        holder[key] = [None, 7, "x", [], {}, -1.5, {"class_name": "Dense", "config": {}}][generator.integers(7)]
        try:
            architecture.build(description, architecture.Notes(), old=False)
        except StudyError:
            refused += 1
    assert refused > 10


def two_inputs() -> Any:
    first, second = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([first, second], layers.Dense(4)(layers.Flatten()(layers.Add()([first, second]))))


def two_outputs() -> Any:
    image = keras.Input((8, 8, 3))
    flat = layers.Flatten()(image)
    return keras.Model(image, [layers.Dense(4)(flat), layers.Dense(2)(flat)])


def random_in_inference() -> Any:
    image = keras.Input((8, 8, 3))
    return keras.Model(image, layers.Dense(4)(layers.Dropout(0.5, name="drop")(layers.Flatten()(image), training=True)))


#: Models that are no image classifiers, and words of the refusal.
UNFIT: dict[str, tuple[Callable[[], Any], str]] = {
    "two inputs": (two_inputs, "has 2 inputs"),
    "two outputs": (two_outputs, "has 2 outputs"),
    "open size": (
        lambda: keras.Sequential([keras.Input((None, None, 3)), layers.GlobalMaxPooling2D(), layers.Dense(4)]),
        "takes an input of the shape [any, any, any, 3]; its size must be fixed",
    ),
    "channels first": (
        lambda: small(layers.MaxPooling2D(data_format="channels_first", name="pool")),
        "pool: has its channels first",
    ),
    "channels first, untold": (lambda: small(size=(3, 8, 8)), "with its channels first"),
    "batch norm of channels first": (
        lambda: small(layers.BatchNormalization(1, name="norm")),
        "norm: normalizes axis 1",
    ),
    "five channels": (lambda: small(size=(8, 8, 5)), "5 channels"),
    "map": (lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)]), "gives an output of the shape"),
    "one output": (lambda: small(classes=1), "needs two outputs with softmax"),
    "no picture": (lambda: keras.Sequential([keras.Input((8,)), layers.Dense(4)]), "[any, 8]; a picture has height"),
    "complex": (
        lambda: keras.Sequential([keras.Input((8, 8, 3), dtype="complex64"), layers.Flatten(), layers.Dense(4)]),
        "takes numbers of the type complex64",
    ),
    "training in inference": (random_in_inference, "drop: is called with training=True"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_is_no_image_classifier_is_refused(case: str, tmp_path: Path) -> None:
    model, words = UNFIT[case]
    assert words in refusal(saved(model(), tmp_path / "model.keras"))


def test_a_subclassed_model_is_refused(tmp_path: Path) -> None:
    path = saved(small(), tmp_path / "model.keras")
    own = {"module": "mine", "class_name": "Net", "registered_name": "mine>Net", "config": {"name": "net"}}
    assert "net: is of the type Net, which is a custom object" in refusal(edited(path, lambda _: own))


def test_whole_numbers_as_input_are_said(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 3), dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(4)]
    )
    loaded = read(saved(model, tmp_path / "model.keras"))
    np.testing.assert_allclose(loaded.model(PICTURES // 1), model(PICTURES.astype(np.uint8)), rtol=1e-5)
    assert loaded.notes == ("takes its pictures as float32, though the file says uint8; their values stay",)


def test_files_of_other_kinds_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    whole = saved(small(), tmp_path / "whole.keras").read_bytes()

    def with_content(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return refusal(tmp_path / name)

    assert "no such file" in refusal(tmp_path / "missing.keras")
    assert "damaged or only a part" in with_content("cut.keras", whole[: len(whole) // 2])
    assert "damaged or only a part" in with_content("text.keras", b"hello")
    assert "is an ONNX model" in with_content("model.onnx", b"\x08\x07")
    assert "is a LiteRT" in with_content("model.tflite", b"\x1c\0\0\0TFL3" + bytes(100))
    at = whole.index(b"\x89HDF") + 2000
    assert "is damaged" in with_content("flipped.keras", whole[:at] + bytes(5000) + whole[at + 5000 :])
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/model.ckpt.index").write_bytes(b"")
    assert "a folder without a saved_model.pb" in refusal(tmp_path / "checkpoint")
    model = small()
    model.save_weights(tmp_path / "only.weights.h5")
    assert "holds weights only" in refusal(tmp_path / "only.weights.h5")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = saved(small(), tmp_path / "model.keras")

    def change(description: Json) -> None:
        description["config"]["layers"][-1]["config"]["units"] = 5

    assert "the weights do not fit the layers" in refusal(edited(path, change))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("kind", ["external link", "external data", "bomb"])
def test_weights_from_outside_the_file_are_refused(suffix: str, kind: str, tmp_path: Path) -> None:
    """Keras would read a file of the reader's machine as weights."""
    path = saved(small(), tmp_path / f"model.{suffix}")
    content = path.read_bytes()
    if suffix == "keras":
        with zipfile.ZipFile(path) as archive:
            content = archive.read("model.weights.h5")
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "a") as file:
        place = "layers/dense/vars" if suffix == "keras" else "model_weights/logits"
        name = "0" if suffix == "keras" else "evil"
        if suffix == "keras":
            del file[place][name]
        if kind == "external link":
            file[place][name] = h5py.ExternalLink("/etc/hostname", "/x")
        elif kind == "external data":
            file[place].create_dataset(name, (4,), "f4", external=[("/etc/hostname", 0, 16)])
        else:
            file[place].create_dataset(name, (2**40,), "f4", chunks=(2**20,), compression="gzip")
    if suffix == "h5":
        path.write_bytes(buffer.getvalue())
    else:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, buffer.getvalue() if name == "model.weights.h5" else member)
    assert ("would unpack to" if kind == "bomb" else "which Keras never writes") in refusal(path)


# Files of Keras 2, written as tf.keras wrote them.


def old_layer(kind: str, name: str, config: Json, *inputs: Json, flat: bool = False) -> Json:
    """A layer as tf.keras 2 described it. An input is a name or [name, call, output, settings]."""
    nodes = [[each, 0, 0, {}] if isinstance(each, str) else each for each in inputs]
    config = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {
        "class_name": kind,
        "config": config,
        "name": name,
        "inbound_nodes": ([nodes[0]] if flat else [nodes]) if nodes else [],
    }


def old_input(name: str, *shape: int) -> Json:
    config = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def old_model(name: str, *inner: Json, start: str, end: Json) -> Json:
    config = {"name": name, "trainable": True, "layers": list(inner), "input_layers": [[start, 0, 0]]}
    return {"class_name": "Functional", "config": config | {"output_layers": [end]}}


def kernel(**more: Json) -> Json:
    """Settings that Keras 2 wrote into the description of every convolution."""
    glorot = {"class_name": "GlorotUniform", "config": {"seed": None}}
    common = {
        "strides": [1, 1],
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
    }
    ends = {"kernel_initializer": glorot, "kernel_regularizer": None, "kernel_constraint": None, "use_bias": False}
    return {"kernel_size": [3, 3], "activation": "linear", **common, **ends, **more}


def write_old(path: Path, description: Json, weights: dict[str, dict[str, np.ndarray]]) -> Path:
    """Write an .h5 file as tf.keras 2.15 did: a group a layer, in which the names of weights are paths themselves."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(description)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, values in weights.items():
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [name.encode() for name in values]
            for name, value in values.items():
                inner[name] = value
    return path


def test_a_file_of_keras_2_gives_the_outputs_of_its_model(tmp_path: Path) -> None:
    """It has what tutorials of transfer learning made: functions of TensorFlow, and a backbone of slashed names."""
    backbone = old_model(
        "backbone",
        old_input("input_1", 8, 8, 3),
        old_layer("Conv2D", "block/conv", {**kernel(filters=4)}, "input_1"),
        old_layer("BatchNormalization", "block/bn", {"axis": [3], "momentum": 0.99, "epsilon": 0.001}, "block/conv"),
        old_layer("DepthwiseConv2D", "right", {**kernel(depth_multiplier=1)}, "block/bn"),
        old_layer("DepthwiseConv2D", "left", {**kernel(depth_multiplier=1)}, "block/bn"),
        old_layer("Subtract", "difference", {}, "left", "right"),
        old_layer("LeakyReLU", "leaky", {"alpha": 0.25}, "difference"),
        start="input_1",
        end=["leaky", 0, 0],
    )
    backbone |= {"name": "backbone", "inbound_nodes": [[["tf.math.subtract", 0, 0, {"training": False}]]]}
    divide, subtract = {"function": "math.truediv"}, {"function": "math.subtract"}
    description = old_model(
        "model",
        old_input("input_2", 8, 8, 3),
        old_layer("TFOpLambda", "tf.math.truediv", divide, ["input_2", 0, 0, {"y": 127.5, "name": None}], flat=True),
        old_layer(
            "TFOpLambda", "tf.math.subtract", subtract, ["tf.math.truediv", 0, 0, {"y": 1.0, "name": None}], flat=True
        ),
        backbone,
        old_layer("SeparableConv2D", "both", {**kernel(filters=5, depth_multiplier=1)}, ["backbone", 1, 0, {}]),
        old_layer("GlobalAveragePooling2D", "pool", {"data_format": "channels_last", "keepdims": False}, "both"),
        old_layer("Dense", "logits", {"units": 4, "activation": "softmax", "use_bias": True}, "pool"),
        start="input_2",
        end=["logits", 0, 0],
    )
    draw = np.random.default_rng(3).uniform
    values = {
        "block/conv/kernel:0": draw(-1, 1, (3, 3, 3, 4)),
        "block/bn/gamma:0": draw(0.5, 1, 4),
        "block/bn/beta:0": draw(0.5, 1, 4),
        "right/depthwise_kernel:0": draw(-1, 1, (3, 3, 4, 1)),
        "left/depthwise_kernel:0": draw(-1, 1, (3, 3, 4, 1)),
        "block/bn/moving_mean:0": draw(0.5, 1, 4),
        "block/bn/moving_variance:0": draw(0.5, 1, 4),
    }
    both = {
        "both/depthwise_kernel:0": draw(-1, 1, (3, 3, 4, 1)),
        "both/pointwise_kernel:0": draw(-1, 1, (1, 1, 4, 5)),
    }
    logits = {"logits/kernel:0": draw(-1, 1, (5, 4)), "logits/bias:0": draw(-1, 1, 4)}
    path = write_old(tmp_path / "old.h5", description, {"backbone": values, "both": both, "logits": logits})

    def conv(tensor: Any, name: str, stored: dict[str, np.ndarray] = values) -> Any:
        return ops.depthwise_conv(tensor, stored[f"{name}/depthwise_kernel:0"].astype("f4"), padding="same")

    tensor = ops.conv(PICTURES / 127.5 - 1, values["block/conv/kernel:0"].astype("f4"), padding="same")
    mean, variance = values["block/bn/moving_mean:0"], values["block/bn/moving_variance:0"]
    tensor = (tensor - mean) / np.sqrt(variance + 0.001) * values["block/bn/gamma:0"] + values["block/bn/beta:0"]
    tensor = ops.leaky_relu(conv(tensor, "left") - conv(tensor, "right"), 0.25)
    tensor = ops.conv(conv(tensor, "both", both), both["both/pointwise_kernel:0"].astype("f4"))
    tensor = ops.mean(tensor, (1, 2)) @ logits["logits/kernel:0"].astype("f4") + logits["logits/bias:0"]
    np.testing.assert_allclose(read(path).model(PICTURES), ops.softmax(tensor), rtol=0, atol=1e-5)


def test_keras_2_is_read_where_keras_3_means_something_else(tmp_path: Path) -> None:
    first = {"batch_input_shape": [None, 8, 8, 3], "data_format": "channels_last"}
    flat = {"class_name": "Flatten", "config": {"name": "flatten", "dtype": "float32", **first}}
    dense = {"class_name": "Dense", "config": {"name": "dense", "units": 4, "activation": "hard_sigmoid"}}
    weights = {"dense": {"dense/kernel:0": np.ones((192, 4)), "dense/bias:0": np.ones(4)}}
    description = {"class_name": "Sequential", "config": {"name": "old", "layers": [flat, dense]}}
    assert "dense: has the hard_sigmoid of Keras 2" in refusal(write_old(tmp_path / "a.h5", description, weights))
    dense["config"]["activation"] = "linear"
    np.testing.assert_allclose(
        read(write_old(tmp_path / "b.h5", description, weights)).model(PICTURES)[:, 0],
        PICTURES.sum((1, 2, 3)) + 1,
        rtol=1e-5,
    )
    dense["class_name"] = "Lambda"
    assert "dense: is of the type Lambda" in refusal(write_old(tmp_path / "c.h5", description, weights))
