"""Turn the events of LiteRT's profiler into the operations of a run, with their times and arithmetic."""

import re
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from tocompress.devices.agent import litert_file as tflite
from tocompress.devices.agent.host import AgentError, Record
from tocompress.devices.agent.litert_file import Node

#: Codes of LiteRtProfilerEventType: a part of the runtime, a node of the file, an operation inside XNNPACK.
PART, NODE, INSIDE = 1, 2, 8

#: The nodes whose time is the time of the nodes in other subgraphs.
_CONTROL = ("WHILE", "IF", "CALL_ONCE")

#: Types of activations in the names of XNNPACK's kernels. Weights of 8 bits (QC8W) alone are multiplied as floats.
_INTEGERS, _FLOATS = re.compile(r"\b(QC8|P?QS8|QU8|QDU?8|QP8|S8|U8|X8)\b"), re.compile(r"\b(P?F32|P?F16|BF16|X32)\b")

#: Kernels of XNNPACK whose names tell no types -> the kinds of node that they come from.
_UNTOLD = {
    "Add": (tflite.ADD,),
    "Clamp": (tflite.RELU, tflite.RELU6),
    "ELU": (tflite.ELU,),
    "GELU": (tflite.GELU,),
    "HardSwish": (tflite.HARD_SWISH,),
    "LeakyReLU": (tflite.LEAKY_RELU,),
    "Maximum": (tflite.MAXIMUM,),
    "Mean": (tflite.MEAN,),
    "Minimum": (tflite.MINIMUM,),
    "Multiply": (tflite.MUL,),
    "Sigmoid": (tflite.LOGISTIC,),
    "Subtract": (tflite.SUB,),
    "Sum": (tflite.SUM, tflite.MEAN),  # LiteRT's mean is a sum there
    "TanH": (tflite.TANH,),
}

#: How the names of XNNPACK's dense products begin. Convolutions of 1 x 1 are such products too.
_DENSE = "Fully Connected"


class Event(NamedTuple):
    """An event of the profiler. `number` is of a node in its subgraph, or of an operation in a part of XNNPACK."""

    tag: str
    type: int
    elapsed_us: int
    number: int
    subgraph: int


def columns(events: Sequence[Event], nodes: List[List[Node]]) -> Record:
    """Return the operations of one run, as columns, and `invoke_s`, the time of the run. `nodes` are the file's.

    The times of an operation in a loop are added up. The kind of node follows the place of a dense product in its name.
    """
    seconds: Dict[Tuple[str, str], float] = {}
    integers: Dict[Tuple[str, str], bool] = {}
    kinds = _dense_kinds(events, nodes)
    for place, event in _operations(events):
        key = (f"{place} {next(kinds)}" if event.tag.startswith(_DENSE) else place, event.tag)
        seconds[key] = seconds.get(key, 0.0) + 1e-6 * event.elapsed_us
        integers[key] = _in_integers(event, nodes[event.subgraph])
    (whole, *_) = [event for event in events if event.type == PART and event.tag == "Invoke" and event.subgraph == 0]
    return {
        "operation": [operation for operation, _ in seconds],
        "type": [kind for _, kind in seconds],
        "duration_s": list(seconds.values()),
        "integer": list(integers.values()),
        "invoke_s": 1e-6 * whole.elapsed_us,
    }


def _operations(events: Sequence[Event]) -> Iterator[Tuple[str, Event]]:
    """Yield the operations with their places: `subgraph/node`, or `subgraph/xnnpack part/operation`.

    XNNPACK runs a subgraph in parts, each counting its operations from 0. Every run of a subgraph begins at part 1.
    """
    parts: Dict[int, int] = {}
    latest: Dict[int, int] = {}
    for event in events:
        subgraph = event.subgraph
        if event.type == PART and event.tag == "Invoke":
            parts[subgraph], latest[subgraph] = 1, -1
        elif event.type == NODE and event.tag not in _CONTROL:
            yield f"{subgraph}/{event.number}", event
        elif event.type == INSIDE:
            parts[subgraph] += event.number <= latest[subgraph]
            latest[subgraph] = event.number
            yield f"{subgraph}/xnnpack {parts[subgraph]}/{event.number}", event


def _dense_kinds(events: Sequence[Event], nodes: List[List[Node]]) -> Iterator[str]:
    """Return the kind of node of each of XNNPACK's dense products, in the order of the run.

    They run in the order of the file. Raise AgentError unless the file has as many dense nodes.
    """
    products = sum(event.tag.startswith(_DENSE) for event in events)
    if not any(node.kind == tflite.CONV_2D for subgraph in nodes for node in subgraph):
        return iter(["FULLY_CONNECTED"] * products)
    outside = {(event.subgraph, event.number) for event in events if event.type == NODE}
    kinds = [
        "CONV_2D" if node.kind == tflite.CONV_2D else "FULLY_CONNECTED"
        for index, subgraph in enumerate(nodes)
        for number, node in enumerate(subgraph)
        if node.dense and (index, number) not in outside
    ]
    if products not in (0, len(kinds)):
        raise AgentError("LiteRT does not tell the dense layers of this network from its convolutions of 1 x 1")
    return iter(kinds)


def _in_integers(event: Event, nodes: List[Node]) -> bool:
    """Return whether an operation computes in integers. Where its name does not tell, the file's tensors do."""
    if event.type == NODE:
        return nodes[event.number].computes_in_integers
    if event.tag.startswith("Convert"):
        return False
    if _INTEGERS.search(event.tag) or _FLOATS.search(event.tag):
        return _INTEGERS.search(event.tag) is not None
    kinds = _UNTOLD.get(event.tag.split(" ")[0], ())
    sources = [node for node in nodes if node.kind in kinds] or [node for node in nodes if not node.converts]
    return bool(sources) and all(node.gives_integers for node in sources)
