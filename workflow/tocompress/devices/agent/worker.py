"""The worker, a process that runs one artifact in a fresh copy of the agent's memory."""

import base64
import ctypes
import gc
import hashlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any, Dict, Iterable, List, Optional

from tocompress.devices.agent.host import RESIDENT, AgentError, Record, Send, one_line
from tocompress.devices.agent.machine import Phases

#: Seconds after which a process that has slept runs at its usual speed. The first of many inferences of 0.5 ms takes
#: twice as long as the later ones, the sixth 2 % longer.
_SETTLING = 0.006

#: A module of `__main__.RUNTIMES`.
Runtime = Any


def be_worker(runtime: Runtime, command: Record, orders: int, answers: int) -> None:
    """Run the block and always end the process, because code of the parent must not run a second time here.

    Records go to the descriptor `answers`. A resident's orders come from `orders`.
    """
    status = 1
    try:
        _die_with_parent()
        with os.fdopen(orders) as ordered, os.fdopen(answers, "w") as channel:

            def send(record: Record) -> None:
                channel.write(json.dumps(record) + "\n")
                channel.flush()

            try:
                work(runtime, command, send, ordered)
                status = 0
            except Exception as error:
                send({"record": "error", "error": one_line(error)})
        sys.stderr.flush()
    finally:
        os._exit(status)


def _die_with_parent() -> None:
    """Let the kernel end this process when its parent ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def work(runtime: Runtime, command: Record, send: Send, orders: Iterable[str]) -> None:
    """Run the block by its kind, and send its records."""
    # A collection would interrupt a timed run, and copy every Python object that is shared with the parent.
    gc.disable()
    if command["kind"] == RESIDENT:
        _resident(runtime, command, send, orders)
        return
    kinds = {"operations": _operations, "power": _power, "outputs": _outputs, "control": _control}
    kinds[command["kind"]](runtime, command, send)


def _resident(runtime: Runtime, command: Record, send: Send, orders: Iterable[str]) -> None:
    """Load the artifact and warm up. Then run one slice for each order, until an empty order ends the process.

    `ready` follows the records of the loading and each slice. The samples are sent at the end, because the agent and
    the host would read them while others are timed.
    """
    feeds = _feeds(command)
    phases = Phases(send)
    phases.end("start")
    begin = Clocks()
    network = runtime.Network(command, feeds)
    loading = begin.seconds()
    phases.end("loaded")
    samples = Samples(network)
    samples.take(command["input_ids"][0], warmup=True)
    phases.end("first")
    samples.warm_up(command)
    send(dict(loading, record="loading"))
    send({"record": "ready"})
    for line in orders:
        order = json.loads(line)
        if not order:
            break
        samples.place = order["place"]
        samples.settle(order)
        samples.measure(order)
        send({"record": "ready"})
    phases.end("last")
    send(dict(samples.columns, record="samples"))
    send({"record": "outputs", "digests": samples.digests})


def _control(runtime: Runtime, command: Record, send: Send) -> None:
    """Go through the same phases and inputs without a model. This gives the memory of an empty worker."""
    feeds = _feeds(command)
    phases = Phases(send)
    for phase in ("start", "loaded", "first", "last"):
        phases.end(phase)
    del feeds


def _operations(runtime: Runtime, command: Record, send: Send) -> None:
    """Send the times by operation of each profiled run. The first run sets up the trace and is not reported."""
    network = runtime.Network(command, _feeds(command))
    profiled = _spread(command["input_ids"], command["profiled_runs"])
    Samples(network).warm_up(command)
    for run, input_id in enumerate(profiled[:1] + profiled):
        operations = network.profile(input_id)
        if run > 0:
            send(dict(operations, record="operations", run=run))


def _spread(inputs: List[str], count: int) -> List[str]:
    """Return inputs at `count` evenly spaced places from the first to the last, or the middle one.

    Sentences are sorted by length, and shares of time depend on the length.
    """
    if count == 1:
        return [inputs[len(inputs) // 2]]
    return [inputs[round(place * (len(inputs) - 1) / (count - 1))] for place in range(count)]


def _power(runtime: Runtime, command: Record, send: Send) -> None:
    """Run inferences back to back between two idle brackets, in one loaded process, while the sensors are sampled.

    Before each bracket the sensors get time to forget the previous load, because they average over up to half a second.
    """
    network = runtime.Network(command, _feeds(command))
    inputs = command["input_ids"]
    Samples(network).warm_up(command)
    send({"record": "settled"})
    idle_before = _idle(command)
    begin, runs = time.monotonic(), 0
    while runs < command["minimum_runs"] or time.monotonic() - begin < command["seconds"]:
        for input_id in inputs:
            network.run(input_id)
        runs += len(inputs)
    block = [begin, time.monotonic()]
    send({"record": "windows", "runs": runs, "idle_before": idle_before, "block": block, "idle_after": _idle(command)})


def _idle(command: Record) -> List[float]:
    """Wait for the tail of the previous load, then idle. Return the begin and end of the idling."""
    time.sleep(command["tail_seconds"])
    begin = time.monotonic()
    time.sleep(command["idle_seconds"])
    return [begin, time.monotonic()]


def _outputs(runtime: Runtime, command: Record, send: Send) -> None:
    """Send the network's output for each input, for comparison with the outputs of another machine."""
    import numpy as np

    network = runtime.Network(command, _feeds(command))
    for input_id in command["input_ids"]:
        output = np.ascontiguousarray(network.run(input_id))
        values = {
            "dtype": output.dtype.str,
            "shape": output.shape,
            "base64": base64.b64encode(output.tobytes()).decode(),
        }
        send(dict(values, record="values", input_id=input_id))


