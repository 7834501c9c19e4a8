"""Artifacts of LiteRT compute what those of TensorFlow compute, from the same integers and floats."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from converted import Converted
from hypothesis import given
from hypothesis import strategies as st
from small_models import SmallModel, small_model

from tocompress.compression.pruning import dependencies
from tocompress.compression.pruning.recurrent import gnmt_channels
from tocompress.compression.pruning.surgery import cut
from tocompress.compression.quantization.grid import is_kernel, quantize_weights
from tocompress.errors import StudyError
from tocompress.files import digest
from tocompress.models import gnmt
from tocompress.models.registry import NETWORKS, build
from tocompress.packing import pack
from tocompress.runtimes.artifact import deflated_size
from tocompress.runtimes.deployed import AffineTensor
from tocompress.runtimes.litert import flatbuffer
from tocompress.runtimes.litert.export import dequantized, signed, write_artifact
from tocompress.runtimes.litert.session import loaded
from tocompress.schemas.study import PLACES
from tocompress.tables import write_table
from tocompress.weights import Weights, write_weights

CNNS = sorted(NETWORKS.keys() - {"gnmt"})
QUICK = ("mobilenet_v1", "inception_v2")  # the second one has a depthwise kernel with several outputs for each input
STORED = [(None, None), (8, "tensor"), (8, "channel"), (6, "tensor"), (4, "channel"), (3, "tensor"), (16, "float")]


def slow(networks: list[str]) -> list[object]:
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in networks]


@pytest.fixture(scope="module", params=slow(CNNS))
def classifier(request: pytest.FixtureRequest) -> Converted:
    return Converted(small_model(request.param))


@pytest.fixture(scope="module", params=[1, pytest.param(3, marks=pytest.mark.long)])
def translator(request: pytest.FixtureRequest) -> Converted:
    return Converted(small_model("gnmt"), beam_width=request.param)


def stored(weights: Weights, bits: int | None, how: str | None) -> Weights:
    if bits is None:
        return dict(weights)
    if how == "float":
        return {name: array.astype(np.float16) if is_kernel(name) else array for name, array in weights.items()}
    return quantize_weights(weights, bits, how)[0]


def assert_equal_logits(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize(("bits", "how"), STORED)
def test_logits_equal_those_of_the_graph(
    classifier: Converted, bits: int | None, how: str | None, tmp_path: Path
) -> None:
    assert_equal_logits(*classifier.outputs(tmp_path, stored(classifier.model.weights, bits, how)))


@pytest.mark.parametrize(("bits", "how"), [*STORED[:4], STORED[-1]])
def test_translations_equal_those_of_the_graph(
    translator: Converted, bits: int | None, how: str | None, tmp_path: Path
) -> None:
    for forced in (False, True):
        weights = stored(translator.model.weights, bits, how)
        np.testing.assert_array_equal(*translator.outputs(tmp_path, weights, forced=np.bool_(forced)))


@pytest.mark.parametrize(("bits", "how"), [(None, None), (8, "tensor"), (6, "channel")])
def test_batch_norm_may_turn_a_channel_around_or_remove_it(bits: int | None, how: str | None, tmp_path: Path) -> None:
    model = small_model("mobilenet_v1")
    weights = dict(model.weights)
    for name in [name for name in weights if name.endswith("/gamma")]:
        weights[name] = weights[name] * np.resize(np.float32([1, -1, -0.5]), weights[name].shape)
        weights[name][:2] = 0, 1e-39
    assert_equal_logits(*Converted(model).outputs(tmp_path, stored(weights, bits, how)))


def half(channels: dependencies.Channels) -> np.ndarray:
    """A mask that keeps every other channel, and the first of each group."""
    keep = np.arange(channels.count) % 2 == 1
    keep[[ids[0] for ids in channels.groups.values()]] = True
    return keep


def pruned(model: SmallModel) -> SmallModel:
    metadata = model.metadata
    if metadata.network == "gnmt":
        channels = gnmt_channels({name: array.shape for name, array in model.weights.items()})
    else:
        network = build(metadata.network, width=metadata.width, input_size=metadata.shape[0], classes=metadata.classes)
        channels = dependencies.trace(network)
    return SmallModel(metadata, cut(dict(model.weights), channels, half(channels)), model.feeds)


@pytest.mark.parametrize("network", ["mobilenet_v1", pytest.param("resnet_v1_50", marks=pytest.mark.long)])
def test_a_pruned_structure_is_converted_likewise(network: str, tmp_path: Path) -> None:
    converted = Converted(pruned(small_model(network)))
    for bits in (None, 8):
        assert_equal_logits(*converted.outputs(tmp_path, stored(converted.model.weights, bits, "tensor")))


def test_a_pruned_translator_is_converted_likewise(tmp_path: Path) -> None:
    converted = Converted(pruned(small_model("gnmt")))
    np.testing.assert_array_equal(*converted.outputs(tmp_path, dict(converted.model.weights), forced=np.bool_(True)))


@given(
    st.integers(2, 8),
    st.sampled_from([((3, 3, 5, 7), None), ((3, 3, 5, 7), 3), ((3, 3, 7, 2), 2), ((5, 9), 0)]),
    st.integers(0, 1000),
)
def test_integers_about_zero_have_the_values_of_the_integers(
    bits: int, form: tuple[tuple[int, ...], int | None], seed: int
) -> None:
    shape, axis = form
    random = np.random.default_rng(seed)
    levels, channels = random.integers(0, 2**bits, shape), () if axis is None else (shape[axis],)
    scale = random.normal(0, 0.1, channels).astype(np.float32)
    offset = -(random.integers(0, 2**bits, channels).astype(np.float32) * scale)
    tensor = AffineTensor(pack(levels, bits), bits, shape, scale, offset, axis)
    integers, steps, zero_point = signed(tensor)
    assert integers.dtype == np.int8
    assert (steps > 0).all()
    assert (np.abs(zero_point + 0.5) < 2 ** (bits - 1)).all()  # a zero point of the type of the integers
    along_axis = [-1 if axis == other else 1 for other in range(len(shape))] if channels else []
    values = (integers.astype(np.int32) - zero_point.reshape(along_axis)) * steps.reshape(along_axis)
    np.testing.assert_allclose(values, dequantized(tensor), rtol=1e-5, atol=1e-5 * np.abs(scale).max())


def test_integers_take_a_byte_each_and_smaller_floats_two(classifier: Converted) -> None:
    weights = classifier.model.weights
    parameters = sum(array.size for name, array in weights.items() if is_kernel(name))
    floats, integers, halves = (
        len(classifier.artifact(classifier.deployed(stored(weights, bits, how))))
        for bits, how in ((None, None), (8, "tensor"), (16, "float"))
    )
    assert (floats - integers) / parameters == pytest.approx(3, rel=0.1)
    assert (floats - halves) / parameters == pytest.approx(2, rel=0.1)


def test_the_file_is_written_and_measured(tmp_path: Path) -> None:
    converted = Converted(small_model("mobilenet_v1"))
    body, places, weights, artifact = (tmp_path / name for name in ("body", "places", "weights", "a.tflite"))
    body.write_bytes(converted.traced[0])
    write_table(places, PLACES, converted.traced[1])
    write_weights(weights, dict(converted.model.weights), converted.model.metadata)
    [facts] = write_artifact(body, places, weights, artifact, pd.DataFrame({"macs": [7]})).to_dict("records")
    assert facts == {
        "model": "small",
        "variant": "fp32",
        "size": artifact.stat().st_size,
        "size_deflated": deflated_size(artifact),
        "parameters": sum(array.size for array in converted.model.weights.values()),
        "macs": 7,
        "sha256": digest(artifact),
    }
    with loaded(artifact, 1) as run:
        assert run(dict(converted.model.feeds)).shape == (2, 10)


def test_tensors_that_are_not_the_networks_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    converted = Converted(small_model("mobilenet_v1"))
    tensors = converted.deployed(dict(converted.model.weights))
    name = "MobilenetV1/Conv2d_0/weights"
    with pytest.raises(StudyError, match=f"lack 1 .*{name}"):
        converted.artifact({other: tensor for other, tensor in tensors.items() if other != name})
    with pytest.raises(StudyError, match=r"no place for 1 .*Conv2d_99"):
        converted.artifact(tensors | {"MobilenetV1/Conv2d_99/weights": tensors[name]})
    with pytest.raises(StudyError, match=rf"{name}: shape \[3, 3, 3, 7\], but .*\[8, 3, 3, 3\]"):
        converted.artifact(tensors | {name: tensors[name][..., :7]})
    with pytest.raises(StudyError, match=rf"{name}, as deployed: holds NaN or infinity"):
        converted.artifact(tensors | {name: tensors[name] * np.float32(np.inf)})
    with pytest.raises(StudyError, match=r"/weights: integers of 9 bits; LiteRT holds at most 8"):
        converted.artifact(converted.deployed(quantize_weights(converted.model.weights, 9, "tensor", 1)[0]))
    monkeypatch.setattr(flatbuffer, "_LARGEST_MODEL", 100_000)
    with pytest.raises(StudyError, match="2 GiB"):
        converted.artifact(tensors)


def test_halves_that_batch_norm_makes_infinite_are_named() -> None:
    converted = Converted(small_model("mobilenet_v1"))
    weights = stored(converted.model.weights, 16, "float")
    layer = "MobilenetV1/Conv2d_1_pointwise"
    weights[f"{layer}/BatchNorm/gamma"] = np.full_like(weights[f"{layer}/BatchNorm/gamma"], 1e6)
    with np.errstate(over="ignore"), pytest.raises(StudyError, match=rf"{layer}/weights, as deployed: holds NaN"):
        converted.artifact(converted.deployed(weights))


def test_a_translators_vector_of_attention_is_no_kernel() -> None:
    assert not is_kernel(gnmt.ATTENTION_V)  # it has no place of its own, in which integers could lie
    assert not is_kernel(gnmt.ATTENTION_G)


def test_export_imports_no_framework() -> None:
    code = (
        "import sys, tocompress.runtimes.litert.export;"
        "sys.exit(len({'tensorflow', 'keras', 'jax'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": "workflow"})
