"""Weights files hold what was put into them."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from tocompress.compression.quantization.grid import quantize
from tocompress.errors import StudyError
from tocompress.weights import ModelMetadata, QuantizedTensor, read_metadata, read_shapes, read_weights, write_weights

METADATA = ModelMetadata("m", "vgg_16", "q8", True, 0.5, (32, 32, 3), 100)


def test_weights_survive_a_round_trip(tmp_path):
    quantized = QuantizedTensor(
        np.arange(12, dtype=np.uint8), 6, (4, 4), np.float32([0.5] * 4), np.int32([1, 2, 3, 4]), 1
    )
    weights = {"b/kernel": quantized, "a/bias": np.float32([1, -2]), "c/kernel": np.float16([[0.1, 3]])}
    write_weights(tmp_path / "w.safetensors", weights, METADATA)
    read, metadata = read_weights(tmp_path / "w.safetensors")
    assert metadata == read_metadata(tmp_path / "w.safetensors") == METADATA
    assert list(read) == list(weights)
    for name in ("a/bias", "c/kernel"):
        np.testing.assert_array_equal(read[name], weights[name])
        assert read[name].dtype == weights[name].dtype
    for field in ("integers", "scale", "zero_point"):
        np.testing.assert_array_equal(getattr(read["b/kernel"], field), getattr(quantized, field))
    assert (read["b/kernel"].bits, read["b/kernel"].shape, read["b/kernel"].axis) == (6, (4, 4), 1)


def test_shapes_are_those_of_the_values_in_the_order_of_the_tensors(tmp_path):
    path = tmp_path / "w.safetensors"
    packed = quantize(np.arange(40, dtype=np.float32).reshape(4, 10), 6)
    write_weights(path, {"b/kernel": packed, "a/bias": np.zeros(3, np.float32), "g": np.float32(1)}, METADATA)
    assert packed.integers.shape != (4, 10)
    assert list(read_shapes(path).items()) == [("b/kernel", (4, 10)), ("a/bias", (3,)), ("g", ())]


def test_equal_weights_give_equal_files(tmp_path):
    weights = {"b/kernel": quantize(np.arange(40, dtype=np.float32), 8), "a/bias": np.float32([1, -2])}
    for number in range(8):
        write_weights(tmp_path / f"{number}.safetensors", weights, METADATA)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, {"a": np.zeros(3, np.float32)}, METADATA)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(StudyError, match=r"w\.safetensors"):
        read_weights(path)
    with pytest.raises(StudyError, match=r"w\.safetensors"):
        read_shapes(path)


def test_a_file_is_what_safetensors_itself_would_write(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    weights = {"b": values.T, "a": np.arange(3, dtype=np.uint8), "c": np.full((), 2.0), "d": values[:0]}
    write_weights(tmp_path / "w", weights, METADATA)
    with safe_open(tmp_path / "w", "numpy") as file:
        metadata = file.metadata()
    contiguous = {name: np.ascontiguousarray(array) if array.ndim else array for name, array in weights.items()}
    assert (tmp_path / "w").read_bytes() == save(contiguous, metadata)


GRID = QuantizedTensor(np.zeros(4, np.uint8), 8, (4,), np.float32(0.1), np.int32(3))
IMPOSSIBLE = {
    "NaN": ("conv/weights", np.float32([1, np.nan]), "conv/weights: holds NaN or infinity in 1 of 2 values"),
    "infinity": ("gnmt/bias", np.float32([-np.inf, np.inf, 0]), "gnmt/bias: holds NaN or infinity in 2 of 3 values"),
    "a negative variance": (
        "conv/BatchNorm/moving_variance",
        np.float32([1, -1e-9, -0.02]),
        "conv/BatchNorm/moving_variance: holds the variance -0.02; a variance is 0 or more",
    ),
    "a grid beyond float32": ("conv/weights", replace(GRID, scale=np.float32(2e36)), "conv/weights: holds NaN or inf"),
    "a grid of NaN": ("conv/weights", replace(GRID, scale=np.float32(np.nan)), "conv/weights: holds NaN or infinity"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_values_that_no_network_has_are_neither_written_nor_read(case, tmp_path, monkeypatch):
    name, tensor, reason = IMPOSSIBLE[case]
    path = tmp_path / "w.safetensors"
    with pytest.raises(StudyError) as written:
        write_weights(path, {"fine": GRID, name: tensor}, METADATA)
    assert not path.exists()
    with monkeypatch.context() as unchecked:
        unchecked.setattr("tocompress.weights.check_numbers", lambda _: None)
        write_weights(path, {"fine": GRID, name: tensor}, METADATA)
    with pytest.raises(StudyError) as read:
        read_weights(path)
    assert str(written.value) == str(read.value)
    assert str(read.value).startswith(f"{path}: {reason}")


def test_extreme_but_possible_values_are_written_and_read(tmp_path):
    largest = np.finfo(np.float32).max
    weights = {
        "a": np.float32([largest, -largest, 1e-45]),
        "c/BatchNorm/moving_variance": np.float32([0, -0.0, 1e-45, largest]),
        "c/BatchNorm/moving_mean": np.float32([-1]),
        "q": replace(GRID, scale=np.float32(1e36)),
    }
    write_weights(tmp_path / "w.safetensors", weights, METADATA)
    read, _ = read_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(read["a"], weights["a"])