def _feeds(command: Record) -> Dict[str, Dict[str, Any]]:
    """Return the values of the placeholders for each input of the block, from keys `{input_id}/{placeholder}`."""
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


class Clocks:
    """The wall clock and the clock of this process's work on all processors, from now on."""

    def __init__(self) -> None:
        self._processor = time.process_time()
        self._wall = time.perf_counter()

    def seconds(self) -> Dict[str, float]:
        """Return the seconds since then."""
        wall = time.perf_counter() - self._wall
        return {"duration_s": wall, "processor_s": time.process_time() - self._processor}


class Samples:
    """Timed runs, by column."""

    def __init__(self, network: Any) -> None:
        self._network = network
        #: The place of the next runs in a generation. The loading comes before its first round.
        self.place = {"batch": 0, "round": 0, "order": 0}
        names = ("input_id", "start_s", "duration_s", "processor_s", "tokens", "warmup")
        self.columns: Dict[str, List[Any]] = {name: [] for name in (*self.place, *names)}
        self.digests: Dict[str, str] = {}

    def take(self, input_id: str, warmup: bool) -> None:
        """Run the network once. Only its `run` is inside the measured time."""
        start = time.monotonic()
        clocks = Clocks()
        output = self._network.run(input_id)
        duration = clocks.seconds()
        row = dict(self.place, input_id=input_id, start_s=start, tokens=_tokens(output), warmup=warmup, **duration)
        for name, value in row.items():
            self.columns[name].append(value)
        if input_id not in self.digests:
            self.digests[input_id] = _digest(output)

    def warm_up(self, command: Record) -> None:
        """Continue after the first inference until the command's runs and seconds are both reached."""
        begin, inputs = time.monotonic(), command["input_ids"]
        runs = len(self.columns["input_id"])
        while runs < command["warmup_runs"] or time.monotonic() - begin < command["warmup_seconds"]:
            self.take(inputs[runs % len(inputs)], warmup=True)
            runs += 1

    def settle(self, order: Record) -> None:
        """Run uncounted inferences, because the others have used the processor's caches and this process has slept."""
        begin, inputs, runs = time.monotonic(), order["input_ids"], 0
        while runs == 0 or time.monotonic() - begin < _SETTLING:
            self.take(inputs[runs % len(inputs)], warmup=True)
            runs += 1

    def measure(self, order: Record) -> None:
        """Rotate over the inputs until the seconds and runs of a slice are reached.

        Rotations are whole, so each input has equally many samples.
        """
        begin, runs = time.monotonic(), 0
        while runs < max(order["runs"], 1) or time.monotonic() - begin < order["seconds"]:
            for input_id in order["input_ids"]:
                self.take(input_id, warmup=False)
            runs += len(order["input_ids"])


def _digest(output: Any) -> str:
    return hashlib.sha256(repr((output.dtype.str, output.shape)).encode() + output.tobytes()).hexdigest()[:16]


def _tokens(output: Any) -> Optional[int]:
    """Return the length of a translation, None for everything else."""
    return int(output.shape[-1]) if output.ndim == 2 and output.dtype.kind in "iu" else None
