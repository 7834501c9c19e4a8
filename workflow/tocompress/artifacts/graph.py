"""Frozen TensorFlow graphs as files, and the names in them that the study goes by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.errors import StudyError
from tocompress.tables import replace_on_success

OUTPUT = "output"
WEIGHTS = "weights/"  # + a tensor's name: its placeholder in a body, its constant in an artifact
DEQUANTIZE = "dequantize/"  # + a tensor's name: the scope of what makes floats of it


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


def reachable(graph: GraphDef) -> GraphDef:
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
