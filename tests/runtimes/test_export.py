"""Artifacts compute what the networks they were made of compute."""

import os
import re
import zlib
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2

from tocompress.compression.pruning import dependencies
from tocompress.compression.pruning.recurrent import gnmt_channels
from tocompress.compression.pruning.surgery import cut
from tocompress.compression.quantization.grid import dequantize, quantize_weights
from tocompress.errors import StudyError
from tocompress.models import gnmt
from tocompress.models.registry import NETWORKS, build
from tocompress.models.resize import resized
from tocompress.models.variables import named_variables
from tocompress.packing import pack
from tocompress.runtimes.artifact import deflated_size
from tocompress.runtimes.deployed import AffineTensor, deployed
from tocompress.runtimes.tensorflow import export as exports
from tocompress.runtimes.tensorflow.body import multiply_accumulates, trace
from tocompress.runtimes.tensorflow.export import add_weight, export
from tocompress.runtimes.tensorflow.graph import read_graph, write_graph
from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef
from tocompress.weights import ModelMetadata, QuantizedTensor

MOBILENET = ModelMetadata("small", "mobilenet_v1", "fp32", False, 0.25, shape=(32, 32, 3), classes=10)
EPSILON = NETWORKS["mobilenet_v1"].batch_norm_epsilon
GNMT = ModelMetadata("small", "gnmt", "fp32", False, 32 / 1024, source_vocabulary=50, target_vocabulary=60)

FULL_TRACE = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)


def run(graph, feeds, folded=True, **options):
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    if not folded:
        config.graph_options.rewrite_options.constant_folding = rewriter_config_pb2.RewriterConfig.OFF
        config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(config=config) as session:
            return session.run("output:0", {f"{name}:0": value for name, value in feeds.items()}, **options)


def dequantized(weights):
    return {
        name: dequantize(tensor) if isinstance(tensor, QuantizedTensor) else tensor for name, tensor in weights.items()
    }


def shapes_of(weights):
    return {name: tensor.shape for name, tensor in weights.items()}


def half_of_each_group(channels):
    """A mask that keeps every other channel, and the first of each group."""
    keep = np.arange(channels.count) % 2 == 1
    keep[[ids[0] for ids in channels.groups.values()]] = True
    return keep


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.fixture(scope="module")
def body(weights):
    return trace(MOBILENET, shapes_of(weights))


@pytest.fixture(scope="module")
def network():
    return build("mobilenet_v1", width=0.25, input_size=32, classes=10)


@pytest.fixture(scope="module")
def weights(network):
    random = np.random.default_rng(0)
    values = {name: np.array(variable) for name, variable in named_variables(network).items()}
    for name, value in values.items():
        if "BatchNorm" in name or name.endswith("biases"):
            values[name] = random.uniform(0.5, 1.5, value.shape).astype(np.float32)
    return values


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)


def logits(network, weights, images):
    for name, variable in named_variables(network).items():
        variable.assign(weights[name])
    return keras.ops.convert_to_numpy(network(images, training=False))


@pytest.mark.parametrize("batch", [1, 3])
def test_the_float_artifact_equals_the_network_with_batch_norm(body, network, weights, images, batch):
    artifact = export(body, deployed(weights, EPSILON))
    assert_close(run(artifact, {"input": images[:batch]}), logits(network, weights, images[:batch]))


@pytest.mark.parametrize(
    ("bits", "granularity"), [(16, "tensor"), (8, "channel"), (6, "tensor"), (6, "channel"), (4, "tensor")]
)
def test_a_quantized_artifact_equals_the_network_with_dequantized_weights(
    body, network, weights, images, bits, granularity
):
    quantized, _ = quantize_weights(weights, bits, granularity)
    artifact = export(body, deployed(quantized, EPSILON))
    assert_close(run(artifact, {"input": images}), logits(network, dequantized(quantized), images))


@pytest.mark.parametrize("bits", [16, 8, 7, 6, 5, 4, 3, 2])
@pytest.mark.parametrize(("shape", "axis"), [((3, 3, 5, 7), None), ((2, 2, 4, 8), 3), ((3, 3, 7, 1), 2), ((5, 9), 0)])
def test_a_weight_is_integer_times_scale_plus_offset_to_the_bit(bits, shape, axis):
    random = np.random.default_rng(bits)
    integers = random.integers(0, 2**bits, shape)
    parameters = random.normal(0, 0.1, (2, *(() if axis is None else (shape[axis],)))).astype(np.float32)
    graph = GraphDef()
    floats = add_weight(graph, "kernel", AffineTensor(pack(integers, bits), bits, shape, *parameters, axis))
    graph.node.add(name="output", op="Identity", input=[floats]).attr["T"].type = tf.float32.as_datatype_enum

    along_axis = [-1 if dimension == axis else 1 for dimension in range(len(shape))]
    scale, offset = (parameter.reshape(along_axis) for parameter in parameters)
    for folded in (True, False):
        np.testing.assert_array_equal(run(graph, {}, folded), integers.astype(np.float32) * scale + offset)


