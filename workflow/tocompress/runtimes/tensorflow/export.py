"""Export a variant's weights to the artifact that a device loads, and measure the artifact's size.

A structure is traced once, with a placeholder for every weight (`body`). A variant's artifact is this body with
constants in place of the placeholders. Floats stay as they are, and integers are followed by their dequantization. So
all variants of a model run the same operations outside the scope `dequantize/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tocompress.errors import StudyError, about
from tocompress.models.registry import find
from tocompress.packing import stored_width
from tocompress.runtimes.artifact import check_names, check_values, facts
from tocompress.runtimes.deployed import AffineTensor, DeployedTensor, deployed
from tocompress.runtimes.tensorflow.graph import (
    DEQUANTIZE,
    WEIGHTS,
    Scope,
    add_constant,
    read_graph,
    weight_shapes,
    write_graph,
)
from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef
from tocompress.weights import read_weights

_LARGEST_GRAPH = 2**31 - 2**24  # bytes of weights: protobuf's limit, less ample room for the operations


def write_artifact(
    body: str | Path, weights: str | Path, artifact: str | Path, structure: pd.DataFrame
) -> pd.DataFrame:
    """Fill the body graph with the weights of a variant, write its artifact, and return its table 'artifact'."""
    (tensors, metadata), path = read_weights(weights), Path(artifact)
    epsilon = find(metadata.network).batch_norm_epsilon
    graph = read_graph(body)
    with about(weights):
        filled = export(graph, deployed(tensors, epsilon))
    write_graph(path, filled)
    return facts(path, metadata, tensors, structure)


def export(body: GraphDef, tensors: Mapping[str, DeployedTensor]) -> GraphDef:
    """Return a variant's graph: `body` with its deployed tensors as constants.

    Raise StudyError where the tensors do not fit the body, are not finite, or are too large for a graph file.
    """
    _check_tensors(body, tensors)
    exported = GraphDef(versions=body.versions, library=body.library)
    floats = {f"{WEIGHTS}{name}": add_weight(exported, name, tensor) for name, tensor in tensors.items()}
    for node in body.node:
        if node.name not in floats:
            operation = exported.node.add()
            operation.CopyFrom(node)
            operation.input[:] = [floats.get(name, name) for name in node.input]
    return exported


def _check_tensors(body: GraphDef, tensors: Mapping[str, DeployedTensor]) -> None:
    expected = weight_shapes(body)
    check_names(expected, tensors)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name]:
            raise StudyError(f"{name}: shape {list(tensor.shape)}, but the network takes {list(expected[name])}")
    check_values(tensors)
    if (size := sum(_stored(tensor).nbytes for tensor in tensors.values())) > _LARGEST_GRAPH:
        raise StudyError(f"{size / 2**30:.1f} GiB of weights: a TensorFlow graph file holds less than 2 GiB")


def _stored(tensor: DeployedTensor) -> NDArray[Any]:
    """Return the array that a graph holds. Planes are cut into the words of 8 bytes in which they are unpacked."""
    if not isinstance(tensor, AffineTensor):
        return tensor
    planes = stored_width(tensor.bits) < 8
    return tensor.integers.reshape(len(tensor.integers), -1, 8) if planes else tensor.integers


def add_weight(graph: GraphDef, name: str, tensor: DeployedTensor) -> str:
    """Add a stored tensor and its conversion to float32. Return the name of the operation that gives the floats.

    Cast, scale and offset take one pass each. `benchmarks/dequantization.py` compares this with other ways.
    """
    stored = add_constant(graph, f"{WEIGHTS}{name}", _stored(tensor))
    if not isinstance(tensor, AffineTensor):
        return stored
    scope = Scope(graph, f"{DEQUANTIZE}{name}/")
    integers = _unpack(scope, stored, tensor) if stored_width(tensor.bits) < 8 else stored
    along_axis = () if tensor.axis is None else (-1, *[1] * (len(tensor.shape) - tensor.axis - 1))
    scale, offset = (
        scope.constant(parameter.reshape(along_axis), np.float32) for parameter in (tensor.scale, tensor.offset)
    )
    floats = scope.add("Cast", integers, SrcT=tensor.integers.dtype, DstT=np.float32)
    return scope.add("AddV2", scope.add("Mul", floats, scale, T=np.float32), offset, T=np.float32)


def _unpack(scope: Scope, planes: str, tensor: AffineTensor) -> str:
    """Add `packing.unpack` as operations, from uint8 [planes, n, 8] to uint8 of the tensor's shape."""
    width, size = stored_width(tensor.bits), prod(tensor.shape)
    axis = scope.constant(0, np.int32)
    blocks = _blocks(scope, scope.add("Bitcast", planes, T=np.uint8, type=np.uint64), width, axis)
    values = [scope.add("Bitcast", block, T=np.uint64, type=np.uint8) for block in blocks]
    integers = scope.add("ConcatV2", *values, axis, T=np.uint8, N=len(values))
    if size < tensor.integers.size * 8 // width:  # the last block is padded
        flat = scope.add("Reshape", integers, scope.constant([-1], np.int32), T=np.uint8)
        bounds = (scope.constant([bound], np.int32) for bound in (0, size, 1))
        integers = scope.add("StridedSlice", flat, *bounds, T=np.uint8, Index=np.int32)
    return scope.add("Reshape", integers, scope.constant(tensor.shape, np.int32), T=np.uint8)


def _blocks(scope: Scope, lanes: str, width: int, axis: str) -> list[str]:
    """Add the blocks of values that lie in planes, one value a byte, in lanes of 8 bytes: uint64 [planes, n]."""
    mask = scope.constant((2**width - 1) * 0x0101010101010101, np.uint64)
    shift = scope.constant(8 % width or width, np.uint64)

    def bitwise(operation: str, left: str, right: str) -> str:
        return scope.add(operation, left, right, T=np.uint64)

    blocks = [bitwise("BitwiseAnd", lanes, mask)]
    if width == 6:
        last, *others = _split(scope, bitwise("BitwiseXor", lanes, blocks[0]), 3, axis)
        last = bitwise("RightShift", last, shift)
        for top in others:
            last = bitwise("RightShift", bitwise("BitwiseOr", last, top), shift)
        return [*blocks, last]
    for _ in range(1, 8 // width):
        lanes = bitwise("RightShift", lanes, shift)
        blocks.append(bitwise("BitwiseAnd", lanes, mask))
    return blocks


def _split(scope: Scope, lanes: str, number: int, axis: str) -> list[str]:
    """Add equal parts of uint64 lanes, split as int64, since TensorFlow 1.15 splits no uint64 on a processor."""
    signed = scope.add("Bitcast", lanes, T=np.uint64, type=np.int64)
    split = scope.add("Split", axis, signed, T=np.int64, num_split=number)
    parts = (f"{split}:{index}" if index else split for index in range(number))
    return [scope.add("Bitcast", part, T=np.int64, type=np.uint64) for part in parts]
