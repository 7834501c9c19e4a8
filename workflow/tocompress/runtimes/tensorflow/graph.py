"""Read, write and extend frozen TensorFlow graphs, and name the parts of them that the study relies on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.runtimes.tensorflow.protocol_buffers import (
    DT_FLOAT,
    DT_INT32,
    DT_INT64,
    DT_UINT8,
    DT_UINT16,
    DT_UINT64,
    AttrValue,
    GraphDef,
)

OUTPUT = "output"
WEIGHTS = "weights/"  # + a tensor's name: its placeholder in a body, its constant in an artifact
DEQUANTIZE = "dequantize/"  # + a tensor's name: the scope of the operations that make it float

_DATA_TYPES = {
    "float32": DT_FLOAT,
    "int32": DT_INT32,
    "int64": DT_INT64,
    "uint8": DT_UINT8,
    "uint16": DT_UINT16,
    "uint64": DT_UINT64,
}


def write_graph(path: str | Path, graph: GraphDef) -> None:
    """Write a graph to the file `path`, whole or not at all. Equal graphs give equal files."""
    with replace_on_success(path) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))


def read_graph(path: str | Path) -> GraphDef:
    """Read a frozen graph. Raise StudyError for a damaged file."""
    try:
        return GraphDef.FromString(Path(path).read_bytes())
    except (OSError, DecodeError) as error:
        raise StudyError(f"{path}: not a TensorFlow graph ({error}); delete it and run again") from error


def reachable(graph: GraphDef) -> GraphDef:
    """Return the graph with only the nodes that the result needs or that a user feeds."""
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
    """Return the names of the nodes that make a node's inputs, which read `name`, `name:1` or `^name`."""
    return (name.removeprefix("^").partition(":")[0] for name in inputs)


def weight_shapes(body: GraphDef) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight that a body has a placeholder for."""
    return {
        node.name.removeprefix(WEIGHTS): tuple(dimension.size for dimension in node.attr["shape"].shape.dim)
        for node in body.node
        if node.name.startswith(WEIGHTS)
    }


def add_constant(graph: GraphDef, name: str, array: NDArray[Any]) -> str:
    """Add a constant with the plain bytes of the array, since TensorFlow's own way stores uint16 as varints."""
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = _DATA_TYPES[array.dtype.name]
    # Weights of hundreds of megabytes must not be copied between messages, so this fills the message in place.
    tensor = node.attr["value"].tensor
    tensor.dtype = node.attr["dtype"].type
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = array.tobytes()
    return name


@dataclass(frozen=True)
class Scope:
    """A name scope to add operations to. An operation's name is its type, with a number where the type comes again.

    `name` ends in a slash. Each method returns the name of the new operation, by which others take its first result.
    """

    graph: GraphDef
    name: str
    _used: Counter[str] = field(default_factory=Counter)

    def add(self, operation: str, *inputs: str, **attributes: DTypeLike | int) -> str:
        """Add an operation. Attributes with a default in TensorFlow may be left out."""
        attr = {name: _attribute(value) for name, value in attributes.items()}
        name = self._unused_name(operation)
        self.graph.node.add(name=name, op=operation, input=inputs, attr=attr)
        return name

    def constant(self, values: ArrayLike, dtype: DTypeLike) -> str:
        return add_constant(self.graph, self._unused_name("Const"), np.asarray(values, dtype))

    def _unused_name(self, operation: str) -> str:
        number = self._used[operation]
        self._used[operation] += 1
        return f"{self.name}{operation}_{number}" if number else f"{self.name}{operation}"


def _attribute(value: DTypeLike | int) -> AttrValue:
    if isinstance(value, int):
        return AttrValue(i=value)
    return AttrValue(type=_DATA_TYPES[np.dtype(value).name])