@pytest.mark.parametrize("bits", [None, 8])
def test_a_pruned_artifact_equals_the_pruned_network_and_takes_less(network, weights, images, bits):
    channels = dependencies.trace(network)
    pruned = cut(weights, channels, half_of_each_group(channels))
    smaller = resized(network, shapes_of(pruned))
    variant = pruned if bits is None else quantize_weights(pruned, bits, "tensor")[0]
    artifact = export(trace(MOBILENET, shapes_of(variant)), deployed(variant, EPSILON))
    assert_close(run(artifact, {"input": images}), logits(smaller, dequantized(variant), images))
    macs, macs_whole = (
        multiply_accumulates(MOBILENET, shapes_of(tensors))["macs"].iloc[0] for tensors in (pruned, weights)
    )
    assert 0.25 < macs / macs_whole < 0.6


@pytest.mark.parametrize("bits", [16, 8, 6])
def test_variants_differ_only_in_constants_and_under_dequantize(body, weights, bits):
    def operations(graph):
        return {node.name: node.op for node in graph.node if not node.name.startswith("dequantize/")}

    quantized, table = quantize_weights(weights, bits, "tensor")
    floats, integers = export(body, deployed(weights, EPSILON)), export(body, deployed(quantized, EPSILON))
    assert operations(floats) == operations(integers)
    assert len(floats.node) == len(operations(floats))
    scopes = {node.name.rpartition("/")[0] for node in integers.node if node.op == "Cast"}
    assert scopes == {f"dequantize/{name}" for name in table["tensor"]}
    assert [node.name for node in integers.node if node.op == "Placeholder"] == ["input"]


def test_the_body_holds_no_weights(body):
    assert body.ByteSize() < 50_000


def test_integers_are_stored_as_raw_bytes(body, weights):
    quantized, table = quantize_weights(weights, 16, "tensor")
    artifact = export(body, deployed(quantized, EPSILON))
    stored = {node.name: node.attr["value"].tensor for node in artifact.node if node.name.startswith("weights/")}
    for name, values in zip(table["tensor"], table["values"], strict=True):
        assert len(stored[f"weights/{name}"].tensor_content) == 2 * values


@pytest.mark.parametrize(("bits", "reduction"), [(16, 50), (8, 75), (6, 81)])
def test_a_full_size_file_shrinks_as_its_bits_do(full_size, bits, reduction):
    body, weights = full_size
    floats = export(body, deployed(weights, None)).ByteSize()
    integers = export(body, deployed(quantize_weights(weights, bits, "channel")[0], None)).ByteSize()
    assert 100 * (1 - integers / floats) == pytest.approx(reduction, abs=1.5)


@pytest.fixture(scope="module")
def full_size():
    with keras.StatelessScope(initialize_variables=False):
        variables = named_variables(build("mobilenet_v1", width=1.0, input_size=224, classes=1001, folded=True))
    weights = {name: np.zeros(variable.shape, np.float32) for name, variable in variables.items()}
    metadata = ModelMetadata("full", "mobilenet_v1", "fp32", False, 1.0, shape=(224, 224, 3), classes=1001)
    return trace(metadata, shapes_of(weights)), weights


def test_tensors_that_are_not_the_networks_are_named(body, weights, monkeypatch):
    tensors = deployed(weights, EPSILON)
    name = "MobilenetV1/Conv2d_0/weights"
    with pytest.raises(StudyError, match=f"lack 1 .*{name}"):
        export(body, {other: tensor for other, tensor in tensors.items() if other != name})
    with pytest.raises(StudyError, match=r"no place for 1 .*Conv2d_99"):
        export(body, tensors | {"MobilenetV1/Conv2d_99/weights": tensors[name]})
    with pytest.raises(StudyError, match=rf"{name}: shape \[3, 3, 3, 7\], but .*\[3, 3, 3, 8\]"):
        export(body, tensors | {name: tensors[name][..., :7]})
    monkeypatch.setattr(exports, "_LARGEST_GRAPH", 100_000)
    with pytest.raises(StudyError, match="2 GiB"):
        export(body, tensors)


