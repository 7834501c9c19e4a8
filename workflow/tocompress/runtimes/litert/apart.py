"""Keep constants of a graph apart from the weights beside them, so that a converter does not compute with both.

The converter multiplies a factor into the kernel before or after it, and adds an offset to a bias. The weight then has
no place. So such factors and offsets are inputs of the graph that is converted, and constants again in its result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from ai_edge_litert.schema_py_generated import ModelT
from numpy.typing import NDArray
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from tocompress.runtimes.litert.flatbuffer import set_constant
from tocompress.runtimes.tensorflow.graph import WEIGHTS

Floats = NDArray[np.float32]

_PREFIX = "apart/"  # + an operation's name: its constant as an input
_FACTORS, _OFFSETS = ("Mul", "RealDiv"), ("Add", "AddV2", "Sub")
#: Operations that the converter moves a factor or an offset across.
_PASSING = ("Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Pad")


def apart(graph: GraphDef) -> tuple[GraphDef, dict[str, Floats]]:
    """Return a frozen graph with inputs in place of some constants, and the values of each by the input's name.

    They are factors and offsets that are weights, and others beside an operation with weights. A division becomes a
    multiplication, as the converter would make it, and an offset of 0 is left out.
    """
    changed = GraphDef()
    changed.CopyFrom(graph)
    nodes = {node.name: node for node in changed.node}
    for node in nodes.values():
        offset = _constant(nodes, node.input[1]) if node.op in _OFFSETS else None
        if offset is not None and offset.size == 1 and not offset.any():
            node.op = "Identity"
            del node.input[1:]
    inputs: dict[str, Floats] = {}
    for node, place in [*_combined(nodes)]:
        values = _constant(nodes, node.input[place])
        assert values is not None
        if node.op == "RealDiv":
            node.op, values = "Mul", np.float32(1) / values
        node.input[place] = name = f"{_PREFIX}{node.name}"
        given = changed.node.add(name=name, op="Placeholder")
        given.attr["dtype"].type = tf.float32.as_datatype_enum
        given.attr["shape"].shape.CopyFrom(tf.TensorShape(values.shape).as_proto())
        inputs[name] = values
    return changed, inputs


def _combined(nodes: Mapping[str, NodeDef]) -> Iterator[tuple[NodeDef, int]]:
    """Yield each operation with a factor or an offset that would not stay as it is, and the place of this input."""
    readers: dict[str, list[NodeDef]] = {name: [] for name in nodes}
    for node in nodes.values():
        for name in node.input if node.op != "Shape" else ():
            readers[_plain(name)].append(node)

    def before(node: NodeDef, place: int) -> NodeDef | None:
        """Return the operation that gives an input to this one alone."""
        found = nodes[_plain(node.input[place])]
        while found.op in _PASSING and len(readers[found.name]) == 1:
            found = nodes[_plain(found.input[0])]
        return found if len(readers[found.name]) == 1 else None

    def after(node: NodeDef) -> NodeDef | None:
        """Return the only operation that reads this one."""
        while len(readers[node.name]) == 1:
            node = readers[node.name][0]
            if node.op not in _PASSING:
                return node
        return None

    def has_weights(node: NodeDef | None) -> bool:
        return node is not None and any(_source(nodes, name).name.startswith(WEIGHTS) for name in node.input)

    for node in nodes.values():
        places = {"RealDiv": (1,)}.get(node.op, (1, 0)) if node.op in (*_FACTORS, *_OFFSETS) else ()
        for place in places:
            if _constant(nodes, node.input[place]) is None or _constant(nodes, node.input[1 - place]) is not None:
                continue
            previous = before(node, 1 - place)
            if _plain(node.input[place]).startswith(WEIGHTS):  # a bias stays, since no multiplication precedes it
                wanted = node.op in _FACTORS or (previous is not None and previous.op in _FACTORS)
            else:
                wanted = has_weights(previous) or has_weights(after(node))
            if wanted:
                yield node, place


def _constant(nodes: Mapping[str, NodeDef], name: str) -> Floats | None:
    """Return the values of an input that is a constant, which an integer may be turned into."""
    node = nodes[_plain(name)]
    if node.op == "Cast":
        node = nodes[_plain(node.input[0])]
    if node.op != "Const":
        return None
    values: Floats = tf.make_ndarray(node.attr["value"].tensor).astype(np.float32)
    return values


def _source(nodes: Mapping[str, NodeDef], name: str) -> NodeDef:
    """Return the node whose values an input has, in another shape perhaps."""
    node = nodes[_plain(name)]
    while node.op in (*_PASSING, "Neg"):
        node = nodes[_plain(node.input[0])]
    return node


def _plain(name: str) -> str:
    """Return the name of the node that makes an input, which reads `name`, `name:1` or `^name`."""
    return name.removeprefix("^").partition(":")[0]


def put_back(model: ModelT, inputs: Mapping[str, Floats]) -> None:
    """Make constants of these inputs of a converted graph."""
    main = model.subgraphs[0]
    for number in [*main.inputs]:
        name = main.tensors[number].name.decode().partition(":")[0]
        if name in inputs:
            set_constant(model, main.tensors[number], inputs[name])
            main.inputs.remove(number)
