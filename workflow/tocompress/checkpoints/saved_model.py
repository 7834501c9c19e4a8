"""Read a SavedModel as a Keras model. Its graph is read as text, and never run.

The serving function is written out as one graph without functions and variables. Operations outside a table of harmless
ones are refused before TensorFlow sees the graph. Only arithmetic on constants is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.checkpoints.architecture import Notes, short
from tocompress.errors import StudyError

INPUT = "input"

_ADVICE = "save it with model.save as a .keras file instead"
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_VARIABLES = "_CHECKPOINTABLE_OBJECT_GRAPH"
_MOST_NODES, _DEEPEST = 200_000, 50

#: Operations that pass their input on.
ALIASES = {"Identity", "IdentityN", "ReadVariableOp", "StopGradient", "PreventGradient", "Cast"}
#: Operations on constants and shapes. None makes a large tensor of a small one.
_ARITHMETIC = {
    *("Const", "Placeholder", "Shape", "StridedSlice", "Slice", "Pack", "Unpack", "ConcatV2", "Reshape", "Squeeze"),
    *("ExpandDims", "Transpose", "GatherV2", "Prod", "Sum", "Rsqrt", "Sqrt", "Square", "Reciprocal", "Neg", "Exp"),
    *("Mul", "Add", "AddV2", "Sub", "RealDiv", "Maximum", "Minimum", "Pow", "ReverseV2"),
}
#: Operations of networks, which become layers.
LAYERS = {
    *("Conv2D", "DepthwiseConv2dNative", "MatMul", "BiasAdd", "AddN"),
    *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    *("Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Softmax"),
    *("MaxPool", "AvgPool", "Mean", "Max", "Pad", "PadV2"),
}
_ALLOWED = ALIASES | _ARITHMETIC | LAYERS

Node = Any
Function = Any


@dataclass
class Flat:
    """A graph without functions and variables."""

    #: The nodes. Those named in `values` and `INPUT` are placeholders.
    graph: Any
    #: The output, as in `softmax:0`.
    output: str = ""
    #: The values of the variables.
    values: dict[str, np.ndarray] = field(default_factory=dict)


def read(folder: Path) -> tuple[Any, tuple[str, ...]]:
    """Return the Keras model of a SavedModel, and notes for people."""
    from tocompress.checkpoints import tensorflow_graph

    meta = _meta_graph(folder)
    name, function, signature = _serving_function(meta)
    notes = Notes(input_type=_type_name(next(iter(signature.inputs.values())).dtype))
    flat = _written_out(meta, name, function, signature, folder)
    model = tensorflow_graph.keras_model(flat)
    return model, (*notes.sentences(), "read from the graph of a SavedModel: layers are named after its nodes")


def _meta_graph(folder: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise StudyError("saved_model.pb is damaged; get all of the folder again") from error
    served = [meta for meta in saved.meta_graphs if "serve" in meta.meta_info_def.tags]
    if len(served) != 1:
        raise StudyError(f"holds {len(served)} graphs with the tag 'serve', but one is needed; {_ADVICE}")
    if not served[0].object_graph_def.nodes:
        raise StudyError(f"is a SavedModel of TensorFlow 1; {_ADVICE}")
    return served[0]


def _serving_function(meta: Any) -> tuple[str, Function, Any]:
    """Return the function that serves predictions: its name, its definition and its signature."""
    signatures = {name: each for name, each in meta.signature_def.items() if not name.startswith("__")}
    key = "serving_default" if "serving_default" in signatures else next(iter(sorted(signatures)), None)
    if key is None:
        raise StudyError(f"has no signature for serving; {_ADVICE}")
    nodes = meta.object_graph_def.nodes
    try:
        at = _child(nodes, _child(nodes, 0, "signatures"), key)
    except KeyError as error:
        raise StudyError(f"has no function for the signature {key}; {_ADVICE}") from error
    name = nodes[at].bare_concrete_function.concrete_function_name or next(
        iter(nodes[at].function.concrete_functions), ""
    )
    functions = {each.signature.name: each for each in meta.graph_def.library.function}
    if name not in functions or name not in meta.object_graph_def.concrete_functions:
        raise StudyError(f"has no function for the signature {key}; {_ADVICE}")
    signature = signatures[key]
    for ends, what in ((signature.inputs, "inputs"), (signature.outputs, "outputs")):
        if len(ends) != 1:
            raise StudyError(f"has {len(ends)} {what}; an image classifier has one input and one output")
    return name, functions[name], signature


def _child(nodes: Any, at: int, name: str) -> int:
    children: dict[str, int] = {child.local_name: child.node_id for child in nodes[at].children}
    return children[name]


def _written_out(meta: Any, name: str, function: Function, signature: Any, folder: Path) -> Flat:
    """Return the serving function as a graph of harmless operations."""
    from tensorflow import TensorShape, as_dtype
    from tensorflow.core.framework.graph_pb2 import GraphDef

    given = next(iter(signature.inputs.values()))
    bound = meta.object_graph_def.concrete_functions[name].bound_inputs
    if len(function.signature.input_arg) != 1 + len(bound):
        raise StudyError(f"its serving function takes {len(function.signature.input_arg) - len(bound)} inputs")
    flat = Flat(GraphDef(versions=meta.graph_def.versions))
    _add_placeholder(flat, INPUT, given.dtype, given.tensor_shape)
    variables = _variables(meta, bound, folder)
    for at, value in variables.items():
        name = f"variable_{at}"
        flat.values[name] = value
        _add_placeholder(flat, name, as_dtype(value.dtype).as_datatype_enum, TensorShape(value.shape).as_proto())
    arguments = [f"{INPUT}:0", *(f"variable_{at}:0" for at in bound)]
    functions = {each.signature.name: each for each in meta.graph_def.library.function}
    flat.output = _Writer(flat, functions).write(function, arguments, "", 0)[0]
    flat.graph = _needed(flat)
    for node in flat.graph.node:
        if node.op not in _ALLOWED:
            raise StudyError(f"{node.name}: the operation {node.op} is not among those of image classifiers; {_ADVICE}")
    return flat


def _type_name(type_: int) -> str:
    """Return the name of the type of an input."""
    import tensorflow as tf

    given = tf.as_dtype(type_)
    if not (given.is_floating or given.is_integer):
        raise StudyError(f"its input is of the type {given.name}; pictures are float32 or integers")
    return str(given.name)


def _add_placeholder(flat: Flat, name: str, type_: int, shape: Any) -> None:
    node = flat.graph.node.add(name=name, op="Placeholder")
    node.attr["dtype"].type = type_
    node.attr["shape"].shape.CopyFrom(shape)


def _variables(meta: Any, bound: Any, folder: Path) -> dict[int, np.ndarray]:
    """Return the values of the variables and constants that the function reads, by their nodes.

    The checkpoint names a variable by its own graph of objects, in which the same steps from the root lead to it.
    """
    nodes = meta.object_graph_def.nodes
    kinds = {at: nodes[at].WhichOneof("kind") for at in bound}
    for kind in kinds.values():
        if kind not in ("variable", "constant"):
            raise StudyError(f"its serving function reads {kind or 'an object'}, not only variables; {_ADVICE}")
    constants = {at: _constant(meta, nodes[at].constant.operation) for at in kinds if kinds[at] == "constant"}
    if len(constants) == len(kinds):
        return constants
    prefix = folder / "variables" / "variables"
    objects = _objects(prefix)
    places = _same_places(nodes, objects)
    keys = {}
    for at in kinds.keys() - constants.keys():
        attributes = objects[places[at]].attributes if at in places else []
        if len(attributes) != 1:
            raise StudyError(f"{nodes[at].variable.name}: the checkpoint of the SavedModel does not hold this variable")
        keys[at] = attributes[0].checkpoint_key
    shapes = {key: tuple(each.size for each in nodes[at].variable.shape.dim) for at, key in keys.items()}
    values = tensorflow_checkpoint.read(prefix, shapes)
    return constants | {at: values[key] for at, key in keys.items()}


def _constant(meta: Any, name: str) -> np.ndarray:
    """Return the value of a constant that stands outside the functions."""
    import tensorflow as tf

    nodes = [node for node in meta.graph_def.node if node.name == name and node.op == "Const"]
    if not nodes:
        raise StudyError(f"{name}: this constant is missing in the graph; {_ADVICE}")
    return np.asarray(tf.make_ndarray(nodes[0].attr["value"].tensor))


def _objects(prefix: Path) -> Any:
    """Return the nodes of a checkpoint's graph of objects."""
    import tensorflow as tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        return TrackableObjectGraph.FromString(reader.get_tensor(_VARIABLES)).nodes
    except Exception as error:  # TensorFlow raises any kind for a damaged checkpoint
        raise StudyError(f"its variables are damaged ({short(error)}); get all of the folder again") from error


