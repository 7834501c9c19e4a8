"""What a device runs: frozen TensorFlow graphs.

A structure is traced once, with a placeholder for every weight (the *body*). Each variant's graph is the body with
constants in place of those placeholders: floats as they are, integers followed by their dequantization. So all variants
of a model run the same operations but for those under `dequantize/`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.artifacts.deployed import AffineTensor, DeployedTensor
from tocompress.compression.packing import stored_width
from tocompress.errors import StudyError
from tocompress.models.registry import build
from tocompress.tables import replace_on_success
from tocompress.weights import ModelMetadata

OUTPUT = "output"
WEIGHTS = "weights/"  # + a tensor's name: its placeholder in a body, its constant in an artifact
DEQUANTIZE = "dequantize/"  # + a tensor's name: the scope of what makes floats of it

_LARGEST_GRAPH = 2**31 - 2**24  # bytes of weights: protobuf's limit, less ample room for the operations
_GNMT_UNITS = 1024  # at width 1

Tensor = Any


def trace(metadata: ModelMetadata, beam_width: int = 1) -> GraphDef:
    """The body graph of a network in its deployed form, with a placeholder `weights/<name>` for each weight.

    CNN: `input` float32 [None, size, size, 3], preprocessed, to `output` float32 [None, classes], logits.
    GNMT: `source` int32 [B, T], `source_length` int32 [B], `maximum_length` int32 [], `forced` bool [] to `output`
    int32 [B, L], token ids: decoded greedily, or the best of `beam_width` beams.
    """
    with tf.Graph().as_default() as graph:
        output = _trace_translation(metadata, beam_width) if metadata.network == "gnmt" else _trace_images(metadata)
        tf.identity(output, name=OUTPUT)
    return _reachable(graph.as_graph_def())


def export(body: GraphDef, tensors: Mapping[str, DeployedTensor]) -> GraphDef:
    """A variant's graph: `body` with its deployed tensors as constants.

    Raises StudyError where the tensors are not those of the body, or too large for a graph file.
    """
    _check_tensors(body, tensors)
    operations = GraphDef(versions=body.versions, library=body.library)
    operations.node.extend(node for node in body.node if not node.name.startswith(WEIGHTS))
    with tf.Graph().as_default() as graph:
        weights = {f"{WEIGHTS}{name}:0": _weight(name, tensor) for name, tensor in tensors.items()}
        tf.import_graph_def(operations, input_map=weights, name="")
    exported = _reachable(graph.as_graph_def())
    # Only now, as protocol buffers: passed through a graph, the weights would be copied several times.
    for node in exported.node:
        if node.op == "Placeholder" and node.name.startswith(WEIGHTS):
            _make_constant(node, _stored(tensors[node.name.removeprefix(WEIGHTS)]))
    return exported


def write_graph(path: str | Path, graph: GraphDef) -> None:
    """Write a graph to the file `path`, whole or not at all; equal graphs give equal files."""
    with replace_on_success(path) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))


def read_graph(path: str | Path) -> GraphDef:
    """Read a frozen graph; errors name the file."""
    try:
        return GraphDef.FromString(Path(path).read_bytes())
    except (OSError, DecodeError) as error:
        raise StudyError(f"{path}: not a TensorFlow graph ({error}); delete it and run again") from error


def deflated_size(path: str | Path) -> int:
    """Bytes of the file `path` after zlib at level 6, as a package sent to a device would hold it."""
    compressor = zlib.compressobj(6)
    size = 0
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            size += len(compressor.compress(piece))
    return size + len(compressor.flush())


def _trace_images(metadata: ModelMetadata) -> Tensor:
    import keras

    from tocompress.models.variables import named_variables

    if metadata.input_size is None or metadata.classes is None:
        raise StudyError(f"{metadata.model}: its weights file names no input size or no classes")
    # Its variables never get values of their own: for the largest networks those take seconds and half a gigabyte.
    with tf.init_scope(), keras.StatelessScope(initialize_variables=False):
        model = build(
            metadata.network,
            width=metadata.width,
            input_size=metadata.input_size,
            classes=metadata.classes,
            folded=True,
        )
    variables = named_variables(model)
    values = _placeholders({name: tuple(variable.shape) for name, variable in variables.items()})
    image = tf.compat.v1.placeholder(tf.float32, [None, metadata.input_size, metadata.input_size, 3], "input")
    mapping = [(variable, values[name]) for name, variable in variables.items()]
    with keras.StatelessScope(mapping, initialize_variables=False):
        return model(image, training=False)


def _trace_translation(metadata: ModelMetadata, beam_width: int) -> Tensor:
    from tocompress.models import gnmt

    if metadata.source_vocabulary is None or metadata.target_vocabulary is None:
        raise StudyError(f"{metadata.model}: its weights file names no vocabularies")
    units = int(_GNMT_UNITS * metadata.width)
    weights = _placeholders(gnmt.shapes(metadata.source_vocabulary, metadata.target_vocabulary, units))
    source = tf.compat.v1.placeholder(tf.int32, [None, None], "source")
    source_length = tf.compat.v1.placeholder(tf.int32, [None], "source_length")
    maximum_length = tf.compat.v1.placeholder(tf.int32, [], "maximum_length")
    forced = tf.compat.v1.placeholder(tf.bool, [], "forced")
    if beam_width == 1:
        return gnmt.greedy(weights, source, source_length, maximum_length, forced)
    return gnmt.beam_search(weights, source, source_length, maximum_length, beam_width, forced=forced)


def _placeholders(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    placeholders = {name: tf.compat.v1.placeholder(tf.float32, shape, WEIGHTS + name) for name, shape in shapes.items()}
    for name, placeholder in placeholders.items():
        if placeholder.op.name != WEIGHTS + name:  # TensorFlow renames silently
            raise StudyError(f"{name}: no name for a TensorFlow operation, or it differs from another only in case")
    return placeholders


def _check_tensors(body: GraphDef, tensors: Mapping[str, DeployedTensor]) -> None:
    expected = {
        node.name.removeprefix(WEIGHTS): tuple(dimension.size for dimension in node.attr["shape"].shape.dim)
        for node in body.node
        if node.name.startswith(WEIGHTS)
    }
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if missing := expected.keys() - given.keys():
        raise StudyError(f"the weights lack {len(missing)} tensor(s) of the network, among them {min(missing)}")
    if unknown := given.keys() - expected.keys():
        raise StudyError(f"the network has no place for {len(unknown)} tensor(s), among them {min(unknown)}")
    for name, shape in given.items():
        if shape != expected[name]:
            raise StudyError(f"{name}: shape {list(shape)}, but the network takes {list(expected[name])}")
    if (size := sum(_stored(tensor).nbytes for tensor in tensors.values())) > _LARGEST_GRAPH:
        raise StudyError(f"{size / 2**30:.1f} GiB of weights: a TensorFlow graph file holds less than 2 GiB")


def _stored(tensor: DeployedTensor) -> NDArray[Any]:
    """The array that a graph holds; planes are cut into the words of 8 bytes in which they are unpacked."""
    if not isinstance(tensor, AffineTensor):
        return tensor
    planes = stored_width(tensor.bits) < 8
    return tensor.integers.reshape(len(tensor.integers), -1, 8) if planes else tensor.integers


def _weight(name: str, tensor: DeployedTensor) -> Tensor:
    """The float32 tensor that a body's operations take, made from what is stored."""
    stored = tf.compat.v1.placeholder(_stored(tensor).dtype, _stored(tensor).shape, WEIGHTS + name)
    if not isinstance(tensor, AffineTensor):
        return stored
    with tf.name_scope(f"{DEQUANTIZE}{name}/"):
        return dequantize(stored, tensor)


