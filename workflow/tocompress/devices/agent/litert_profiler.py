"""Time the operations of a TFLite file by the profiler in the C library of ai-edge-litert, from release 2.3 on.

Python's interpreter has no profiler, so the file is opened a second time. The library's headers, `litert/c/*.h`,
declare the functions and structures. A crash ends only the worker. Nothing is freed, because the worker ends with its
block.
"""

import ctypes
import importlib
import os
import re
from ctypes import byref, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, Iterator, Optional, Tuple

from tocompress.devices.agent import litert_file as tflite
from tocompress.devices.agent.host import AgentError, Record
from tocompress.devices.agent.litert_operations import Event, columns

#: The oldest release whose functions have the parameters used here, and the first that may have others.
_RELEASES = ((2, 3), (3, 0))

#: Codes of LiteRtElementType, which are those of TFLite.
_ELEMENTS = {"float32": 1, "int32": 2, "bool": 6}

_CPU, _HOST_MEMORY, _WRITE = 1, 1, 1


class _Layout(ctypes.Structure):
    _fields_ = [("rank", c_uint32), ("dimensions", c_int32 * 8), ("strides", c_uint32 * 8)]


class _TensorType(ctypes.Structure):
    _fields_ = [("element", c_int), ("layout", _Layout)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_uint64 * 6),
        ("number", c_uint64),
        ("subgraph", c_uint64),
        ("source", c_int),
    ]


