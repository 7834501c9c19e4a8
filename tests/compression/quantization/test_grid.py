"""The grid of post-training quantization, and what of a network is put on it."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import TypeAdapter

from tocompress.compression.quantization.grid import (
    compress,
    dequantize,
    is_kernel,
    is_symmetric,
    quantize,
    quantize_weights,
)
from tocompress.errors import StudyError
from tocompress.packing import unpack
from tocompress.schemas.study import COMPRESSION
from tocompress.settings.technique import Technique
from tocompress.tables import read_table, write_table
from tocompress.weights import QuantizedTensor, channel_axis

WEIGHT = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
TENSORS = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=4, max_side=6), elements=WEIGHT)


def along(axis, parameter, tensor):
    """A parameter per channel, shaped to stand beside the tensor."""
    return parameter if axis is None else np.expand_dims(parameter, [a for a in range(tensor.ndim) if a != axis])


def assert_within_half_a_step(tensor, quantized):
    step = along(quantized.axis, quantized.scale, tensor).astype(np.float64)
    rounding = 4e-7 * np.abs(tensor).max()  # of float32
    assert (np.abs(dequantize(quantized) - tensor.astype(np.float64)) <= step / 2 * (1 + 2e-2) + rounding).all()


def rms_error(tensor, bits, axis=None):
    return np.sqrt(np.mean((dequantize(quantize(tensor, bits, axis)) - tensor) ** 2))


def test_a_small_tensor_by_hand():
    quantized = quantize(np.float32([-1, 0, 3]), 2)
    assert unpack(quantized.integers, 2, 3).tolist() == [0, 1, 3]
    assert (quantized.scale, quantized.zero_point) == (np.float32(4 / 3), 1)
    np.testing.assert_allclose(dequantize(quantized), [-4 / 3, 0, 8 / 3], rtol=1e-6)


@settings(max_examples=150, deadline=None)
@given(tensor=TENSORS, bits=st.integers(2, 16), axis=st.sampled_from([None, 0, 1, -1]))
def test_no_value_moves_by_more_than_half_a_step_and_zero_not_at_all(tensor, bits, axis):
    axis = axis if axis is None else axis % tensor.ndim
    tensor.flat[0] = 0
    quantized = quantize(tensor, bits, axis)
    assert_within_half_a_step(tensor, quantized)
    assert (dequantize(quantized)[tensor == 0] == 0).all()


@settings(max_examples=100, deadline=None)
@given(tensor=TENSORS, bits=st.integers(2, 16), exponent=st.integers(-50, 31), axis=st.sampled_from([None, 0, 1]))
def test_ranges_from_the_tiniest_to_the_hugest_keep_half_a_step(tensor, bits, exponent, axis):
    tensor = (tensor * 10.0**exponent).astype(np.float32)
    quantized = quantize(tensor, bits, axis)
    assert_within_half_a_step(tensor, quantized)
    span = np.ptp(np.append(tensor, np.float32(0)).astype(np.float64))
    assert (quantized.scale <= max(span / (2**bits - 1), np.finfo(np.float32).tiny) * (1 + 1e-6)).all()


@settings(max_examples=60, deadline=None)
@given(tensor=TENSORS, bits=st.integers(2, 16), axis=st.sampled_from([0, 1, -1]))
def test_a_grid_per_channel_is_that_of_each_channel_alone(tensor, bits, axis):
    whole = quantize(tensor, bits, axis % tensor.ndim)
    values = np.moveaxis(dequantize(whole), axis, 0)
    for channel, part in enumerate(np.moveaxis(tensor, axis, 0)):
        alone = quantize(part, bits)
        assert (alone.scale, alone.zero_point) == (whole.scale[channel], whole.zero_point[channel])
        np.testing.assert_array_equal(dequantize(alone), values[channel])


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((300_000,), None),
        ((700, 300), 1),
        ((3, 2, 33_000), 2),
        ((5, 70_000), 0),
        ((2, 900, 100), 1),
        ((3, 3, 400, 1), 2),
    ],
)
def test_tensors_larger_than_a_piece_are_quantized_whole(shape, axis):
    random = np.random.default_rng(0)
    tensor = random.standard_normal(shape, np.float32)
    if axis is not None:
        tensor *= along(axis, np.exp(random.standard_normal(shape[axis])).astype(np.float32), tensor)
    quantized = quantize(tensor, 8, axis)
    assert_within_half_a_step(tensor, quantized)
    assert quantized.scale.shape == quantized.zero_point.shape == (() if axis is None else (shape[axis],))


def test_more_bits_and_more_grids_err_less():
    random = np.random.default_rng(0)
    tensor = random.standard_normal((3, 3, 16, 32), np.float32) * np.linspace(0.1, 3, 32, dtype=np.float32)
    errors = [rms_error(tensor, bits) for bits in range(2, 17)]
    assert errors == sorted(errors, reverse=True)
    assert all(rms_error(tensor, bits, axis=3) < rms_error(tensor, bits) for bits in range(2, 17))


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("value", [0, 0.25, -3, 1e-42])
def test_a_constant_tensor_is_kept(value, axis):
    tensor = np.full((4, 5), value, np.float32)
    np.testing.assert_allclose(dequantize(quantize(tensor, 6, axis)), tensor, rtol=1e-6, atol=1e-38)


EVERY_FLOAT = arrays.arrays(
    np.float32, st.sampled_from([(1, 1), (1, 1, 1, 1), (6, 7)]), elements=st.floats(width=32, allow_nan=False)
)


@settings(max_examples=300, deadline=None)
@given(tensor=EVERY_FLOAT, bits=st.integers(2, 16), granularity=st.sampled_from(["tensor", "channel"]))
def test_any_floats_are_quantized_to_finite_ones_of_an_honest_error_or_refused(tensor, bits, granularity):
    try:
        quantized, table = quantize_weights({"N/weights": tensor}, bits, granularity, minimum_values=1)
    except StudyError as error:
        assert str(error).startswith("N/weights: ")
        span = np.ptp(np.append(tensor, np.float32(0)).astype(np.float64))
        assert not span < 0.99 * np.finfo(np.float32).max
        return
    values = dequantize(quantized["N/weights"]).astype(np.float64)
    assert np.isfinite(values).all()
    error = values - tensor
    row = table.iloc[0]
    assert row["rms_error"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)
    assert row["maximum_error"] == pytest.approx(np.abs(error).max(), rel=1e-5)
    if not error.any():
        assert row["signal_to_noise"] == np.inf if tensor.any() else np.isnan(row["signal_to_noise"])
    else:
        expected = 10 * np.log10(np.sum(tensor.astype(np.float64) ** 2) / np.sum(error**2))
        assert row["signal_to_noise"] == pytest.approx(expected, abs=1e-3)


def outlying(*values):
    """A kernel of normal weights, but for the first ones."""
    tensor = np.random.default_rng(1).standard_normal((3, 3, 16, 32)).astype(np.float32)
    tensor[0, 0, 0, : len(values)] = values
    return tensor


@pytest.mark.parametrize("bits", [2, 6, 8, 16])
def test_one_enormous_weight_does_not_make_a_lossy_grid_lossless(bits):
    quantized, table = quantize_weights({"N/weights": outlying(1e30)}, bits, "tensor")
    assert np.count_nonzero(dequantize(quantized["N/weights"])) == 1
    assert np.isfinite(table["signal_to_noise"]).all()
    assert table["rms_error"].iloc[0] >= 0.99


@pytest.mark.parametrize("bits", [2, 6, 8, 16])
def test_weights_of_which_nothing_is_left_have_no_signal_above_the_noise(bits):
    _, table = quantize_weights({"N/weights": outlying() * np.float32(1e-40)}, bits, "tensor")
    assert table["signal_to_noise"].tolist() == pytest.approx([0])


@pytest.mark.parametrize("bits", [2, 6, 8, 16])
def test_a_range_that_float32_has_no_grid_for_is_named(bits):
    kernel = outlying(3.4e38, -3.4e38)
    with pytest.raises(StudyError, match=r"^N/weights: spans -3\.4e\+38 to 3\.4e\+38"):
        quantize_weights({"N/weights": kernel}, bits, "tensor")
    # Each of them alone is the range of its channel.
    quantized, _ = quantize_weights({"N/weights": kernel}, 8, "channel")
    assert np.isfinite(dequantize(quantized["N/weights"])).all()


WEIGHTS = {
    "N/Conv/weights": np.random.default_rng(1).standard_normal((3, 3, 8, 16)).astype(np.float32),
    "N/Conv/BatchNorm/gamma": np.ones(2048, np.float32),
    "N/Conv/biases": np.ones(2048, np.float32),
    "N/Small/weights": np.ones((3, 3, 8, 14), np.float32),
    "N/attention_v": np.ones(1024, np.float32),
    "embeddings/encoder/embedding_encoder": np.random.default_rng(2).standard_normal((300, 7)).astype(np.float32),
}


def test_only_large_kernels_and_embeddings_are_quantized_and_the_table_says_how(tmp_path):
    quantized, table = quantize_weights(WEIGHTS, 8, "channel")
    assert list(quantized) == list(WEIGHTS)
    changed = [name for name in WEIGHTS if quantized[name] is not WEIGHTS[name]]
    assert changed == ["N/Conv/weights", "embeddings/encoder/embedding_encoder"] == table["tensor"].tolist()
    assert [quantized[name].axis for name in changed] == [3, 0]

    write_table(tmp_path / "q8.parquet", COMPRESSION, table)
    row = read_table(tmp_path / "q8.parquet", COMPRESSION).iloc[0]
    tensor = WEIGHTS["N/Conv/weights"]
    error = dequantize(quantized["N/Conv/weights"]) - tensor
    assert (row["values"], row["bits"], row["granularity"]) == (1152, 8, "channel")
    assert row["bytes"] == 1152 + 16 * (4 + 4)
    assert (row["minimum"], row["maximum"]) == (tensor.min(), tensor.max())
    assert row["maximum_error"] == pytest.approx(np.abs(error).max())
    assert row["rms_error"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)
    assert row["signal_to_noise"] == pytest.approx(10 * np.log10(np.sum(tensor**2) / np.sum(error**2)), rel=1e-5)


def test_the_least_number_of_values_can_be_chosen():
    _, table = quantize_weights(WEIGHTS, 8, "tensor", minimum_values=1000)
    assert "N/Small/weights" in table["tensor"].tolist()


def test_a_symmetric_grid_by_hand():
    kernel = np.float32([[-1, 0, 0.4], [0.5, 0.1, 8]]).T
    quantized = quantize(kernel, 4, 1, symmetric=True)
    assert unpack(quantized.integers, 4, 6).reshape(3, 2).T.tolist() == [[1, 8, 11], [8, 8, 15]]
    np.testing.assert_array_equal(quantized.scale, np.float32([1, 8]) / np.float32(7))
    assert quantized.zero_point.tolist() == [8, 8]


@settings(max_examples=150, deadline=None)
@given(tensor=TENSORS, bits=st.integers(2, 16), axis=st.sampled_from([0, 1, -1]))
def test_a_symmetric_grid_negates_as_its_kernel_does_and_keeps_half_a_step(tensor, bits, axis):
    quantized, negated = (quantize(kernel, bits, axis % tensor.ndim, symmetric=True) for kernel in (tensor, -tensor))
    assert is_symmetric(quantized)
    assert_within_half_a_step(tensor, quantized)
    integers = unpack(quantized.integers, bits, tensor.size).astype(np.int32)
    assert integers.min() >= 1  # so that its negative is an integer of `bits` bits too
    np.testing.assert_array_equal(dequantize(negated), -dequantize(quantized))


TECHNIQUE = TypeAdapter(Technique)


def compressed(weights, **technique):
    return compress(weights, TECHNIQUE.validate_python({"method": "quantize", **technique}))


def test_kernels_that_compute_in_integers_are_all_symmetric_per_channel():
    quantized, table = compressed(WEIGHTS, bits=6, activations=8)
    assert table["tensor"].tolist() == [name for name in WEIGHTS if is_kernel(name)]
    assert all(is_symmetric(quantized[name]) for name in table["tensor"])
    assert set(table["granularity"]) == {"channel"}


def test_dynamic_integers_leave_depthwise_kernels_and_embeddings_as_floats():
    depthwise = {"N/Conv/depthwise_weights": np.ones((3, 3, 256, 1), np.float32)}
    quantized, table = compressed(WEIGHTS | depthwise, bits=8, activations="dynamic")
    assert table["tensor"].tolist() == ["N/Conv/weights", "N/Small/weights"]
    assert is_symmetric(quantized["N/Small/weights"])


def test_halves_are_rounded_kernels_of_which_the_table_tells():
    halves, table = compressed(WEIGHTS, bits=16, type="float")
    assert [name for name in WEIGHTS if halves[name] is not WEIGHTS[name]] == table["tensor"].tolist()
    kernel = WEIGHTS["N/Conv/weights"]
    half = halves["N/Conv/weights"]
    assert half.dtype == np.float16
    row = table.iloc[0]
    assert (row["bits"], row["bytes"], row["values"]) == (16, kernel.size * 2, kernel.size)
    assert row["maximum_error"] == np.abs(half.astype(np.float32) - kernel).max() <= np.abs(kernel).max() * 2**-11
    with pytest.raises(StudyError, match="N/Conv/weights: already rounded to float16"):
        compressed(halves, bits=8)


def test_weights_beyond_the_range_of_halves_are_named():
    with pytest.raises(StudyError, match=r"N/Conv/weights: holds values to 70000; float16 holds finite ones to 65504"):
        compressed({"N/Conv/weights": np.full((32, 32), -7e4, np.float32)}, bits=16, type="float")


def test_nothing_is_quantized_twice():
    quantized, _ = quantize_weights(WEIGHTS, 8, "tensor")
    assert isinstance(quantized["N/Conv/weights"], QuantizedTensor)
    with pytest.raises(StudyError, match="N/Conv/weights: already quantized to 8 bits"):
        quantize_weights(quantized, 6, "tensor")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named(value):
    tensor = np.ones((32, 32), np.float32)
    tensor[3, 4] = value
    with pytest.raises(StudyError, match=r"N/fc/weights: .*finite"):
        quantize_weights({"N/fc/weights": tensor}, 8, "tensor")


def test_channels_are_those_that_batch_norm_scales():
    assert channel_axis("N/Conv/weights", 4) == 3
    assert channel_axis("N/Conv/pointwise_weights", 4) == 3
    assert channel_axis("N/Conv/depthwise_weights", 4) == 2
    assert channel_axis("decoder/basic_lstm_cell/kernel", 2) == 1
    assert channel_axis("embeddings/decoder/embedding_decoder", 2) == 0


def test_no_framework_is_imported():
    program = (
        "import sys, tocompress.compression.quantization.grid, tocompress.runtimes.deployed;"
        "sys.exit(len({'tensorflow', 'keras', 'jax'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
