"""Export: a variant's weights to the artifact that a device loads, and what that artifact weighs.

A structure is traced once, with a placeholder for every weight (`body`). Each variant's artifact is that body with
constants in place of those placeholders: floats as they are, integers followed by their dequantization. So all variants
of a model run the same operations but for those under `dequantize/`.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.artifacts.deployed import AffineTensor, DeployedTensor, deployed
from tocompress.artifacts.graph import DEQUANTIZE, WEIGHTS, reachable, read_graph, write_graph
from tocompress.compression.packing import stored_width
from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.weights import read_weights

_LARGEST_GRAPH = 2**31 - 2**24  # bytes of weights: protobuf's limit, less ample room for the operations

Tensor = Any


def export_variant(
    body: str | Path, weights: str | Path, artifact: str | Path, structure: pd.DataFrame
) -> pd.DataFrame:
    """Fill the body graph with the weights of a variant, write its artifact, and return its table 'artifact'.

    Parameters are those of the training form, batch norm's among them.
    """
    (tensors, metadata), path = read_weights(weights), Path(artifact)
    epsilon = NETWORKS[metadata.network].batch_norm_epsilon
    write_graph(path, export(read_graph(body), deployed(tensors, epsilon)))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return pd.DataFrame(
        {
            "variant": [metadata.variant],
            "size": [path.stat().st_size],
            "size_deflated": [deflated_size(path)],
            "parameters": [sum(prod(tensor.shape) for tensor in tensors.values())],
            "macs": [int(structure["macs"].iloc[0])],
            "sha256": [digest],
        }
    )


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
    exported = reachable(graph.as_graph_def())
    # Only now, as protocol buffers: passed through a graph, the weights would be copied several times.
    for node in exported.node:
        if node.op == "Placeholder" and node.name.startswith(WEIGHTS):
            _make_constant(node, _stored(tensors[node.name.removeprefix(WEIGHTS)]))
    return exported


def deflated_size(path: str | Path) -> int:
    """Bytes of the file `path` after zlib at level 6, as a package sent to a device would hold it."""
    compressor = zlib.compressobj(6)
    size = 0
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            size += len(compressor.compress(piece))
    return size + len(compressor.flush())


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