class Profiler:
    """A TFLite file in a compiled model with a profiler, which has run no inference yet."""

    def __init__(self, package: str, interpreter: Any, artifact: str, threads: int) -> None:
        self._library = _library(package)
        content, self._stand_in = _with_known_output(artifact, interpreter)
        self._nodes = tflite.nodes(content)
        self._content = ctypes.create_string_buffer(content, len(content))
        self._environment = self._made("LiteRtCreateEnvironment", c_int(0), None)
        size = c_size_t(len(content))
        model = self._made("LiteRtCreateModelFromBuffer", self._environment, self._content, size)
        options = self._options(threads)
        self._model = self._made("LiteRtCreateCompiledModel", self._environment, model, options)
        self._profiler = self._made("LiteRtCompiledModelGetProfiler", self._model)
        signature = self._made("LiteRtGetModelSignature", model, c_size_t(0))
        self._inputs = [tflite.placeholder(name) for name in self._input_names(signature)]
        self._output = None if self._stand_in else self._output_buffer(signature)
        self._warm = False

    def profile(self, example: Dict[str, Any]) -> Record:
        """Return the times of one run, as columns, and `invoke_s`, the time of the whole.

        The first run also allocates, so it is not profiled.
        """
        buffers = self._input_buffers(example)
        if not self._warm:
            self._run(buffers)
            self._warm = True
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)
        self._run(buffers)
        self._call("LiteRtStopProfiler", self._profiler)
        return columns(list(self._events()), self._nodes)

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            status = getattr(self._library, name)(*arguments)
        except AttributeError as error:
            raise AgentError(f"this release of LiteRT has no {name}, so it tells no times of operations") from error
        if status:
            raise AgentError(f"LiteRT's profiler: {name} fails with status {status}")

    def _made(self, name: str, *arguments: Any) -> c_void_p:
        """Return the object that a function makes, which is its last parameter."""
        made = c_void_p()
        self._call(name, *arguments, byref(made))
        return made

    def _options(self, threads: int) -> c_void_p:
        """Return the options of a model on the processor, with XNNPACK and a profiler."""
        options = self._made("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, c_int(_CPU))
        self._texts = [
            (b"runtime_options_string", ctypes.create_string_buffer(b"enable_profiling = true")),
            (b"xnnpack", ctypes.create_string_buffer(b'num_threads = %d\nkernel_mode = "delegate"' % threads)),
        ]
        self._keep = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)  # Python frees the texts
        for name, text in self._texts:
            self._call(
                "LiteRtAddOpaqueOptions", options, self._made("LiteRtCreateOpaqueOptions", name, text, self._keep)
            )
        return options

    def _input_names(self, signature: c_void_p) -> Iterator[str]:
        count = c_size_t()
        self._call("LiteRtGetNumSignatureInputs", signature, byref(count))
        for place in range(count.value):
            name = c_char_p()
            self._call("LiteRtGetSignatureInputName", signature, c_size_t(place), byref(name))
            yield (name.value or b"").decode()

    def _output_buffer(self, signature: c_void_p) -> c_void_p:
        tensor = self._made("LiteRtGetSignatureOutputTensorByIndex", signature, c_size_t(0))
        kind = _TensorType()
        self._call("LiteRtGetRankedTensorType", tensor, byref(kind))
        size = 4
        for dimension in kind.layout.dimensions[: kind.layout.rank]:
            size *= dimension
        return self._buffer(kind, size)

    def _input_buffers(self, example: Dict[str, Any]) -> Any:
        """Return buffers with the arrays, in the order of the inputs, for inputs of their shapes."""
        buffers = (c_void_p * len(self._inputs))()
        for place, name in enumerate(self._inputs):
            array = example[name]
            kind = _TensorType(_ELEMENTS[array.dtype.name], _Layout(array.ndim, (c_int32 * 8)(*array.shape)))
            if array.ndim:
                shape = (c_int * array.ndim)(*array.shape)
                resize = "LiteRtCompiledModelResizeInputTensorNonStrict"
                self._call(resize, self._model, c_size_t(0), c_size_t(place), shape, c_size_t(array.ndim))
            buffer = self._buffer(kind, array.nbytes)
            address = c_void_p()
            self._call("LiteRtLockTensorBuffer", buffer, byref(address), c_int(_WRITE))
            ctypes.memmove(address, array.tobytes(), array.nbytes)
            self._call("LiteRtUnlockTensorBuffer", buffer)
            buffers[place] = buffer
        return buffers

    def _buffer(self, kind: _TensorType, size: int) -> c_void_p:
        create = "LiteRtCreateManagedTensorBuffer"
        return self._made(create, self._environment, c_int(_HOST_MEMORY), byref(kind), c_size_t(size))

    def _run(self, buffers: Any) -> None:
        output = buffers[self._inputs.index(self._stand_in)] if self._stand_in else self._output
        outputs = (c_void_p * 1)(output)
        count = c_size_t(len(buffers))
        self._call("LiteRtRunCompiledModel", self._model, c_size_t(0), count, buffers, c_size_t(1), outputs)

    def _events(self) -> Iterator[Event]:
        count = c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        events = (_Event * count.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, events)
        for event in events:
            yield Event((event.tag or b"").decode(), event.type, event.elapsed_us, event.number, event.subgraph)


def _with_known_output(artifact: str, interpreter: Any) -> Tuple[bytes, Optional[str]]:
    """Return the file's content, and the input that stands in for an output whose shape only a run tells.

    A compiled model wants the output's buffer before the run. An input of known shape has one. Every node still runs.
    """
    with open(artifact, "rb") as file:
        content = file.read()
    (output,) = interpreter.get_output_details()
    if _is_known(output):
        return content, None
    stand_in = next(tensor for tensor in interpreter.get_input_details() if _is_known(tensor) and len(tensor["shape"]))
    return tflite.with_output(content, stand_in["index"]), tflite.placeholder(stand_in["name"])


def _is_known(tensor: Record) -> bool:
    return all(size >= 0 for size in tensor["shape_signature"])


def _library(package: str) -> Any:
    """Return the C library of a release whose functions are known. Raise AgentError for another."""
    module = importlib.import_module(package)
    version = getattr(module, "__version__", "")
    release = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if package != "ai_edge_litert" or not _RELEASES[0] <= release < _RELEASES[1]:
        raise AgentError(
            f"{package} {version} has no profiler: only ai-edge-litert from 2.3 on tells times of operations"
        )
    try:
        return ctypes.CDLL(os.path.join(os.path.dirname(str(module.__file__)), "libLiteRt.so"))
    except OSError as error:
        raise AgentError(f"the C library of {package} does not load: {error}") from error
