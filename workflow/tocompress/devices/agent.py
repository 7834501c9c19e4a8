"""The agent that runs on the device: one file, the standard library and TensorFlow, Python 3.6 and newer.

It reads commands from stdin and writes records to stdout, both as one JSON object a line. TensorFlow is imported once;
each block is run by a worker forked from here before any session exists, so that every block starts in the same clean
memory without paying for the import again.

Commands: {"command": "block", "kind": "latency" | "operations" | "control", ...} with the keys of `_BLOCK`, and
{"command": "quit"}.
Records: `hello` once, then for each block any of `memory`, `outputs`, `samples`, `operations`, closed by one `end` or
`error`. Samples leave the worker when its timed runs are over: writing between them would disturb them.
"""
# Python 3.6 knows neither list[str] nor X | None.
# ruff: noqa: UP006, UP035, UP045

import ctypes
import gc
import hashlib
import json
import os
import platform
import re
import select
import signal
import sys
import time
from contextlib import suppress
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Tuple

Record = Dict[str, Any]
Send = Callable[[Record], None]

#: The keys of a block and the types they may have; what JSON calls a number is an int or a float here.
_BLOCK: Dict[str, Tuple[type, ...]] = {
    "kind": (str,),
    "artifact": (str, type(None)),
    "inputs": (str,),
    "input_ids": (list,),
    "dequantization": (str, type(None)),
    "threads": (int,),
    "warmup_runs": (int,),
    "warmup_seconds": (int, float),
    "seconds": (int, float),
    "minimum_runs": (int,),
    "maximum_runs": (int,),
    "profiled_runs": (int,),
    "timeout_seconds": (int, float),
}

_KINDS = ("latency", "operations", "control")
_DEQUANTIZATIONS = ("every_inference", "once")


class AgentError(Exception):
    """A command that cannot be carried out, in one line."""


# --- what the machine is and what a process takes of it ---------------------------------------------------------------


def _read(path: str) -> Optional[str]:
    try:
        with open(path) as file:
            return file.read().rstrip("\0\n")
    except OSError:
        return None


def _processor() -> str:
    """The processor's name; a board tells it in the device tree instead of /proc/cpuinfo."""
    match = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo") or "", re.MULTILINE)
    return match.group(1) if match else _read("/proc/device-tree/model") or platform.processor()