def _same_places(nodes: Any, others: Any) -> dict[int, int]:
    """Return the node of the checkpoint for each node of the SavedModel."""
    places, waiting = {0: 0}, [0]
    while waiting:
        at = waiting.pop()
        children = {child.local_name: child.node_id for child in others[places[at]].children}
        for child in nodes[at].children:
            if child.node_id not in places and child.local_name in children:
                places[child.node_id] = children[child.local_name]
                waiting.append(child.node_id)
    return places


class _Writer:
    """Writes functions into a flat graph."""

    def __init__(self, flat: Flat, functions: Mapping[str, Function]) -> None:
        self.flat, self.functions = flat, functions

    def write(self, function: Function, arguments: list[str], prefix: str, depth: int) -> list[str]:
        """Add the nodes of a call, under names that begin with `prefix`, and return its results."""
        if depth > _DEEPEST or len(self.flat.graph.node) > _MOST_NODES:
            raise StudyError(f"its functions call one another without end; {_ADVICE}")
        nodes = {node.name: node for node in function.node_def}
        results: dict[str, list[str]] = {}
        places = dict(zip((str(each.name) for each in function.signature.input_arg), arguments, strict=True))

        def source(text: str) -> str:
            name, *rest = str(text).split(":")
            if name in places:
                return str(places[name])
            output, number = rest if len(rest) == 2 else ("", "0")
            if name in results:
                return results[name][int(number)]
            return f"{prefix}{name}:{_place(nodes[name], output) + int(number)}"

        for node in _in_order(nodes, places, prefix):
            inputs = [source(each) for each in node.input if not each.startswith("^")]
            if node.op in _CALLS:
                called = node.attr["f"].func.name
                if called not in self.functions:
                    raise StudyError(f"{prefix}{node.name}: calls a function that the SavedModel does not hold")
                results[node.name] = self.write(self.functions[called], inputs, f"{prefix}{node.name}/", depth + 1)
            else:
                new = self.flat.graph.node.add()
                new.CopyFrom(node)
                new.name = prefix + node.name
                del new.input[:]
                new.input.extend(inputs)
                if node.op == "ReadVariableOp":
                    new.op = "Identity"
                    new.attr["T"].CopyFrom(node.attr["dtype"])
                    del new.attr["dtype"]
                for private in [key for key in new.attr if key.startswith("_")]:
                    del new.attr[private]
        return [source(function.ret[each.name]) for each in function.signature.output_arg]


