"""Integer kernels give what integer arithmetic gives, and share the grids that the runtime wants shared."""

import itertools

import numpy as np
import pytest
from hand_made import RELU, HandMade, outputs

from tocompress.compression.quantization.grid import quantize
from tocompress.errors import StudyError
from tocompress.packing import unpack
from tocompress.runtimes.deployed import AffineTensor
from tocompress.runtimes.litert.flatbuffer import constant, kind, write
from tocompress.runtimes.litert.grids import grid
from tocompress.runtimes.litert.integers import quantized
from tocompress.runtimes.litert.ranges import extremes, ranges

RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.normal(size=(8, 6, 6, 4)).astype(np.float32)
KERNELS = {"convolution": (3, 3, 4, 6), "depthwise": (3, 3, 4, 2), "dense": (144, 7)}
FACTOR = np.float32([1, -0.3, 2, -1, 0.1, 0.7, -4])  # as batch norm may have, also negative


def normal(*shape, scale=1.0):
    return (scale * np.random.default_rng(len(shape)).normal(size=shape)).astype(np.float32)


def affine(kernel, bits, axis):
    """A kernel on a symmetric grid of each channel, times a factor, and its values."""
    stored = quantize(kernel, bits, axis, symmetric=True)
    scale = stored.scale * FACTOR[: kernel.shape[axis]]
    tensor = AffineTensor(stored.integers, bits, kernel.shape, scale, -stored.zero_point * scale, axis)
    signed = unpack(stored.integers, bits, kernel.size).reshape(kernel.shape).astype(np.int32) - 2 ** (bits - 1)
    along_axis = [-1 if other == axis else 1 for other in range(kernel.ndim)]
    return tensor, signed * np.sign(scale).astype(np.int32).reshape(along_axis), signed * scale.reshape(along_axis)


def calibrated(tmp_path, model, inputs, quantile=1.0):
    """The ranges of a model's activations."""
    path = tmp_path / "floats.tflite"
    path.write_bytes(write(model))
    return ranges(extremes(path, inputs[:, None]), quantile)


def tensor_of(model, number):
    return model.subgraphs[0].tensors[number]


def kinds(model):
    return [kind(model, part) for part in model.subgraphs[0].operators]


def accumulated(operation, x, kernel):
    """The sums of products of integers x [N, ...] with a kernel, as int64."""
    if operation == "dense":
        return x @ kernel
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    formula = "nhwi,io->nhwo" if operation == "convolution" else "nhwi,im->nhwim"
    total = sum(
        np.einsum(formula, padded[:, row : row + height, column : column + width], kernel[row, column])
        for row, column in itertools.product(range(3), repeat=2)
    )
    return total.reshape(*x.shape[:3], -1)


def requantized(sums, factor, output, activation):
    """The integers of the output's grid that are nearest to sums of products, clipped as int8 and by the activation."""
    lowest = output.zero_point if activation == RELU else -128
    return np.clip(np.rint(sums * factor) + output.zero_point, lowest, 127)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("activation", [0, RELU])
@pytest.mark.parametrize("operation", KERNELS)
def test_an_operation_computes_what_integers_give(tmp_path, operation, activation, bits):
    axis = 2 if operation == "depthwise" else len(KERNELS[operation]) - 1
    tensor, integers, values = affine(normal(*KERNELS[operation]), bits, axis)
    inputs = IMAGES.reshape(8, -1) if operation == "dense" else IMAGES
    network = HandMade(1, *inputs.shape[1:])
    bias = normal(8 if operation == "depthwise" else KERNELS[operation][-1], scale=3)
    output = getattr(network, operation)(network.input, "kernel", values, bias, activation)
    model = network.ending(output)
    known = calibrated(tmp_path, model, inputs)
    content = write(quantized(model, network.places, {"kernel": tensor, "kernel/biases": bias}, known, 8))

    source, result = grid(*known[network.input]), grid(*known[output])
    x = np.clip(np.rint(inputs / source.scale) + source.zero_point, -128, 127).astype(np.int64) - source.zero_point
    step = np.repeat(np.abs(tensor.scale), bias.size // tensor.scale.size).astype(np.float64) * source.scale
    sums = accumulated(operation, x, integers.astype(np.int64)) + np.rint(bias / step).astype(np.int64)
    expected = requantized(sums, step / result.scale, result, activation)
    assert len(np.unique(expected)) > 20
    for delegate in (True, False):
        got = outputs(content, inputs, delegate=delegate) / result.scale + result.zero_point
        assert np.abs(got - expected).max() < 1.01


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 6), (-3, 0), (-1, 5), (-1e-44, 0), (0, 1e-44), (-1e30, 1e30)])
def test_a_grid_spans_its_range_and_holds_zero(low, high):
    scale, zero_point = grid(low, high)
    assert scale > 0
    assert -128 <= zero_point <= 127
    for integer, end in ((-128, low), (127, high)):
        if high - low > 1e-38:  # below, float32 has no steps
            assert (integer - zero_point) * scale == pytest.approx(end, abs=0.51 * float(scale))