def machine() -> Record:
    """What a reader must know of the machine to judge the numbers."""
    with open(os.path.abspath(__file__), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "processor_name": _processor(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load": os.getloadavg()[0],
        "boot_id": _read("/proc/sys/kernel/random/boot_id"),
        "agent_sha256": digest,
    }


def _kilobytes(text: Optional[str], key: str) -> Optional[int]:
    match = re.search(r"^" + key + r":\s*(\d+) kB$", text or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _sum(first: Optional[int], second: Optional[int]) -> Optional[int]:
    return None if first is None or second is None else first + second


class Phases:
    """What this process holds, in bytes, at the end of each phase of a worker; `vm_hwm` is the peak within the phase.

    Each phase starts with the freed memory given back to the system and the peak forgotten: glibc keeps what the graph
    optimizer frees (more than half of the process, with a network of 100 MB), and that would hide what inference itself
    needs. Where the kernel cannot forget the peak, `vm_hwm` is null.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start()

    def _start(self) -> None:
        with suppress(OSError, AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
            self._peak_known = True
        except OSError:
            self._peak_known = False

    def end(self, phase: str) -> None:
        """Send the record of the phase that ends here, and start the next."""
        # Not ru_maxrss: a child inherits its parent's.
        status, rollup = _read("/proc/self/status"), _read("/proc/self/smaps_rollup")
        self._send(
            {
                "record": "memory",
                "phase": phase,
                "vm_hwm": _kilobytes(status, "VmHWM") if self._peak_known else None,
                "rss": _kilobytes(status, "VmRSS"),
                "pss": _kilobytes(rollup, "Pss"),
                "uss": _sum(_kilobytes(rollup, "Private_Clean"), _kilobytes(rollup, "Private_Dirty")),
            }
        )
        self._start()


# --- in the worker ----------------------------------------------------------------------------------------------------


class Network:
    """An artifact in a session, with the feeds of the inputs it is run over."""

    def __init__(self, command: Record, feeds: Dict[str, Dict[str, Any]]) -> None:
        import tensorflow.compat.v1 as tf

        definition = tf.GraphDef()
        with open(command["artifact"], "rb") as file:
            definition.ParseFromString(file.read())
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(definition, name="")
        self.session = tf.Session(graph=graph, config=_configuration(command))
        self.output = graph.get_tensor_by_name("output:0")
        self.feeds = {
            input_id: {graph.get_tensor_by_name(name + ":0"): value for name, value in feed.items()}
            for input_id, feed in feeds.items()
        }

    def run(self, input_id: str, **options: Any) -> Any:
        """The output for one input. `make_callable` would save nothing: with feeds it calls `run` itself."""
        return self.session.run(self.output, self.feeds[input_id], **options)


def _configuration(command: Record) -> Any:
    """The session's options. Without constant folding integer weights are dequantized in every inference."""
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import rewriter_config_pb2

    configuration = tf.ConfigProto(
        intra_op_parallelism_threads=command["threads"], inter_op_parallelism_threads=command["threads"]
    )
    if command["dequantization"] == "every_inference":
        options = configuration.graph_options
        options.rewrite_options.constant_folding = rewriter_config_pb2.RewriterConfig.OFF
        options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return configuration


def _feeds(command: Record) -> Dict[str, Dict[str, Any]]:
    """The placeholders' values of each input of the block, from keys `{input_id}/{placeholder}`."""
    import numpy as np

    feeds: Dict[str, Dict[str, Any]] = {input_id: {} for input_id in command["input_ids"]}
    with np.load(command["inputs"], allow_pickle=False) as arrays:
        for key in arrays.files:
            input_id, _, placeholder = key.rpartition("/")
            if input_id in feeds:
                feeds[input_id][placeholder] = arrays[key]
    missing = sorted(input_id for input_id, feed in feeds.items() if not feed)
    if missing:
        raise AgentError(f"{command['inputs']} has no input {', '.join(missing)}")
    return feeds


def _digest(output: Any) -> str:
    return hashlib.sha256(repr((output.dtype.str, output.shape)).encode() + output.tobytes()).hexdigest()[:16]


def _tokens(output: Any) -> Optional[int]:
    """The length of a translation; null for everything else."""
    return int(output.shape[-1]) if output.ndim == 2 and output.dtype.kind in "iu" else None


class Samples:
    """Timed runs, by column."""

    def __init__(self, network: Network) -> None:
        self._network = network
        names = ("input_id", "start_s", "duration_s", "tokens", "warmup")
        self.columns: Dict[str, List[Any]] = {name: [] for name in names}
        self.digests: Dict[str, str] = {}

    def take(self, input_id: str, warmup: bool) -> None:
        """Run the network once; only `session.run` is inside the measured time."""
        start = time.monotonic()
        before = time.perf_counter()
        output = self._network.run(input_id)
        duration = time.perf_counter() - before
        row = {
            "input_id": input_id,
            "start_s": start,
            "duration_s": duration,
            "tokens": _tokens(output),
            "warmup": warmup,
        }
        for name, value in row.items():
            self.columns[name].append(value)
        if input_id not in self.digests:
            self.digests[input_id] = _digest(output)

    def warm_up(self, command: Record) -> None:
        """Go on from the first inference until both the runs and the seconds asked for are reached."""
        begin, inputs = time.monotonic(), command["input_ids"]
        runs = len(self.columns["input_id"])
        while runs < command["warmup_runs"] or time.monotonic() - begin < command["warmup_seconds"]:
            self.take(inputs[runs % len(inputs)], warmup=True)
            runs += 1

    def measure(self, command: Record) -> None:
        """Rotate over the inputs until the block's seconds and runs are reached.

        Only whole rotations, so that each input has as many samples; one at least, whatever `maximum_runs` says.
        """
        begin, inputs, runs = time.monotonic(), command["input_ids"], 0
        while True:
            for input_id in inputs:
                self.take(input_id, warmup=False)
            runs += len(inputs)
            enough = runs >= command["minimum_runs"] and time.monotonic() - begin >= command["seconds"]
            if enough or runs + len(inputs) > command["maximum_runs"]:
                return


def _latency(command: Record, send: Send) -> None:
    feeds = _feeds(command)
    phases = Phases(send)
    phases.end("start")
    network = Network(command, feeds)
    phases.end("loaded")
    samples = Samples(network)
    samples.take(command["input_ids"][0], warmup=True)
    phases.end("first")
    samples.warm_up(command)
    samples.measure(command)
    phases.end("last")
    send({"record": "outputs", "digests": samples.digests})
    send(dict(samples.columns, record="samples"))


def _control(command: Record, send: Send) -> None:
    """The same phases and inputs without a model: what a worker holds before it has anything to run."""
    feeds = _feeds(command)
    phases = Phases(send)
    for phase in ("start", "loaded", "first", "last"):
        phases.end(phase)
    del feeds


def _operations(command: Record, send: Send) -> None:
    """Time by operation in each profiled run. The first traced run pays for setting up the trace: not reported."""
    import tensorflow.compat.v1 as tf

    network = Network(command, _feeds(command))
    inputs = command["input_ids"]
    Samples(network).warm_up(command)
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    for run in range(command["profiled_runs"] + 1):
        metadata = tf.RunMetadata()
        network.run(inputs[run % len(inputs)], options=options, run_metadata=metadata)
        if run > 0:
            send(dict(_operation_times(metadata.step_stats), record="operations", run=run))


def _operation_times(step_stats: Any) -> Record:
    """Seconds by (name, type), summed over the executions of one run (a loop's body has many)."""
    seconds: Dict[Tuple[str, str], float] = {}
    for device in step_stats.dev_stats:
        for node in device.node_stats:
            match = re.search(r"= ([\w.]+)\(", node.timeline_label)
            key = (node.node_name, match.group(1) if match else node.node_name)
            seconds[key] = seconds.get(key, 0.0) + 1e-9 * (node.op_end_rel_nanos - node.op_start_rel_nanos)
    return {
        "operation": [name for name, _ in seconds],
        "type": [kind for _, kind in seconds],
        "duration_s": list(seconds.values()),
    }


def _work(command: Record, send: Send) -> None:
    # A collection would stop a timed run, and touch (so copy) every Python object shared with the parent.
    gc.disable()
    {"latency": _latency, "operations": _operations, "control": _control}[command["kind"]](command, send)


# --- in the parent ----------------------------------------------------------------------------------------------------


def checked(command: Any) -> Record:
    """The command, if it is a complete block; raises AgentError otherwise."""
    if not isinstance(command, dict) or command.get("command") != "block":
        raise AgentError("malformed command: neither a block nor quit")
    for key, types in _BLOCK.items():
        if key not in command:
            raise AgentError(f"malformed command: the block lacks '{key}'")
        if not isinstance(command[key], types):
            raise AgentError(f"malformed command: '{key}' cannot be {command[key]!r}")
    if command["kind"] not in _KINDS:
        raise AgentError(f"malformed command: 'kind' is one of {', '.join(_KINDS)}")
    if not command["input_ids"]:
        raise AgentError("malformed command: 'input_ids' is empty")
    if command["kind"] != "control":
        if command["artifact"] is None:
            raise AgentError("malformed command: only a control block has no artifact")
        if command["dequantization"] not in _DEQUANTIZATIONS:
            raise AgentError(f"malformed command: 'dequantization' is one of {', '.join(_DEQUANTIZATIONS)}")
    return command


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, AgentError) else f"{type(error).__name__}: {text}"


def _be_worker(command: Record, descriptor: int) -> None:
    """Run the block and leave the process, whatever happens: nothing of the parent may run a second time here."""
    status = 1
    try:
        with os.fdopen(descriptor, "w") as channel:

            def send(record: Record) -> None:
                channel.write(json.dumps(record) + "\n")
                channel.flush()

            try:
                _work(command, send)
                status = 0
            except Exception as error:
                send({"record": "error", "error": _one_line(error)})
        sys.stderr.flush()
    finally:
        os._exit(status)


def _lines(descriptor: int, deadline: float) -> Iterator[bytes]:
    """Lines from the worker until it closes its end; raises AgentError when the deadline has passed."""
    pending = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise AgentError("the worker ran past its time limit")
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return  # what is left in `pending` was cut off by the worker's death
        whole, _, pending = (pending + chunk).rpartition(b"\n")
        yield from whole.splitlines()


def run_block(command: Record, output: IO[str]) -> Record:
    """Fork a worker for the block, relay its records to `output`, and return the record that closes the block."""
    begin = time.monotonic()
    reader, writer = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(reader)
        # Held open here, they would keep the host waiting for an agent that has died.
        os.close(output.fileno())
        os.close(sys.stdin.fileno())
        _be_worker(command, writer)
    os.close(writer)
    error: Optional[str] = None
    try:
        for line in _lines(reader, begin + command["timeout_seconds"]):
            record = json.loads(line.decode())
            if record["record"] == "error":
                error = record["error"]
            else:
                output.write(line.decode() + "\n")
                output.flush()
    except AgentError as late:
        error = str(late)
        os.kill(worker, signal.SIGKILL)
    finally:
        os.close(reader)
    _, status, usage = os.wait4(worker, 0)
    if error is None and os.WIFSIGNALED(status):
        error = f"the worker was ended by signal {os.WTERMSIG(status)}"
    elif error is None and status != 0:
        error = f"the worker ended with exit code {os.WEXITSTATUS(status)}"
    if error is not None:
        return {"record": "error", "error": error}
    return {
        "record": "end",
        "wall_s": time.monotonic() - begin,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "load": os.getloadavg()[0],
    }


def serve(commands: IO[str], output: IO[str]) -> None:
    """Carry out commands until `quit` or the end of input; every command but `quit` is closed by `end` or `error`."""
    # Not `for line in commands`: it would read ahead.
    for line in iter(commands.readline, ""):
        try:
            command = json.loads(line)
            if isinstance(command, dict) and command.get("command") == "quit":
                return
            answer = run_block(checked(command), output)
        except (AgentError, ValueError) as error:
            text = str(error) if isinstance(error, AgentError) else f"malformed command: {error}"
            answer = {"record": "error", "error": text}
        output.write(json.dumps(answer) + "\n")
        output.flush()


def main() -> None:
    """Import TensorFlow, say hello, serve."""
    # Whatever a library prints to stdout goes to stderr; the records have the real stdout for themselves.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Keeps Keras out of `import tensorflow`: only graphs are run here.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    begin = time.monotonic()
    import numpy as np
    import tensorflow.compat.v1 as tf

    tf.logging.set_verbosity(tf.logging.ERROR)
    versions = {"numpy": np.__version__, "tensorflow": tf.__version__, "import_s": time.monotonic() - begin}
    output.write(json.dumps(dict(machine(), record="hello", **versions)) + "\n")
    output.flush()
    gc.collect()
    serve(sys.stdin, output)


if __name__ == "__main__":
    main()