def _in_order(nodes: Mapping[str, Node], places: Mapping[str, str], prefix: str) -> list[Node]:
    """Return the nodes so that each comes after its inputs."""
    before = {
        name: [
            each.split(":")[0] for each in node.input if not each.startswith("^") and each.split(":")[0] not in places
        ]
        for name, node in nodes.items()
    }
    try:
        return [nodes[name] for name in TopologicalSorter(before).static_order()]
    except (CycleError, KeyError) as error:
        raise StudyError(f"{prefix or 'its serving function'}: its nodes have no order; {_ADVICE}") from error


def _place(node: Node, output: str) -> int:
    """Return the number of the first tensor of an output of a node."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    names = [each.name for each in definition.output_arg] if definition else []
    return int(names.index(output)) if output in names else 0


def _needed(flat: Flat) -> Any:
    """Return the nodes that the output needs, and the placeholders."""
    from tensorflow.core.framework.graph_pb2 import GraphDef

    nodes = {node.name: node for node in flat.graph.node}
    waiting, needed = [flat.output.split(":")[0]], {INPUT, *flat.values}
    while waiting:
        name = waiting.pop()
        if name not in needed:
            if name not in nodes:
                raise StudyError(f"{name}: this node is missing in the graph; {_ADVICE}")
            needed.add(name)
            waiting.extend(each.split(":")[0] for each in nodes[name].input)
    return GraphDef(versions=flat.graph.versions, node=[node for node in flat.graph.node if node.name in needed])


def imported(flat: Flat) -> Any:
    """Return the graph in TensorFlow's form, which knows the shape of every tensor."""
    import tensorflow as tf

    graph = tf.Graph()
    try:
        with graph.as_default(), tf.device("/cpu:0"):
            tf.compat.v1.import_graph_def(flat.graph, name="")
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise StudyError(f"its graph is damaged ({short(error)}); {_ADVICE}") from error
    return graph
