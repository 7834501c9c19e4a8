"""LiteRT as the runtime: a TFLite file in an interpreter. ai-edge-litert has it, and for older boards tflite-runtime.

`__main__.RUNTIMES` describes the interface of this module.
"""

import importlib
import platform
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tocompress.devices.agent.host import AgentError, Record, one_line
from tocompress.devices.agent.litert_file import placeholder
from tocompress.devices.agent.litert_profiler import Profiler
from tocompress.devices.agent.machine import c_library

#: The packages that hold an interpreter, by preference, and their distributions.
_PACKAGES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}


class Wheel(NamedTuple):
    """A release that pip can install, with its first and last minor version of Python 3.

    `c_library` is the least minor version of glibc 2 by machine. Some wheels promise less than their libraries need, so
    pip installs them and the import fails.
    """

    requirement: str
    first: int
    last: int
    c_library: Dict[str, int]


#: What to install, by preference. The C library was read from the libraries of each wheel.
WHEELS = (
    Wheel("ai-edge-litert==2.3.0", 10, 14, {"aarch64": 34, "x86_64": 27}),
    Wheel("ai-edge-litert==2.1.0", 9, 13, {"aarch64": 30, "x86_64": 27}),
    Wheel("'numpy<2' tflite-runtime==2.14.0", 8, 11, {"aarch64": 34, "x86_64": 34}),
    Wheel("'numpy<2' tflite-runtime==2.13.0", 8, 10, {"aarch64": 27, "x86_64": 27}),
    Wheel("'numpy<2' tflite-runtime==2.11.0", 7, 7, {"aarch64": 27, "x86_64": 27}),
)


def installable(python: str, machine: str, c_library: Optional[str]) -> Optional[str]:
    """Return the requirement by which pip installs LiteRT, or None where no known wheel fits.

    `python` is a version as 3.10.12, `machine` a name as aarch64, and `c_library` a text as "glibc 2.31".
    """
    minor = int(python.split(".")[1])
    least = 0 if c_library is None else int(c_library.split(".")[1])
    for wheel in WHEELS:
        if wheel.first <= minor <= wheel.last and wheel.c_library.get(machine, least + 1) <= least:
            return wheel.requirement
    return None


def load() -> Record:
    """Import LiteRT. Return its distribution and version, numpy's version, and the seconds of the import."""
    begin = time.monotonic()
    try:
        import numpy as np
    except ImportError as error:
        raise AgentError(f"{sys.executable} cannot import numpy ({one_line(error)}); install it there") from error
    package, _ = _interpreter()
    version = getattr(importlib.import_module(package), "__version__", "of an unknown version")
    seconds = time.monotonic() - begin
    return {"numpy": np.__version__, "litert": f"{_PACKAGES[package]} {version}", "import_s": seconds}


def _interpreter() -> Tuple[str, Any]:
    """Return the first package that can be imported, and its module with the interpreter."""
    failures = []
    try:
        from ai_edge_litert import interpreter

        return "ai_edge_litert", interpreter
    except ImportError as error:
        failures.append(f"ai_edge_litert: {one_line(error)}")
    try:
        return "tflite_runtime", importlib.import_module("tflite_runtime.interpreter")
    except ImportError as error:
        failures.append(f"tflite_runtime: {one_line(error)}")
    raise AgentError(f"{sys.executable} cannot import LiteRT ({'; '.join(failures)}); {_advice()}")


def _advice() -> str:
    python, machine, library = platform.python_version(), platform.machine(), c_library()
    found = installable(python, machine, library)
    if found:
        return f"{sys.executable} -m pip install {found}"
    known = f"no known release fits Python {python} with {library or 'this C library'} on {machine}"
    return f"{known}: use another Python, or a system of 64 bits"


