"""The text about a model tells what it holds and what the study makes of it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tocompress.checkpoints.own import import_model
from tocompress.compression.check import check
from tocompress.errors import StudyError
from tocompress.settings.jobs import CheckModelJob, StudyVariant
from tocompress.settings.model import KerasModel
from tocompress.settings.technique import Prune, Quantize
from tocompress.weights import read_metadata, read_weights

TECHNIQUES = {
    "q8": Quantize(method="quantize", bits=8),
    "i8": Quantize(method="quantize", bits=8, granularity="channel", activations=8),
    "q4": Quantize(method="quantize", bits=4, minimum_values=1, keep=("first",), rounding="learned", correction="bias"),
    "mixed": Quantize(method="quantize", bits={"*/weights": 3}, minimum_values=1, keep=("last", "second/*")),
    "mean": Quantize(method="quantize", bits={"budget": 5.5}, minimum_values=1, keep=("last",)),
    "lost": Quantize(method="quantize", bits={"*/head": 4}, minimum_values=1),
    "p50": Prune(method="prune", share=0.5),
}
JOB = CheckModelJob(
    model=KerasModel(network="keras", file="", data="pictures"),
    techniques=TECHNIQUES,
    variants=(StudyVariant(name="q8"), StudyVariant(name="i8", refused={"tensorflow": "computes in floats"})),
    runtimes=("tensorflow", "litert"),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x = image = keras.Input((20, 16, 3))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.BatchNormalization(name="stays")(layers.Conv2D(16, 3, activation="relu", name="first")(x))
    x = layers.BatchNormalization(name="goes")(layers.Conv2D(16, 3, groups=4, name="grouped")(x))
    x = layers.Conv2D(32, 3, name="second")(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(x)
    path = tmp_path_factory.mktemp("model") / "model.keras"
    keras.Model(image, layers.Dense(5, activation="softmax", name="output")(x)).save(path)
    return path


@pytest.fixture(scope="module")
def weights(file: Path) -> Path:
    path = file.with_suffix(".safetensors")
    import_model("mine", file, path)
    return path


def test_the_weights_of_an_imported_file_tell_its_facts(weights: Path) -> None:
    tensors, metadata = read_weights(weights)
    assert (metadata.network, metadata.variant, metadata.trained) == ("keras", "fp32", True)
    assert (metadata.shape, metadata.classes, metadata.takes_pixels) == ((20, 16, 3), 5, True)
    assert read_metadata(weights) == metadata
    assert tensors["first/weights"].shape == (3, 3, 3, 16)
    assert {"stays/BatchNorm/gamma", "grouped/BatchNorm/gamma"} <= tensors.keys()


def test_the_text_names_what_is_folded_quantized_pruned_and_refused(weights: Path) -> None:
    text = check(weights, JOB)
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "20 x 16 pixels, 3 channels, which the model scales itself" in lines["input"]
    assert "5 classes" in lines["output"]
    assert "1 of 2 folded" in text and "stays: stays, which" in text
    assert "q8: 1 of 4 kernels, with " in text and "i8: 4 of 4 kernels" in text
    assert "p50: " in text and "grouped: a convolution in 4 groups" in text
    assert "takes the network; variants q8\n" in text and "not i8: computes in floats" in text
    assert "takes the network; variants q8, i8" in lines["litert"]


def test_the_text_tells_the_bits_of_kernels_and_what_needs_the_calibration_set(weights: Path) -> None:
    lines = {line.split()[1]: line for line in check(weights, JOB).splitlines() if line.startswith("  quantized")}
    assert lines["q8:"].endswith("% of all values")
    assert lines["q4:"].endswith(": 3 of 4 bits, 1 of 8 bits (on the calibration set: rounding, correction)")
    assert lines["mixed:"].endswith("% of all values: 2 of 3 bits, 2 of 8 bits")
    assert lines["mean:"].endswith(", 5.5 bits a value on average, 1 of them 8 (on the calibration set: bits)")
    assert "lost: bits: '*/head' matches none of the 4 kernels to quantize, such as first/weights, " in lines["not"]


def test_a_file_whose_weights_are_not_finite_is_refused(file: Path, tmp_path: Path) -> None:
    model = keras.models.load_model(file)
    model.get_layer("second").kernel.assign(np.full((3, 3, 16, 32), np.nan))
    model.save(tmp_path / "model.keras")
    with pytest.raises(StudyError, match=r"model\.keras"):
        import_model("mine", tmp_path / "model.keras", tmp_path / "weights.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
