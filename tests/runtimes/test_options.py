"""Weights quantized with options become the artifacts of both runtimes, which compute from the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from converted import Converted
from pydantic import TypeAdapter
from small_models import SmallModel, small_model

from tocompress.compression.quantization.calibrated import quantize_on_data
from tocompress.compression.quantization.grid import compress, dequantize
from tocompress.models import gnmt
from tocompress.runtimes.deployed import AffineTensor
from tocompress.runtimes.litert.export import dequantized, fill
from tocompress.runtimes.litert.flatbuffer import constant, read, write
from tocompress.runtimes.litert.integers import quantized
from tocompress.runtimes.litert.ranges import extremes, ranges
from tocompress.runtimes.litert.session import loaded
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.settings.jobs import QuantizeJob
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.settings.technique import Quantize, Technique
from tocompress.tasks.networks import network_of
from tocompress.weights import QuantizedTensor, Weights

BEST: dict[str, Any] = {
    "bits": 4, "granularity": "channel", "range": "mse", "rounding": "learned", "correction": "bias",
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "all options": BEST,
    "first and last kept": {"bits": 6, "keep": ("first", "last")},
    "mixed": {"bits": {"*/depthwise_weights": 8, "*/Logits/*": 5, "*pointwise*": 3}, "granularity": "channel"},
    "mixed and learned": BEST | {"bits": {"*pointwise*": 3, "*": 7}, "statistics": "recalibrated"},
}
CLASSIFIER = ImageModel(network="mobilenet_v1", build="initial", width=0.25, input_size=64, classes=10, data="glyphs")
TRANSLATOR = TranslationModel(
    network="gnmt", build="initial", width=32 / 1024, source_vocabulary=40, target_vocabulary=40, data="phrases"
)
PHRASES = NumberPhrases(kind="number_phrases", codes="", source_vocabulary="", target_vocabulary="")


def technique_of(options: dict[str, Any]) -> Quantize:
    technique = TypeAdapter(Technique).validate_python({"method": "quantize"} | options)
    assert isinstance(technique, Quantize)
    return technique


def with_options(model: SmallModel, options: dict[str, Any]) -> Weights:
    """The weights after a technique, which learns from noise where it learns."""
    technique, weights = technique_of(options), dict(model.weights)
    if not technique.on_data:
        return compress(weights, technique)[0]
    random = np.random.default_rng(5)
    settings, data, examples = CLASSIFIER, Glyphs(kind="glyphs"), None
    if model.metadata.network == "gnmt":
        settings, data = TRANSLATOR, PHRASES
        examples = [(random.integers(3, 40, 5, np.int32), random.integers(3, 40, 4, np.int32)) for _ in range(16)]
    else:
        examples = random.integers(0, 256, (16, 64, 64, 3)).astype(np.uint8), np.zeros(16, np.int32)
    job = QuantizeJob(model=settings, data=data, technique=technique, examples=16, seed=1)
    return quantize_on_data(weights, job, examples, report=lambda line: None)[0]


@pytest.fixture(scope="module")
def classifier() -> Converted:
    return Converted(small_model("mobilenet_v1"))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_both_runtimes_give_the_logits_of_the_dequantized_weights(
    classifier: Converted, options: dict[str, Any], tmp_path: Path
) -> None:
    weights = with_options(classifier.model, options)
    floats = {name: dequantize(one) if isinstance(one, QuantizedTensor) else one for name, one in weights.items()}
    network, _ = network_of(CLASSIFIER, floats)
    expected = network(classifier.model.feeds["input"], training=False).numpy()
    assert len({one.bits for one in weights.values() if isinstance(one, QuantizedTensor)}) == len(bits_in(options))
    for found in classifier.outputs(tmp_path, weights):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * expected.std())


def bits_in(options: dict[str, Any]) -> set[int]:
    bits = options["bits"]
    return ({*bits.values()} if isinstance(bits, dict) else {bits}) | ({8} if "keep" in options else set())


def test_integer_kernels_hold_the_learned_levels(classifier: Converted, tmp_path: Path) -> None:
    options = {"bits": 4, "activations": 8, "rounding": "learned", "range": "mse"}
    weights = with_options(classifier.model, options)
    tensors = classifier.deployed(weights)
    body, places = classifier.traced
    floats = tmp_path / "floats.tflite"
    floats.write_bytes(write(fill(read(body), places, {name: dequantized(one) for name, one in tensors.items()})))
    images = np.random.default_rng(1).uniform(-1, 1, (32, 1, 64, 64, 3)).astype(np.float32)
    model = quantized(read(floats), places, tensors, ranges(extremes(floats, images), 1.0), 8)
    checked = 0
    for place in places.to_dict("records"):
        tensor = tensors[place["weight"]]
        if isinstance(tensor, AffineTensor):
            stored = model.subgraphs[place["subgraph"]].tensors[place["tensor"]]
            scale = np.asarray(stored.quantization.scale)
            along = [-1 if axis == stored.quantization.quantizedDimension else 1 for axis in range(len(stored.shape))]
            found = constant(model, stored) * scale.reshape(along)
            assert np.abs(constant(model, stored)).max() <= 7  # of a signed integer of 4 bits, but -8
            np.testing.assert_allclose(np.sort(found, axis=None), np.sort(dequantized(tensor), axis=None), atol=1e-6)
            checked += 1
    assert checked == 28
    artifact = tmp_path / "integers.tflite"
    artifact.write_bytes(write(model))
    with loaded(artifact, 1) as in_integers, loaded(floats, 1) as in_floats:
        feeds = {"input": images[0]}
        assert np.abs(in_integers(feeds) - in_floats(feeds)).max() < 0.3 * np.ptp(in_floats(feeds))


@pytest.mark.parametrize("bits", [4, {"*_cell/kernel": 5, "*": 8}], ids=["4", "mixed"])
def test_both_runtimes_translate_with_learned_levels(bits: Any, tmp_path: Path) -> None:
    converted = Converted(small_model("gnmt"))
    weights = with_options(converted.model, BEST | {"bits": bits})
    floats = {name: dequantize(one) if isinstance(one, QuantizedTensor) else one for name, one in weights.items()}
    feeds = converted.model.feeds
    expected = gnmt.greedy(floats, feeds["source"], feeds["source_length"], 14, False)
    for found in converted.outputs(tmp_path, weights):
        np.testing.assert_array_equal(found, expected)