def dequantize(stored: Tensor, tensor: AffineTensor) -> Tensor:
    """The operations from the stored integers to float32 of the tensor's shape: one pass each for cast, scale, offset.

    `benchmarks/dequantization.py` compares them with other ways.
    """
    width = stored_width(tensor.bits)
    integers = stored if width >= 8 else tf.reshape(_unpack(stored, width, prod(tensor.shape)), tensor.shape)
    along_axis = () if tensor.axis is None else (-1, *[1] * (len(tensor.shape) - tensor.axis - 1))
    scale, offset = (parameter.reshape(along_axis) for parameter in (tensor.scale, tensor.offset))
    return tf.add(tf.multiply(tf.cast(integers, tf.float32), scale), offset)


def _unpack(planes: Tensor, width: int, size: int) -> Tensor:
    """`packing.unpack` as operations on 8 bytes at a time: uint8 [planes, n, 8] to uint8 of `size` values."""
    lanes = tf.bitcast(planes, tf.uint64)
    mask = tf.constant((2**width - 1) * 0x0101010101010101, tf.uint64)
    shift = tf.constant(8 % width or width, tf.uint64)
    axis = tf.constant(0)
    if width == 6:
        low = tf.bitwise.bitwise_and(lanes, mask)
        first, second, third = tf.split(tf.bitwise.bitwise_xor(lanes, low), 3, axis)
        last = tf.bitwise.right_shift(first, shift)
        for top in (second, third):
            last = tf.bitwise.right_shift(tf.bitwise.bitwise_or(last, top), shift)
        blocks = [low, last]
    else:
        blocks = [tf.bitwise.bitwise_and(lanes, mask)]
        for _ in range(1, 8 // width):
            lanes = tf.bitwise.right_shift(lanes, shift)
            blocks.append(tf.bitwise.bitwise_and(lanes, mask))
    values = tf.concat([tf.bitcast(block, tf.uint8) for block in blocks], axis)
    return values if values.shape.num_elements() == size else tf.reshape(values, [-1])[:size]


def _make_constant(node: Any, array: NDArray[Any]) -> None:
    """Turn a placeholder into a constant, its bytes as they are: TensorFlow's own way stores uint16 as varints."""
    constant = node.attr["value"].tensor
    constant.dtype = node.attr["dtype"].type
    constant.tensor_shape.CopyFrom(node.attr["shape"].shape)
    constant.tensor_content = np.ascontiguousarray(array).tobytes()
    node.op = "Const"
    del node.attr["shape"]


def _reachable(graph: GraphDef) -> GraphDef:
    """The graph without what neither the result needs nor a user feeds."""
    nodes = {node.name: node for node in graph.node}
    inputs = (node.name for node in graph.node if node.op == "Placeholder" and not node.name.startswith(WEIGHTS))
    wanted, needed = [OUTPUT, *inputs], set[str]()
    while wanted:
        if (name := wanted.pop()) not in needed:
            needed.add(name)
            wanted.extend(_producers(nodes[name].input))
    reachable = GraphDef(versions=graph.versions, library=graph.library)
    reachable.node.extend(node for node in graph.node if node.name in needed)
    return reachable


def _producers(inputs: Any) -> Iterator[str]:
    """Names of the nodes that make a node's inputs, which read `name`, `name:1` or `^name`."""
    return (name.removeprefix("^").partition(":")[0] for name in inputs)
