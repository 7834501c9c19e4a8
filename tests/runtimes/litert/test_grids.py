"""Each operation computes in integers what it computes in floats, on grids that LiteRT's kernels take."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hand_made import RELU, HandMade, outputs

from tocompress.runtimes.litert.flatbuffer import constant, kind, write
from tocompress.runtimes.litert.grids import grid
from tocompress.runtimes.litert.integers import quantized
from tocompress.runtimes.litert.ranges import extremes, ranges

STEP = 1 / 32
INTEGERS = np.random.default_rng(3).integers(-128, 128, (6, 4, 6, 3))
INTEGERS[0, 0, 0, :2] = -128, 127
IMAGES = np.float32(INTEGERS * STEP)  # exactly on the grid of their range
CHANNELS = np.float32([0.003, -1.5, 40])
MAP, POOLED = (1, 4, 6, 3), (1, 1, 1, 3)
ROWS_AND_COLUMNS = np.int32([1, 2])

#: An operation's kind, its constants, the shape of its output, and its options.
OPERATIONS = [
    ("ADD", [np.float32(0.7)], MAP, schema.AddOptionsT()),
    ("ADD", [CHANNELS], MAP, schema.AddOptionsT(fusedActivationFunction=RELU)),
    ("SUB", [np.float32(0.7)], MAP, schema.SubOptionsT()),
    ("MUL", [np.float32(1 / 6)], MAP, schema.MulOptionsT()),
    ("MUL", [np.float32(-3)], MAP, schema.MulOptionsT()),
    ("MEAN", [ROWS_AND_COLUMNS], POOLED, schema.ReducerOptionsT(keepDims=True)),
    ("MEAN", [ROWS_AND_COLUMNS], (1, 3), schema.ReducerOptionsT(keepDims=False)),
    ("SUM", [ROWS_AND_COLUMNS], (1, 3), schema.ReducerOptionsT(keepDims=False)),
    ("REDUCE_MAX", [ROWS_AND_COLUMNS], (1, 3), schema.ReducerOptionsT(keepDims=False)),
    ("LOGISTIC", [], MAP, None),
    ("TANH", [], MAP, None),
    ("SOFTMAX", [], MAP, schema.SoftmaxOptionsT(beta=1.0)),
    ("HARD_SWISH", [], MAP, None),
    ("ELU", [], MAP, None),
    ("GELU", [], MAP, schema.GeluOptionsT()),
    ("LEAKY_RELU", [], MAP, schema.LeakyReluOptionsT(alpha=0.3)),
    ("PRELU", [np.float32([[[0.1, -0.5, 0.9]]])], MAP, None),
    ("RELU", [], MAP, None),
    ("RELU6", [], MAP, None),
    ("RELU_0_TO_1", [], MAP, None),
    ("MINIMUM", [np.float32(2)], MAP, schema.MaximumMinimumOptionsT()),
    ("MAXIMUM", [CHANNELS / 30], MAP, schema.MaximumMinimumOptionsT()),
    ("TRANSPOSE", [np.int32([0, 2, 1, 3])], (1, 6, 4, 3), schema.TransposeOptionsT()),
    ("STRIDED_SLICE", [np.int32([0, 1, 1, 0]), np.int32([1, 4, 6, 3]), np.int32([1, 1, 2, 1])], (1, 3, 3, 3),
     schema.StridedSliceOptionsT()),
    ("TILE", [np.int32([1, 1, 2, 1])], (1, 4, 12, 3), None),
    ("PADV2", [np.int32([[0, 0], [1, 0], [0, 2], [0, 0]]), np.float32(-2)], (1, 5, 8, 3), schema.PadV2OptionsT()),
    ("MIRROR_PAD", [np.int32([[0, 0], [1, 0], [0, 2], [0, 0]])], (1, 5, 8, 3), schema.MirrorPadOptionsT()),
    ("RESIZE_BILINEAR", [np.int32([8, 12])], (1, 8, 12, 3), schema.ResizeBilinearOptionsT(halfPixelCenters=True)),
    ("RESIZE_NEAREST_NEIGHBOR", [np.int32([8, 12])], (1, 8, 12, 3), schema.ResizeNearestNeighborOptionsT()),
]  # fmt: skip
OF_TWO = [
    ("ADD", MAP, schema.AddOptionsT()),
    ("SUB", MAP, schema.SubOptionsT()),
    ("MUL", MAP, schema.MulOptionsT()),
    ("MAXIMUM", MAP, schema.MaximumMinimumOptionsT()),
    ("MINIMUM", MAP, schema.MaximumMinimumOptionsT()),
    ("CONCATENATION", (1, 4, 12, 3), schema.ConcatenationOptionsT(axis=2)),
]


def in_integers(tmp_path, network, output):
    """The model of floats, the one of integers, and the ranges of the activations."""
    model = network.ending(output)
    floats = write(model)
    (tmp_path / "floats.tflite").write_bytes(floats)
    known = ranges(extremes(tmp_path / "floats.tflite", IMAGES[:, None]), 1.0)
    tensors = {name: np.zeros(0, np.float32) for name in network.places["weight"]}
    return floats, quantized(model, network.places, tensors, known, 8), known


def kinds(model):
    return [kind(model, part) for part in model.subgraphs[0].operators]


def worst(model, floats):
    """The largest errors of a model, with XNNPACK and without it."""
    expected = outputs(floats, IMAGES)
    return max(np.abs(outputs(write(model), IMAGES, delegate=on) - expected).max() for on in (True, False))


@pytest.mark.parametrize(("name", "constants", "shape", "options"), OPERATIONS, ids=lambda value: str(value)[:20])
def test_an_operation_is_within_a_step_of_its_grid(tmp_path, name, constants, shape, options):
    network = HandMade(*MAP)
    inputs = [network.input, *map(network.constant, map(np.asarray, constants))]
    floats, model, _ = in_integers(tmp_path, network, network.operation(name, inputs, shape, options))
    assert [*dict.fromkeys(kinds(model))] == ["QUANTIZE", name, "DEQUANTIZE"]
    (part,) = (part for part in model.subgraphs[0].operators if kind(model, part) == name)
    (result,) = part.outputs
    assert worst(model, floats) < 1.01 * model.subgraphs[0].tensors[result].quantization.scale[0]


@pytest.mark.parametrize(("name", "shape", "options"), OF_TWO, ids=lambda value: str(value)[:20])
def test_an_operation_of_two_activations_is_within_a_step_of_its_grid(tmp_path, name, shape, options):
    network = HandMade(*MAP)
    other = network.operation("TANH", [network.input], MAP)
    output = network.operation(name, [network.input, other], shape, options)
    floats, model, known = in_integers(tmp_path, network, output)
    steps = {number: grid(*known[number]).scale for number in (network.input, output)}
    gain = 4.0 if name == "MUL" else 1.0  # of an error of TANH, which is a step of its grid
    assert worst(model, floats) < 1.51 * steps[output] + gain / 128


@pytest.mark.parametrize("activation", [0, RELU])
@pytest.mark.parametrize("shape", [MAP, (1, 3)])
def test_factors_and_offsets_of_channels_have_a_grid_each(tmp_path, shape, activation):
    """The smallest factor is 1/13,000 of the largest one, of which a product in integers would make 0."""
    network = HandMade(*MAP)
    x = network.input
    if len(shape) == 2:
        x = network.operation("MEAN", [x, network.constant(ROWS_AND_COLUMNS)], shape, schema.ReducerOptionsT())
    factor, offset = map(network.constant, (CHANNELS, np.float32([0.1, 1, -100])))
    product = network.operation("MUL", [factor, x], shape, schema.MulOptionsT())
    added = schema.AddOptionsT(fusedActivationFunction=activation)
    output = network.operation("ADD", [product, offset], shape, added)
    floats, model, known = in_integers(tmp_path, network, output)
    assert {"MUL", "ADD"}.isdisjoint(kinds(model))
    (convolution,) = (part for part in model.subgraphs[0].operators if kind(model, part) == "DEPTHWISE_CONV_2D")
    kernel, bias = (model.subgraphs[0].tensors[number] for number in convolution.inputs[1:])
    np.testing.assert_allclose(constant(model, kernel)[0, 0, 0] * kernel.quantization.scale, CHANNELS, rtol=1e-6)
    stored = constant(model, bias) * bias.quantization.scale
    np.testing.assert_allclose(stored, [0.1, 1, -100], atol=float(bias.quantization.scale.max()))
    error_before = 0 if shape == MAP else grid(*known[x]).scale * 40
    assert worst(model, floats) < 1.01 * grid(*known[output]).scale + error_before


def test_an_activation_that_only_a_clipping_reads_has_its_grid(tmp_path):
    network = HandMade(*MAP)
    total = network.operation("ADD", [network.input, network.input], MAP, schema.AddOptionsT())
    output = network.operation("RELU6", [total], MAP)
    floats, model, known = in_integers(tmp_path, network, output)
    assert model.subgraphs[0].tensors[total].quantization.scale[0] == grid(*known[output]).scale
    assert worst(model, floats) < 1.01 * 6 / 255


def test_operations_without_integers_stay_in_floats_until_a_kernel_or_another_activation(tmp_path):
    """x / (1 + exp(x)) and its mean compute in floats, but what also reads x does not."""
    network = HandMade(*MAP)
    power = network.operation("EXP", [network.input], MAP)
    more = network.operation("ADD", [power, network.constant(np.float32([1]))], MAP, schema.AddOptionsT())
    quotient = network.operation("DIV", [network.input, more], MAP, schema.DivOptionsT())
    product = network.operation("MUL", [quotient, network.input], MAP, schema.MulOptionsT())
    convolved = network.convolution(product, "kernel", np.ones((1, 1, 3, 2), np.float32), np.zeros(2))
    output = network.operation("SQUARE", [convolved], (1, 4, 6, 2))
    floats, model, _ = in_integers(tmp_path, network, output)
    expected = ["QUANTIZE", "EXP", "ADD", "DIV", "QUANTIZE", "MUL", "CONV_2D", "DEQUANTIZE", "SQUARE"]
    assert kinds(model) == expected
    assert worst(model, floats) < 0.02 * np.ptp(outputs(floats, IMAGES))


def test_a_network_of_floats_alone_is_left_as_it_is(tmp_path):
    network = HandMade(*MAP)
    floats, model, _ = in_integers(tmp_path, network, network.operation("EXP", [network.input], MAP))
    assert kinds(model) == ["EXP"]
    np.testing.assert_array_equal(outputs(write(model), IMAGES), outputs(floats, IMAGES))


def test_layers_with_the_same_kernel_have_it_on_one_grid(tmp_path):
    network = HandMade(*MAP)
    kernel = np.random.default_rng(1).normal(size=(1, 1, 3, 3)).astype(np.float32)
    first = network.convolution(network.input, "kernel", kernel, np.float32([1, 2, 3]))
    second = network.convolution(first, "kernel", kernel, np.zeros(3))
    network.subgraph.operators[1].inputs[1:] = network.subgraph.operators[0].inputs[1:]
    floats, model, _ = in_integers(tmp_path, network, second)
    assert worst(model, floats) < 0.02 * np.ptp(outputs(floats, IMAGES))
