"""Both runtimes compute a network that a user brings, and LiteRT computes it in integers."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from brought_models import APPLICATIONS, SMALL, application, brought, logits
from converted import Converted
from hand_made import outputs

from tocompress.compression.quantization.grid import quantize_weights
from tocompress.runtimes.litert.export import dequantized, fill
from tocompress.runtimes.litert.flatbuffer import read, write
from tocompress.runtimes.litert.integers import quantized
from tocompress.runtimes.litert.places import rows
from tocompress.runtimes.litert.ranges import extremes, ranges
from tocompress.runtimes.tensorflow.graph import weight_shapes

IMAGES = 16


@pytest.fixture(scope="module", params=SMALL)
def model(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(1)
    return SMALL[request.param]()


@pytest.fixture(scope="module")
def converted(model: keras.Model) -> Converted:
    return Converted(brought(model, IMAGES))


def error(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, of the standard deviation."""
    return float(np.abs(got - expected).max() / expected.std())


def test_both_runtimes_give_the_logits_of_the_model(tmp_path: Path, model: keras.Model, converted: Converted) -> None:
    expected = logits(model, converted.model.feeds["input"])
    for got in converted.outputs(tmp_path, dict(converted.model.weights)):
        assert error(got, expected) < 1e-5


def test_both_runtimes_compute_from_the_same_integers(tmp_path: Path, converted: Converted) -> None:
    weights = quantize_weights(dict(converted.model.weights), 8, "tensor")[0]
    litert, tensorflow = converted.outputs(tmp_path, weights)
    assert error(litert, tensorflow) < 1e-5


def test_every_row_of_every_weight_has_one_place(converted: Converted) -> None:
    _, places = converted.traced
    held = (places["stop"] - places["start"]).groupby(places["weight"]).sum()
    assert held.to_dict() == {name: rows(shape) for name, shape in weight_shapes(converted.graph).items()}


def test_integers_are_close_with_and_without_xnnpack(tmp_path: Path, model: keras.Model, converted: Converted) -> None:
    images = converted.model.feeds["input"]
    weights = converted.deployed(quantize_weights(dict(converted.model.weights), 8, "channel", symmetric=True)[0])
    body, places = converted.traced
    floats = write(fill(read(body), places, {name: dequantized(tensor) for name, tensor in weights.items()}))
    (tmp_path / "floats.tflite").write_bytes(floats)
    known = ranges(extremes(tmp_path / "floats.tflite", images[:, None]), 1.0)
    integers = quantized(read(floats), places, weights, known, 8)
    expected = logits(model, images)
    for delegate in (True, False):
        difference = outputs(write(integers), images, delegate=delegate) - expected
        assert np.sqrt(np.mean(difference**2)) < 0.1 * expected.std()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "MobileNetV3Small" else pytest.mark.long) for name in APPLICATIONS],
)
def test_applications_of_keras_give_their_logits(tmp_path: Path, name: str) -> None:
    model = application(name)
    converted = Converted(brought(model))
    expected = logits(model, converted.model.feeds["input"])
    for got in converted.outputs(tmp_path, dict(converted.model.weights)):
        assert error(got, expected) < 1e-4