class Network:
    """A TFLite file in an interpreter, with the feeds of its inputs. The file is mapped, not read.

    One call of the interpreter is one example. A larger batch runs one example after another.
    """

    def __init__(self, command: Record, feeds: Dict[str, Dict[str, Any]]) -> None:
        if command["processor"] == "gpu":
            raise AgentError("LiteRT runs on the processor of a board only; set the device's processor to cpu")
        self._command = command
        self._interpreter = _opened(command["artifact"], command["threads"])
        inputs = {placeholder(tensor["name"]): tensor for tensor in self._interpreter.get_input_details()}
        self._shapes = {tensor["index"]: tuple(tensor["shape"]) for tensor in inputs.values()}
        (output,) = self._interpreter.get_output_details()
        self._output = output["index"]
        self._feeds = feeds
        self._examples = {
            input_id: [_by_tensor(example, inputs) for example in _examples(feed)] for input_id, feed in feeds.items()
        }
        self._profiler: Optional[Profiler] = None

    def run(self, input_id: str) -> Any:
        """Return the output for one input: logits, or the ids of translations, repeating each one's last token."""
        examples = self._examples[input_id]
        if len(examples) == 1:
            return self._run(examples[0])
        return _joined([self._run(example) for example in examples])

    def _run(self, example: "_Example") -> Any:
        interpreter = self._interpreter
        if example.shapes != self._shapes:
            self._resize(example.shapes)
        for tensor, array in example.arrays:
            interpreter.set_tensor(tensor, array)
        interpreter.invoke()
        return interpreter.get_tensor(self._output)

    def _resize(self, shapes: Dict[int, Tuple[int, ...]]) -> None:
        """Give inputs new shapes. On ARM the interpreter crashes where a scalar is resized, so only others are."""
        for tensor, shape in shapes.items():
            if shape != self._shapes[tensor]:
                self._interpreter.resize_tensor_input(tensor, shape)
        self._interpreter.allocate_tensors()
        self._shapes = shapes

    def profile(self, input_id: str) -> Record:
        """Run once with LiteRT's profiler. Return its operations, their types, seconds and arithmetic, as columns."""
        if self._profiler is None:
            package, _ = _interpreter()
            self._profiler = Profiler(package, self._interpreter, self._command["artifact"], self._command["threads"])
        (example, *_) = _examples(self._feeds[input_id])
        return self._profiler.profile(example)


def _opened(path: str, threads: int) -> Any:
    """Return an interpreter of the file, with its tensors allocated."""
    _, module = _interpreter()
    try:
        interpreter = module.Interpreter(model_path=path, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise AgentError(f"LiteRT does not load the artifact: {one_line(error)}") from error
    return interpreter


def _examples(feed: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return the feeds of a batch's examples, in batches of one. Arrays without dimensions belong to all of them."""
    size = max([array.shape[0] for array in feed.values() if array.ndim] or [1])
    return [{name: array[i : i + 1] if array.ndim else array for name, array in feed.items()} for i in range(size)]


class _Example(NamedTuple):
    """The arrays of one inference by their tensors, and the shape of each tensor."""

    arrays: List[Tuple[int, Any]]
    shapes: Dict[int, Tuple[int, ...]]


def _by_tensor(example: Dict[str, Any], inputs: Dict[str, Record]) -> _Example:
    """Return an example by the tensors of the artifact. Raise AgentError where their names differ."""
    if set(example) != set(inputs):
        raise AgentError(
            f"the inputs feed {', '.join(sorted(example))}, but the artifact has {', '.join(sorted(inputs))}"
        )
    arrays = [(inputs[name]["index"], array) for name, array in example.items()]
    return _Example(arrays, {tensor: array.shape for tensor, array in arrays})


def _joined(outputs: List[Any]) -> Any:
    """Return the outputs as one batch. Shorter translations repeat their last token, which ends the sentence."""
    import numpy as np

    lengths = [output.shape[1] for output in outputs]
    longest = max(lengths)
    if min(lengths) < longest:  # padding takes as long as a small network
        outputs = [np.pad(output, [(0, 0), (0, longest - output.shape[1])], mode="edge") for output in outputs]
    return np.concatenate(outputs)