def test_biases_are_on_the_grid_of_the_products_and_kernels_keep_their_integers(tmp_path):
    tensor, integers, values = affine(normal(3, 3, 4, 6), 8, 3)
    bias = normal(6)
    network = HandMade(1, 6, 6, 4)
    model = network.ending(network.convolution(network.input, "kernel", values, bias))
    known = calibrated(tmp_path, model, IMAGES)
    quantized(model, network.places, {"kernel": tensor, "kernel/biases": bias}, known, 8)
    (convolution,) = [part for part in model.subgraphs[0].operators if kind(model, part) == "CONV_2D"]
    kernel, stored = (tensor_of(model, number) for number in convolution.inputs[1:])
    np.testing.assert_array_equal(constant(model, kernel), integers.transpose(3, 0, 1, 2))
    step = grid(*known[network.input]).scale * kernel.quantization.scale
    np.testing.assert_array_equal(stored.quantization.scale, step)
    assert constant(model, stored).dtype == np.int32
    assert not stored.quantization.zeroPoint.any()
    assert (np.abs(constant(model, stored) * step - bias) <= step * 0.5001).all()


def test_a_concatenation_shares_its_steps_and_converts_what_others_read_too(tmp_path):
    network = HandMade(1, 6, 6, 4)
    first, second, third = (
        network.convolution(network.input, name, normal(1, 1, 4, 3, scale=scale), normal(3))
        for name, scale in (("first", 1), ("second", 5), ("third", 3))
    )
    inner = network.concatenation(first, second)
    outer = network.concatenation(inner, third)
    pooled, beside = network.pool(outer), network.pool(third)
    last = network.concatenation(pooled, beside)
    model = network.ending(last)
    tensors = {name: np.zeros(0, np.float32) for name in network.places["weight"]}
    floats = outputs(write(model), IMAGES)
    known = calibrated(tmp_path, model, IMAGES)
    quantized(model, network.places, tensors, known, 8)

    scales = {number: tensor_of(model, number).quantization.scale[0] for number in (first, second, inner, outer)}
    assert set(scales.values()) == {grid(*known[outer]).scale}
    assert tensor_of(model, third).quantization.scale == grid(*known[third]).scale  # the pool reads it as well
    assert tensor_of(model, pooled).quantization.scale == tensor_of(model, outer).quantization.scale
    assert kinds(model).count("QUANTIZE") == 4  # the input, the third branch, and both pools
    steps = grid(*known[outer]).scale
    assert np.abs(outputs(write(model), IMAGES) - floats).max() < 2.5 * steps


def test_operations_that_share_a_bias_have_it_on_their_own_grids(tmp_path):
    network = HandMade(1, 6, 6, 4)
    first = network.convolution(network.input, "first", normal(1, 1, 4, 4), np.float32([1, 2, 3, 4]))
    second = network.convolution(first, "second", normal(1, 1, 4, 4, scale=9), np.zeros(4))
    network.subgraph.operators[1].inputs[2] = network.subgraph.operators[0].inputs[2]
    model = network.ending(second)
    expected = outputs(write(model), IMAGES)
    known = calibrated(tmp_path, model, IMAGES)
    quantized(model, network.places, {name: np.zeros(0) for name in network.places["weight"]}, known, 8)
    assert np.abs(outputs(write(model), IMAGES) - expected).max() < 0.02 * np.ptp(expected)


@pytest.mark.parametrize("delegate", [True, False])
def test_silent_channels_and_activations_leave_the_others_right(tmp_path, delegate):
    """A channel of zeros with a bias, a tiny one, and a layer that gives 0 for every image."""
    kernel = normal(1, 1, 4, 4)
    kernel[..., 0], kernel[..., 1] = 0, 1e-30
    dead = network_of_a_dead_layer = HandMade(1, 6, 6, 4)
    alive = dead.convolution(dead.input, "alive", kernel, np.float32([7, 7, 0, 0]))
    silent = dead.convolution(dead.input, "silent", normal(1, 1, 4, 4), np.full(4, -1e3, np.float32), RELU)
    again = dead.convolution(silent, "again", normal(1, 1, 4, 4), np.float32([1, 2, 3, 4]))
    model = dead.ending(dead.addition(alive, again))
    expected = outputs(write(model), IMAGES)
    known = calibrated(tmp_path, model, IMAGES)
    assert known[silent] == (0, 0)
    places = network_of_a_dead_layer.places
    quantized(model, places, {name: np.zeros(0, np.float32) for name in places["weight"]}, known, 8)
    got = outputs(write(model), IMAGES, delegate=delegate)
    assert np.abs(got - expected).max() < 0.02 * np.ptp(expected)


def test_dynamic_ranges_need_integer_kernels_only_and_leave_depthwise_ones(tmp_path):
    network = HandMade(1, 6, 6, 4)
    tensor, integers, values = affine(normal(3, 3, 4, 6), 8, 3)
    convolved = network.convolution(network.input, "kernel", values, normal(6))
    model = network.ending(network.depthwise(convolved, "depthwise", normal(3, 3, 6, 1), normal(6)))
    expected = outputs(write(model), IMAGES)
    size = len(write(model))
    tensors = {name: np.zeros(0, np.float32) for name in network.places["weight"]} | {"kernel": tensor}
    quantized(model, network.places, tensors, None, "dynamic")
    assert kinds(model) == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    np.testing.assert_array_equal(
        constant(model, tensor_of(model, network.places["tensor"][0])), integers.transpose(3, 0, 1, 2)
    )
    assert len(write(model)) < size - 2 * integers.size
    got = outputs(write(model), IMAGES)
    assert 0 < np.abs(got - expected).max() < 0.05 * np.abs(expected).max()


def test_an_unknown_range_is_named():
    network = HandMade(1, 6, 6, 4)
    model = network.ending(network.pool(network.input))
    with pytest.raises(StudyError, match=r"no range of tensor0 \(tensor 0\); calibrate again"):
        quantized(model, network.places, {}, {}, 8)
