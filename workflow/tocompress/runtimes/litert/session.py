"""Run a LiteRT model on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tocompress.errors import StudyError, about
from tocompress.runtimes.feeds import EXPORT_AGAIN, NOT_FINITE, Feeds, Run
from tocompress.runtimes.litert.flatbuffer import add_tensor, kind, operator, read, set_constant, write

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.schema_py_generated import ModelT, SubGraphT

_DIVIDED_BY_ZERO = "Division by 0"  # in the runtime's message; no network divides integers by what may be 0


@contextmanager
def loaded(artifact: str | Path, threads: int) -> Iterator[Run]:
    """Load a model, ready to run on feeds. Raise StudyError for a model that is not this study's.

    The model takes one image or one sentence. A run puts the outputs of a batch together, as TensorFlow's graph gives
    them. It raises StudyError for feeds that do not fit, and where a decoder's logits are not finite, which its tokens
    do not show.
    """
    model = read(artifact)
    checked = {"model_content": write(model)} if _check_decoded_logits(model) else {"model_path": str(artifact)}
    interpreter = _interpreter(artifact, checked, threads)
    inputs = {details["name"]: details for details in interpreter.get_input_details()}
    [output] = interpreter.get_output_details()

    def run(feeds: Feeds) -> np.ndarray:
        with about(artifact):
            _check_feeds(inputs, feeds)
            return _together([_run_one(interpreter, inputs, output["index"], one) for one in _one_by_one(feeds)])

    yield run


def _interpreter(artifact: str | Path, model: dict[str, Any], threads: int) -> Interpreter:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(**model, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise StudyError(f"{artifact}: LiteRT does not load it ({error}); {EXPORT_AGAIN}") from error
    return interpreter


def _check_feeds(inputs: dict[str, Any], feeds: Feeds) -> None:
    """Raise StudyError unless each input has an array of its type and shape, of any number of examples."""
    if feeds.keys() != inputs.keys():
        given = ", ".join(sorted(feeds)) or "nothing"
        raise StudyError(f"takes {', '.join(sorted(inputs))}, not {given}; {EXPORT_AGAIN}")
    for name, details in inputs.items():
        array, expected = np.asarray(feeds[name]), [int(size) for size in details["shape_signature"]]
        fits = array.ndim == len(expected) and all(
            wanted in (-1, size) for size, wanted in zip(array.shape[1:], expected[1:], strict=True)
        )
        if not fits or array.dtype != details["dtype"]:
            kind_of_input = np.dtype(details["dtype"]).name
            raise StudyError(
                f"takes {kind_of_input} {expected} as {name}, one example each, not {array.dtype} {list(array.shape)};"
                f" {EXPORT_AGAIN}"
            )


def _one_by_one(feeds: Feeds) -> Iterator[Feeds]:
    """Yield the feeds of each example of a batch. Scalars are of all of them."""
    arrays = {name: np.asarray(array) for name, array in feeds.items()}
    for example in range(max(len(array) for array in arrays.values() if array.ndim)):
        yield {name: array[example : example + 1] if array.ndim else array for name, array in arrays.items()}


def _run_one(interpreter: Interpreter, inputs: dict[str, Any], output: int, feeds: Feeds) -> NDArray[Any]:
    try:
        _resize(interpreter, inputs, feeds)
        for name, array in feeds.items():
            interpreter.set_tensor(inputs[name]["index"], array)
        interpreter.invoke()
        result: NDArray[Any] = interpreter.get_tensor(output)
    except (RuntimeError, ValueError) as error:
        if _DIVIDED_BY_ZERO in str(error):
            raise StudyError(f"{NOT_FINITE}; {EXPORT_AGAIN}") from error
        raise StudyError(f"does not run ({error}); {EXPORT_AGAIN}") from error
    return result


def _resize(interpreter: Interpreter, inputs: dict[str, Any], feeds: Feeds) -> None:
    """Make the inputs as large as the feeds. This takes long, so it is done only where the size changes."""
    changed = {name: array for name, array in feeds.items() if array.shape != tuple(inputs[name]["shape"])}
    for name, array in changed.items():
        interpreter.resize_tensor_input(inputs[name]["index"], array.shape)
        inputs[name]["shape"] = array.shape
    if changed:
        interpreter.allocate_tensors()


def _together(outputs: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the outputs [1, N] of all examples as one array.

    The tokens of a shorter sentence go on with its last one, which ends it, as in the longest sentence's batch.
    """
    longest = max(output.shape[1] for output in outputs)
    return np.concatenate([np.pad(output, ((0, 0), (0, longest - output.shape[1])), "edge") for output in outputs])


def _check_decoded_logits(model: ModelT) -> bool:
    """Make a model stop where it chooses tokens by logits that are NaN or infinite. Return whether it chooses any.

    LiteRT has no operator for that. It does stop where an integer is divided by 0.
    """
    chooses = False
    for subgraph in model.subgraphs:
        kinds = [kind(model, part) for part in subgraph.operators]
        choice = "LOG_SOFTMAX" if "LOG_SOFTMAX" in kinds else "TOPK_V2"  # of several beams, or greedily
        if choice in kinds:
            place = kinds.index(choice)
            logits = subgraph.operators[place].inputs[0]
            subgraph.operators[place:place] = _division_by_finite(model, subgraph, logits)
            chooses = True
    return chooses


def _division_by_finite(model: ModelT, subgraph: SubGraphT, logits: int) -> list[Any]:
    """Return operators that divide 1 by 1 where all logits are finite, and by 0 elsewhere."""

    def constant(values: NDArray[Any]) -> int:
        number = add_tensor(subgraph, "finite/constant", values.shape, values.dtype)
        set_constant(model, subgraph.tensors[number], values)
        return number

    def computed(operation: str, *inputs: int, shape: tuple[int, ...], dtype: str) -> int:
        number = add_tensor(subgraph, f"finite/{operation}", shape, dtype)
        operators.append(operator(model, operation, inputs, [number]))
        return number

    operators: list[Any] = []
    whole = tuple(subgraph.tensors[logits].shape)
    # 0 times a number that is not finite is NaN, which equals nothing.
    zeros = computed("MUL", logits, constant(np.zeros(1, np.float32)), shape=whole, dtype="float32")
    total = computed("SUM", zeros, constant(np.arange(len(whole), dtype=np.int32)), shape=(), dtype="float32")
    finite = computed("EQUAL", total, constant(np.zeros((), np.float32)), shape=(), dtype="bool")
    one_or_zero = computed("CAST", finite, shape=(), dtype="int32")
    computed("FLOOR_DIV", constant(np.ones((), np.int32)), one_or_zero, shape=(), dtype="int32")
    return operators