@pytest.mark.parametrize("bits", [None, 8])
@pytest.mark.parametrize(("weight", "gamma"), [(1e38, 1e3), (1e-3, 3e38), (1e25, 1e25)])
def test_what_becomes_infinite_when_batch_norm_is_folded_in_is_named(body, weights, bits, weight, gamma):
    layer = "MobilenetV1/Conv2d_1_pointwise"
    enormous = {f"{layer}/{name}": weights[f"{layer}/{name}"].copy() for name in ("weights", "BatchNorm/gamma")}
    enormous[f"{layer}/weights"][..., 0] = weight
    enormous[f"{layer}/BatchNorm/gamma"][0] = gamma
    enormous[f"{layer}/BatchNorm/moving_mean"] = np.full_like(weights[f"{layer}/BatchNorm/moving_mean"], 5)
    changed = weights | enormous
    if bits is not None:
        changed, _ = quantize_weights(changed, bits, "tensor")
    with (
        np.errstate(over="ignore"),
        pytest.raises(StudyError, match=rf"{layer}/\w+, as deployed: holds NaN or infinity"),
    ):
        export(body, deployed(changed, EPSILON))


def test_files_hold_what_was_written_and_equal_graphs_give_equal_files(body, tmp_path):
    paths = [tmp_path / "a.pb", tmp_path / "b.pb"]
    write_graph(paths[0], body)
    write_graph(paths[1], read_graph(paths[0]))
    assert read_graph(paths[1]) == body
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert deflated_size(paths[0]) == len(zlib.compress(paths[0].read_bytes(), 6))


def test_a_damaged_file_is_named(body, tmp_path):
    (tmp_path / "a.pb").write_bytes(body.SerializeToString()[:-1])
    with pytest.raises(StudyError, match=r"a\.pb"):
        read_graph(tmp_path / "a.pb")


@pytest.fixture(scope="module")
def translator():
    random = np.random.default_rng(0)
    return {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in gnmt.shapes(50, 60, 32).items()}


SENTENCES = {"source": np.random.default_rng(2).integers(3, 50, (3, 7), np.int32), "source_length": np.int32([7, 5, 2])}


@pytest.fixture(scope="module")
def translator_body():
    return trace(GNMT, gnmt.shapes(50, 60, 32))


@pytest.mark.parametrize("bits", [None, 6])
def test_a_translators_artifact_gives_the_tokens_of_greedy_decoding(translator, translator_body, bits):
    weights = translator if bits is None else quantize_weights(translator, bits, "channel")[0]
    artifact = export(translator_body, deployed(weights, None))
    for forced in (False, True):
        expected = gnmt.greedy(dequantized(weights), *SENTENCES.values(), 9, forced)
        tokens = run(artifact, SENTENCES | {"maximum_length": 9, "forced": forced})
        np.testing.assert_array_equal(tokens, expected)


def test_a_translators_artifact_gives_the_tokens_of_beam_search(translator):
    artifact = export(trace(GNMT, shapes_of(translator), beam_width=3), deployed(translator, None))
    expected = gnmt.beam_search(translator, *SENTENCES.values(), 9, beam_width=3)
    np.testing.assert_array_equal(run(artifact, SENTENCES | {"maximum_length": 9, "forced": False}), expected)


def test_a_pruned_translators_artifact_gives_the_tokens_of_greedy_decoding(translator):
    channels = gnmt_channels(shapes_of(translator))
    pruned = cut(translator, channels, half_of_each_group(channels))
    artifact = export(trace(GNMT, shapes_of(pruned)), deployed(pruned, None))
    expected = gnmt.greedy(pruned, *SENTENCES.values(), 9, True)
    tokens = run(artifact, SENTENCES | {"maximum_length": 9, "forced": True})
    np.testing.assert_array_equal(tokens, expected)
    shapes, whole = shapes_of(pruned), shapes_of(translator)
    assert multiply_accumulates(GNMT, shapes)["macs"].iloc[0] < 0.6 * multiply_accumulates(GNMT, whole)["macs"].iloc[0]


def test_a_translator_dequantizes_once_an_inference_outside_its_loops(translator, translator_body):
    quantized, table = quantize_weights(translator, 8, "tensor")
    executions = executed(export(translator_body, deployed(quantized, None)), SENTENCES, tokens=9)
    casts = {name: number for name, number in executions.items() if re.fullmatch("dequantize/.*/Cast", name)}
    assert len(casts) == len(table)
    assert {number for name, number in executions.items() if name.startswith("dequantize/")} == {1}
    assert 9 in executions.values()


def executed(graph, sentences, tokens):
    """How often each operation of a graph runs to translate sentences to so many tokens, nothing folded."""
    metadata = tf.compat.v1.RunMetadata()
    feeds = sentences | {"maximum_length": tokens, "forced": True}
    run(graph, feeds, folded=False, options=FULL_TRACE, run_metadata=metadata)
    return Counter(node.node_name for device in metadata.step_stats.dev_stats for node in device.node_stats)
