"""The agent that runs on the device: one file, the standard library and TensorFlow, Python 3.6 and newer.

It reads commands from stdin and writes records to stdout, both as one JSON object a line; empty lines only tell that
the host is alive. TensorFlow is imported once; each block is run by a worker forked from here before any session
exists, so that every block starts in the same clean memory without paying for the import again. When the host is gone,
so are the worker and the agent.

Commands, by their key "command":
- `block`: run a worker, with the keys of `_BLOCK`; artifact and inputs are named by their SHA-256.
- `has`, with "sha256": which of these files are here, whole; `put`, with "sha256" and "bytes": the file follows raw.
- `state`: clocks, temperatures, load; `clean`: remove all files; `quit`.
Records: `busy` while another study holds the machine, `hello` once, then for each command its own, closed by one `end`
or `error`. Samples leave a worker when its timed runs are over: writing between them would disturb them.
"""
# Python 3.6 knows neither list[str] nor X | None.
# ruff: noqa: UP006, UP035, UP045

import argparse
import base64
import ctypes
import errno
import fcntl
import gc
import getpass
import glob
import hashlib
import json
import os
import platform
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from array import array
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
    "processor": (str,),
    "threads": (int,),
    "warmup_runs": (int,),
    "warmup_seconds": (int, float),
    "seconds": (int, float),
    "minimum_runs": (int,),
    "maximum_runs": (int,),
    "profiled_runs": (int,),
    "rails": (list,),
    "idle_seconds": (int, float),
    "tail_seconds": (int, float),
    "timeout_seconds": (int, float),
}

_KINDS = ("latency", "operations", "power", "outputs", "control")
_CHOICES = {"kind": _KINDS, "processor": ("cpu", "gpu")}
_DEQUANTIZATIONS = ("every_inference", "once")

#: What a number of a block may be at most: more than a machine lasts or runs.
_MOST = 10**9

#: Bytes of the longest command; what follows a `put` does not count.
_LONGEST_COMMAND = 1 << 22

#: Signs of life that may be missing before the host counts as gone, in seconds; it sends one every 20.
_SILENCE = 120.0


class AgentError(Exception):
    """A command that cannot be carried out, in one line."""


class HostGone(Exception):
    """Nobody listens any more."""


# --- what the machine is and what a process takes of it ---------------------------------------------------------------


def _read(path: str) -> Optional[str]:
    try:
        with open(path, errors="replace") as file:
            return file.read().rstrip("\0\n")
    except OSError:
        return None


def _readable(root: str, *patterns: str) -> Dict[str, str]:
    """Path -> content of the files under `root` that match any of the patterns and can be read."""
    paths = sorted(path for pattern in patterns for path in glob.glob(os.path.join(root, pattern)))
    contents = {path[len(root.rstrip("/")) :].lstrip("/"): _read(path) for path in paths}
    return {path: content for path, content in contents.items() if content is not None}


def _first_line(root: str, path: str) -> Optional[str]:
    content = _read(os.path.join(root, path))
    return content.split("\n")[0] if content else None


def _processor(root: str) -> str:
    """The processor's name; a board tells it in the device tree instead of /proc/cpuinfo."""
    match = re.search(r"^model name\s*:\s*(.+)$", _read(os.path.join(root, "proc/cpuinfo")) or "", re.MULTILINE)
    return match.group(1) if match else _first_line(root, "proc/device-tree/model") or platform.processor()


def _output_of(*command: str) -> Optional[str]:
    """What a program of the board prints, on one line; None where there is no such program or it fails."""
    try:
        finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return "; ".join(finished.stdout.decode(errors="replace").split("\n")).strip("; ") or None


def machine(root: str) -> Record:
    """What a reader must know of the machine to judge the numbers, and what does not change in a session."""
    with open(os.path.abspath(__file__), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host_name": socket.gethostname(),
        "kernel": platform.release(),
        "processor_name": _processor(root),
        "board": _first_line(root, "proc/device-tree/model"),
        "l4t": _first_line(root, "etc/nv_tegra_release"),
        "cuda": _first_line(root, "usr/local/cuda/version.txt"),
        "power_mode": _output_of("nvpmodel", "-q"),
        "cores": os.cpu_count(),
        "cores_online": _first_line(root, "sys/devices/system/cpu/online"),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "clock_source": _first_line(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "boot_id": _first_line(root, "proc/sys/kernel/random/boot_id"),
        "process": os.getpid(),
        "agent_sha256": digest,
    }


def state(root: str, folder: str) -> Record:
    """What may change in a session: clocks, temperatures, cooling, load, the mode of the sensors, free memory and disk.

    Frequencies of processors are in kHz, all others in Hz; temperatures in degrees Celsius; None where unreadable.
    """
    clocks = _readable(
        root,
        "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
        "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_*_freq",
        "sys/class/devfreq/*/*_freq",
        "sys/class/devfreq/*/governor",
        "sys/kernel/debug/bpmp/debug/clk/emc/*rate*",
        "sys/devices/pwm-fan/*_pwm",
    )
    temperatures = {
        content: _celsius(os.path.join(root, os.path.dirname(path), "temp"))
        for path, content in _readable(root, "sys/class/thermal/thermal_zone*/type").items()
    }
    cooling = {
        path: content
        for path, content in _readable(root, "sys/class/thermal/cooling_device*/cur_state").items()
        if content != "0"
    }
    return {
        "load": os.getloadavg()[0],
        "unix_s": time.time(),
        "monotonic_s": time.monotonic(),
        "memory_available": _kilobytes(_read(os.path.join(root, "proc/meminfo")), "MemAvailable"),
        "disk_free": shutil.disk_usage(folder).free,
        "clock": clocks,
        "celsius": temperatures,
        "cooling": cooling,
        "sensor": sensor_state(root),
    }


def _celsius(path: str) -> Optional[float]:
    try:
        return int(_read(path) or "") / 1000
    except ValueError:
        return None


def _kilobytes(text: Optional[str], key: str) -> Optional[int]:
    match = re.search(r"^" + key + r":\s*(\d+) kB$", text or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _resident() -> Record:
    """Proportional and unique resident bytes. Kernels before 4.14 have no sums: then of all mappings."""
    text = _read("/proc/self/smaps_rollup") or _read("/proc/self/smaps")
    if text is None:
        return {"pss": None, "uss": None}
    kilobytes: Dict[str, int] = {}
    for key, value in re.findall(r"^(Pss|Private_Clean|Private_Dirty):\s*(\d+) kB$", text, re.MULTILINE):
        kilobytes[key] = kilobytes.get(key, 0) + int(value)
    private = kilobytes.get("Private_Clean", 0) + kilobytes.get("Private_Dirty", 0)
    return {"pss": 1024 * kilobytes.get("Pss", 0), "uss": 1024 * private}


def nvmap(clients: Optional[str], process: int) -> Optional[int]:
    """Bytes that a process holds of a Jetson's graphics memory, which counts to no process's resident memory.

    `clients` is the file of that name under /sys/kernel/debug/nvmap/iovmm, which root alone can read.
    """
    if clients is None:
        return None
    sizes = re.findall(r"^\s*\S+\s+\S+\s+" + str(process) + r"\s+(\d+)K\s*$", clients, re.MULTILINE)
    return 1024 * sum(map(int, sizes))


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
        status = _read("/proc/self/status")
        record = {
            "record": "memory",
            "phase": phase,
            "vm_hwm": _kilobytes(status, "VmHWM") if self._peak_known else None,
            "rss": _kilobytes(status, "VmRSS"),
            "nvmap": nvmap(_read("/sys/kernel/debug/nvmap/iovmm/clients"), os.getpid()),
        }
        self._send(dict(record, **_resident()))
        self._start()


# --- power sensors ----------------------------------------------------------------------------------------------------

#: Seconds between two readings of a rail, as far as its sensor keeps up.
_PERIOD = 0.001

#: Seconds that the sampler may take to hand over what it has.
_HANDOVER = 60.0

#: What tells in which mode an INA3221 works, under the drivers of L4T R28 to R32 and of R34 and newer.
_IIO_STATE = ("running_mode", "polling_delay_[0-2]", "crit_current_limit_[0-2]", "warn_current_limit_[0-2]")
_HWMON_STATE = ("update_interval", "samples", "shunt?_resistor", "in[1-3]_enable", "curr[1-3]_crit", "curr[1-3]_max")


#: What is read from an I2C bus on which nobody answers; and mV that an INA3221 tells at most: 12 bits of 8 mV.
_ALL_ONES, _HIGHEST_MILLIVOLT = 0xFFFF, 32760


class Rail:
    """A place where power is read. Its files stay open: opening takes ten times as long as reading.

    Raises OSError where a file cannot be opened.
    """

    def __init__(self, name: str, paths: List[str], to_watt: Callable[..., float]) -> None:
        self.name = name
        self._to_watt = to_watt
        self._files = [open(path, "rb", buffering=0) for path in paths]  # noqa: SIM115

    def watt(self) -> Optional[float]:
        """What it reads now; None when the sensor is busy, fails or answers with no number."""
        try:
            return self._to_watt(*[int(os.pread(file.fileno(), 32, 0)) for file in self._files])
        except (OSError, ValueError, ArithmeticError):
            return None


class EnergyCounter:
    """Watt from a counter of microjoules that starts again at `wrap`: the mean since it was read before.

    A step backwards that is no wrap gives nearly the whole range at once: megawatts, which the host does not take.
    """

    def __init__(self, microjoule: int, wrap: int) -> None:
        self._wrap = wrap
        self._before = (time.monotonic(), microjoule)

    def __call__(self, microjoule: int) -> float:
        now, (then, last) = time.monotonic(), self._before
        self._before = (now, microjoule)
        return 1e-6 * ((microjoule - last) % self._wrap) / (now - then)


def _milliwatt(power: int) -> float:
    if power == _ALL_ONES:
        raise ValueError("nobody answers on the bus")
    return power / 1000


def _millivolt_milliampere(voltage: int, current: int) -> float:
    if not 0 <= voltage <= _HIGHEST_MILLIVOLT or current == _ALL_ONES:
        raise ValueError("more than an INA3221 tells")
    return 1e-6 * voltage * current


def _iio_chips(root: str) -> List[Tuple[str, str]]:
    """Address on the I2C bus and folder of each INA3221 (L4T R28 to R32): the device's own number is not stable."""
    folders = sorted(glob.glob(os.path.join(root, "sys/bus/i2c/drivers/ina3221x/*-00*/iio:device*")))
    return [(os.path.basename(os.path.dirname(folder)), folder) for folder in folders]


def _hwmon_chips(root: str) -> List[Tuple[str, str]]:
    """Address on the I2C bus and folder of each INA3221 (L4T R34 and newer)."""
    folders = sorted(glob.glob(os.path.join(root, "sys/class/hwmon/hwmon*")))
    return [
        (os.path.basename(os.path.realpath(os.path.join(folder, "device"))), folder)
        for folder in folders
        if _read(os.path.join(folder, "name")) == "ina3221"
    ]


def _iio_rails(root: str) -> Iterator[Rail]:
    for address, folder in _iio_chips(root):
        for channel in "012":
            label = _read(os.path.join(folder, "rail_name_" + channel))
            if label and label != "NC":
                power = os.path.join(folder, "in_power" + channel + "_input")
                with suppress(OSError):
                    yield Rail(address + "/" + label, [power], _milliwatt)


def _hwmon_rails(root: str) -> Iterator[Rail]:
    for address, folder in _hwmon_chips(root):
        for channel in "123":  # the higher ones are shunt voltages and sums
            label = _read(os.path.join(folder, "in" + channel + "_label"))
            if label and label != "NC":
                paths = [os.path.join(folder, kind + channel + "_input") for kind in ("in", "curr")]
                with suppress(OSError):
                    yield Rail(address + "/" + label, paths, _millivolt_milliampere)


def _rapl_rails(root: str) -> Iterator[Rail]:
    for folder in sorted(glob.glob(os.path.join(root, "sys/class/powercap/intel-rapl:*"))):
        label, energy, wrap = (
            _read(os.path.join(folder, name)) for name in ("name", "energy_uj", "max_energy_range_uj")
        )
        if label and energy and wrap:
            with suppress(OSError, ValueError):
                counter = EnergyCounter(int(energy), int(wrap))
                yield Rail(os.path.basename(folder) + "/" + label, [os.path.join(folder, "energy_uj")], counter)


def find_rails(root: str) -> List[Rail]:
    """All rails that can be read, each `<I2C address or zone>/<name>`; a second of the same name ends in `#2`."""
    rails = [rail for find in (_iio_rails, _hwmon_rails, _rapl_rails) for rail in find(root)]
    seen: Dict[str, int] = {}
    for rail in rails:
        seen[rail.name] = seen.get(rail.name, 0) + 1
        if seen[rail.name] > 1:
            rail.name += "#" + str(seen[rail.name])
    return rails


def sensor_state(root: str) -> Dict[str, str]:
    """`<I2C address>/<file>` -> content of all that tells how the sensors average, and which mode they are in."""
    return {
        address + "/" + os.path.basename(path): content.strip()
        for chips, patterns in ((_iio_chips, _IIO_STATE), (_hwmon_chips, _HWMON_STATE))
        for address, folder in chips(root)
        for path, content in _readable(folder, *patterns).items()
    }


class Readings:
    """What a rail read and when, in arrays: a list of objects would grow the process by as many."""

    def __init__(self, rail: Rail) -> None:
        self.rail = rail
        self.time_s = array("d")
        self.watt = array("d")
        self.failed = 0

    def take(self) -> None:
        """Read once. A slow sensor converts somewhere within the read, so its middle is the time."""
        before = time.monotonic()
        watt = self.rail.watt()
        if watt is None:
            self.failed += 1
        else:
            self.time_s.append((before + time.monotonic()) / 2)
            self.watt.append(watt)

    def record(self) -> Record:
        """To the microsecond and microwatt: more digits say nothing and double the text."""
        return {
            "time_s": [round(value, 6) for value in self.time_s],
            "watt": [round(value, 6) for value in self.watt],
            "failed": self.failed,
        }


class Sampler:
    """A process that reads the rails under `root` of these names in every millisecond from now until `stop`.

    A process, because only then can it have real-time priority of its own; where the system allows that, it keeps its
    rate whatever else runs. It ends with this process, in whatever way that ends.
    """

    def __init__(self, root: str, names: List[str]) -> None:
        control, self._control = os.pipe()
        self._answer, answer = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._control)
            os.close(self._answer)
            _be_sampler(root, names, control, answer)
        os.close(control)
        os.close(answer)

    def stop(self) -> Record:
        """What was read, and the end of the process; raises AgentError when it ended before."""
        with suppress(BrokenPipeError):
            os.write(self._control, b".")
        try:
            text = _all_of(self._answer, time.monotonic() + _HANDOVER)
        except AgentError:
            self.kill()
            raise
        status = self._wait()
        if os.WIFSIGNALED(status):
            raise AgentError(f"the power sampler was ended by signal {os.WTERMSIG(status)}")
        if status != 0:
            raise AgentError(f"the power sampler ended with exit code {os.WEXITSTATUS(status)}: {text.decode()}")
        record: Record = json.loads(text.decode())
        return record

    def kill(self) -> None:
        """End the process; what it read is lost."""
        os.kill(self._process, signal.SIGKILL)
        self._wait()

    def _wait(self) -> int:
        os.close(self._control)
        os.close(self._answer)
        return os.waitpid(self._process, 0)[1]


def _be_sampler(root: str, names: List[str], control: int, answer: int) -> None:
    """Sample until told to stop, hand over and leave the process, whatever happens."""
    status = 1
    try:
        with os.fdopen(answer, "w") as channel:
            try:
                gc.disable()
                realtime = _take_realtime_priority()
                # A reading takes a millisecond and more, so that any other rail would cost these theirs.
                readings = [Readings(rail) for rail in find_rails(root) if rail.name in names]
                _sample(readings, control)
                if os.read(control, 1):  # nothing comes from a parent that has died
                    rails = {reading.rail.name: reading.record() for reading in readings}
                    record = {"record": "power", "period_s": _PERIOD, "realtime": realtime, "rails": rails}
                    channel.write(json.dumps(record))
                status = 0
            except Exception as error:
                channel.write(_one_line(error))
    finally:
        os._exit(status)


def _take_realtime_priority() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        return False
    return True


def _sample(readings: List[Readings], control: int) -> None:
    """Read the rails at multiples of the period until something can be read from `control`, if only its end.

    A multiple that has passed is left out: reading faster afterwards would not bring it back.
    """
    begin, slot = time.monotonic(), 0
    while not select.select([control], [], [], max(0.0, begin + slot * _PERIOD - time.monotonic()))[0]:
        for reading in readings:
            reading.take()
        slot = int((time.monotonic() - begin) / _PERIOD) + 1


def _all_of(descriptor: int, deadline: float) -> bytes:
    """Everything up to the end of a pipe; raises AgentError when the deadline has passed."""
    chunks: List[bytes] = []
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
    raise AgentError("the power sampler does not answer")


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
        if command["processor"] == "gpu" and all(device.device_type != "GPU" for device in self.session.list_devices()):
            raise AgentError("this TensorFlow finds no GPU; set the device's processor to cpu")
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
    if command["processor"] == "gpu":
        # Otherwise all of the memory is taken at once, and a footprint is that of the pool.
        configuration.gpu_options.allow_growth = True
    else:
        configuration.device_count["GPU"] = 0
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
    profiled = _spread(command["input_ids"], command["profiled_runs"])
    Samples(network).warm_up(command)
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    for run, input_id in enumerate(profiled[:1] + profiled):
        metadata = tf.RunMetadata()
        network.run(input_id, options=options, run_metadata=metadata)
        if run > 0:
            send(dict(_operation_times(metadata.step_stats), record="operations", run=run))


def _spread(inputs: List[str], count: int) -> List[str]:
    """Inputs at `count` evenly spaced places from the first to the last; a single one is from the middle.

    Sentences come in the order of their lengths, and a share of time depends on the length.
    """
    if count == 1:
        return [inputs[len(inputs) // 2]]
    return [inputs[round(place * (len(inputs) - 1) / (count - 1))] for place in range(count)]


def _power(command: Record, send: Send) -> None:
    """Inferences back to back between two idle brackets, all in one loaded process, while the sensors are sampled.

    Before each bracket the sensors get time to forget what was before it: they average over up to half a second.
    """
    network = Network(command, _feeds(command))
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
    """Wait for the tail of what was before, then idle; when the idling began and ended."""
    time.sleep(command["tail_seconds"])
    begin = time.monotonic()
    time.sleep(command["idle_seconds"])
    return [begin, time.monotonic()]


def _outputs(command: Record, send: Send) -> None:
    """What the network answers to each input, to be compared with another machine's answers."""
    import numpy as np

    network = Network(command, _feeds(command))
    for input_id in command["input_ids"]:
        output = np.ascontiguousarray(network.run(input_id))
        values = {
            "dtype": output.dtype.str,
            "shape": output.shape,
            "base64": base64.b64encode(output.tobytes()).decode(),
        }
        send(dict(values, record="values", input_id=input_id))


def _operation_times(step_stats: Any) -> Record:
    """Seconds by (name, type), summed over the executions of one run (a loop's body has many)."""
    seconds: Dict[Tuple[str, str], float] = {}
    for name, kind, nanoseconds in _executions(step_stats):
        seconds[name, kind] = seconds.get((name, kind), 0.0) + 1e-9 * nanoseconds
    return {
        "operation": [name for name, _ in seconds],
        "type": [kind for _, kind in seconds],
        "duration_s": list(seconds.values()),
    }


def _executions(step_stats: Any) -> Iterator[Tuple[str, str, int]]:
    """Name, type and nanoseconds of each execution. On a GPU the kernels count, not their launches."""
    on_gpu = any(device.device.endswith("/stream:all") for device in step_stats.dev_stats)
    for device in step_stats.dev_stats:
        kernels = device.device.endswith("/stream:all")
        if on_gpu and not kernels and "gpu" in device.device.lower():
            continue  # launches, or what `stream:all` holds already
        if device.device.startswith("/host:"):
            continue  # TensorFlow 1.15 lists all once more here, with no time
        for node in device.node_stats:
            nanoseconds = node.op_end_rel_nanos - node.op_start_rel_nanos
            if kernels:  # called `name:type`
                name, _, kind = node.node_name.partition(":")
                yield name, kind.partition(":")[0] or name, nanoseconds
            else:
                match = re.search(r"= ([\w.]+)\(", node.timeline_label)
                yield node.node_name, match.group(1) if match else node.node_name, nanoseconds


def _work(command: Record, send: Send) -> None:
    # A collection would stop a timed run, and touch (so copy) every Python object shared with the parent.
    gc.disable()
    kinds = {
        "latency": _latency,
        "operations": _operations,
        "power": _power,
        "outputs": _outputs,
        "control": _control,
    }
    kinds[command["kind"]](command, send)


# --- files by digest --------------------------------------------------------------------------------------------------


class Files:
    """The files of one folder, named by the SHA-256 of their content; nothing else is ever opened for a host."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "files")
        os.makedirs(self._folder, exist_ok=True)

    def path(self, digest: Any) -> str:
        """Where a file is or would be."""
        if not isinstance(digest, str) or not re.match(r"[0-9a-f]{64}\Z", digest):
            raise AgentError(f"malformed command: {digest!r} is not a SHA-256")
        return os.path.join(self._folder, digest)

    def whole(self, digest: str) -> bool:
        """Whether a file is here with the content of its name; a damaged one is removed."""
        path = self.path(digest)
        if not os.path.isfile(path):  # what a link leads to may have no end
            return False
        if _sha256(path) == digest:
            return True
        os.remove(path)
        return False

    def put(self, digest: Any, size: Any, pieces: Iterator[bytes]) -> None:
        """Write a file of `size` bytes whole or not at all."""
        path = self.path(digest)
        temporary = f"{path}.{os.getpid()}"
        found = hashlib.sha256()
        free = shutil.disk_usage(self._folder).free
        try:
            with suppress(FileNotFoundError):
                os.remove(temporary)
            with open(temporary, "xb") as file:  # never through a link that somebody has put there
                for piece in pieces:
                    found.update(piece)
                    file.write(piece)
            if found.hexdigest() != digest:
                raise AgentError(f"a file came with the SHA-256 {found.hexdigest()}, not {digest}")
            os.replace(temporary, path)
        except OSError as error:
            raise AgentError(self._no_room(error, size, free)) from error
        finally:
            with suppress(OSError):
                os.remove(temporary)

    def clean(self) -> None:
        """Remove all files, and what a killed agent left of one; nothing that somebody else put here."""
        for name in os.listdir(self._folder):
            if re.match(r"[0-9a-f]{64}(\.\d+)?\Z", name):
                os.remove(os.path.join(self._folder, name))

    def _no_room(self, error: OSError, size: int, free: int) -> str:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return f"{self._folder}: cannot write a file ({error.strerror})"
        return (
            f"{self._folder}: no room for a file of {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free;"
            " clean the device, or name another folder in the config's `devices`"
        )


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


# --- in the parent ----------------------------------------------------------------------------------------------------


class Host:
    """The other end: lines and bytes from it, records to it. Its end of file, or a long silence, is HostGone."""

    def __init__(self, descriptor: int, output: IO[str], silence: Optional[float]) -> None:
        self.descriptor = descriptor
        self.output = output
        self._silence = silence
        self._pending = b""
        self._heard = time.monotonic()

    def send(self, record: Record) -> None:
        """Send a record; a host that cannot take it is gone."""
        self.relay(json.dumps(record))

    def relay(self, line: str) -> None:
        """Send a record that is a line already."""
        try:
            self.output.write(line + "\n")
            self.output.flush()
        except OSError as error:
            raise HostGone() from error

    def lines(self) -> Iterator[bytes]:
        """Lines but for empty ones, as they come."""
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if not newline:
                self._wait()
                continue
            self._pending = rest
            if line.strip():
                yield line

    def take(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in pieces."""
        while size:
            if not self._pending:
                self._wait()
            piece, self._pending = self._pending[:size], self._pending[size:]
            size -= len(piece)
            yield piece

    def listen(self) -> None:
        """Take what has come; to be called when there is something, and now and then to notice a silence."""
        ready, _, _ = select.select([self.descriptor], [], [], 0)
        if ready:
            chunk = os.read(self.descriptor, 1 << 20)
            if not chunk:
                raise HostGone()
            self._pending += chunk
            self._heard = time.monotonic()
            if len(self._pending) > _LONGEST_COMMAND:
                raise AgentError(f"malformed command: of more than {_LONGEST_COMMAND} bytes")
        elif self._silence is not None and time.monotonic() - self._heard > self._silence:
            raise HostGone()

    def _wait(self) -> None:
        select.select([self.descriptor], [], [], self._silence)
        self.listen()


def checked(command: Record) -> Record:
    """The command, if it is a complete block; raises AgentError otherwise."""
    for key, types in _BLOCK.items():
        if key not in command:
            raise AgentError(f"malformed command: the block lacks '{key}'")
        value = command[key]
        if not isinstance(value, types) or (isinstance(value, (int, float)) and not 0 <= value <= _MOST):
            raise AgentError(f"malformed command: '{key}' cannot be {value!r}")
    for key, choices in _CHOICES.items():
        if command[key] not in choices:
            raise AgentError(f"malformed command: '{key}' is one of {', '.join(choices)}")
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


def _die_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that happens."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _be_worker(command: Record, descriptor: int) -> None:
    """Run the block and leave the process, whatever happens: nothing of the parent may run a second time here."""
    status = 1
    try:
        _die_with_parent()
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


def _lines(descriptor: int, deadline: float, host: Host) -> Iterator[str]:
    """Lines from the worker until it closes its end; raises AgentError when the deadline has passed."""
    pending = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise AgentError("the worker ran past its time limit")
        # Wakes up for the worker, for the host, and to notice the host's silence.
        ready, _, _ = select.select([descriptor, host.descriptor], [], [], min(left, _SILENCE / 4))
        if descriptor not in ready:
            host.listen()
            continue
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return  # what is left in `pending` was cut off by the worker's death
        whole, _, pending = (pending + chunk).rpartition(b"\n")
        yield from whole.decode().splitlines()


class Server:
    """Carries out the commands of a host, one after another."""

    def __init__(self, host: Host, folder: str, root: str) -> None:
        self._host = host
        self._folder = folder
        self._root = root
        self._files = Files(folder)

    def serve(self) -> None:
        """Until `quit`; every other command is closed by `end` or `error`. Raises HostGone."""
        for line in self._host.lines():
            try:
                command = json.loads(line)
                if not isinstance(command, dict):
                    raise AgentError("malformed command: not an object")
                if command.get("command") == "quit":
                    return
                self._carry_out(command)
                self._host.send({"record": "end", "load": os.getloadavg()[0]})
            except (AgentError, OSError) as error:
                self._host.send({"record": "error", "error": _one_line(error)})
            except (ValueError, TypeError, RecursionError) as error:
                self._host.send({"record": "error", "error": f"malformed command: {error}"})

    def _carry_out(self, command: Record) -> None:
        name = command.get("command")
        if name == "block":
            self._run_block(self._with_paths(checked(command)))
        elif name == "has":
            digests = command.get("sha256", [])
            self._host.send({"record": "has", "sha256": [digest for digest in digests if self._files.whole(digest)]})
        elif name == "put":
            size = command.get("bytes")
            if not isinstance(size, int) or size < 0:
                raise AgentError(f"malformed command: 'bytes' cannot be {size!r}")
            pieces = self._host.take(size)
            try:
                self._files.put(command.get("sha256"), size, pieces)
            finally:
                for _ in pieces:  # what a failure left over is no command
                    pass
        elif name == "state":
            self._host.send(dict(state(self._root, self._folder), record="state"))
        elif name == "clean":
            self._files.clean()
        else:
            raise AgentError("malformed command: 'command' is one of block, has, put, state, clean, quit")

    def _with_paths(self, command: Record) -> Record:
        """The block with the paths of the files that it names by their digests."""
        digests = {key: command[key] for key in ("artifact", "inputs") if command[key] is not None}
        paths = {key: self._files.path(digest) for key, digest in digests.items()}
        for key, path in paths.items():
            if not os.path.isfile(path):
                raise AgentError(f"the {key} {digests[key][:16]}... is not on this machine: put it first")
        return dict(command, **paths)

    def _run_block(self, command: Record) -> None:
        """Fork a worker for the block and relay its records, and those of the sensors while it is settled."""
        reader, writer = os.pipe()
        worker = os.fork()
        if worker == 0:
            os.close(reader)
            # Held open here, they would keep the host waiting for an agent that has died.
            os.close(self._host.output.fileno())
            os.close(self._host.descriptor)
            _be_worker(command, writer)
        os.close(writer)
        sampler: Optional[Sampler] = None
        error: Optional[str] = None
        try:
            for line in _lines(reader, time.monotonic() + command["timeout_seconds"], self._host):
                record = json.loads(line)
                if record["record"] == "error":
                    error = record["error"]
                elif record["record"] == "settled":
                    sampler = Sampler(self._root, command["rails"])
                else:
                    self._host.relay(line)
            if sampler is not None and error is None:
                self._host.send(sampler.stop())
                sampler = None
        except BaseException:
            os.kill(worker, signal.SIGKILL)
            raise
        finally:
            os.close(reader)
            _, status = os.waitpid(worker, 0)
            if sampler is not None:
                sampler.kill()
        if error is None and os.WIFSIGNALED(status):
            error = f"the worker was ended by signal {os.WTERMSIG(status)}"
        elif error is None and status != 0:
            error = f"the worker ended with exit code {os.WEXITSTATUS(status)}"
        if error is not None:
            raise AgentError(error)


def take_lock(path: str, patience: float, host: Host) -> int:
    """Hold the machine: no other agent gets past this line while this process or a worker of it lives.

    Tells the host who is in the way while it waits; raises AgentError when its patience ends.
    """
    if os.path.islink(path):
        raise AgentError(f"{path} is a link, and what it leads to would be written over; remove it")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        os.fchmod(descriptor, 0o666)
    except PermissionError:  # another user's, where the system protects files in shared folders
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            if time.monotonic() >= deadline:
                raise AgentError(
                    f"{socket.gethostname()} is in use by {holder}; try again when that has ended"
                ) from None
            host.send({"record": "busy", "holder": holder})
            time.sleep(1)
            host.listen()
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S %z")
        os.pwrite(descriptor, f"{_user()} (process {os.getpid()}, since {since})\n".encode(), 0)
    return descriptor


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's, which no system knows by name
        return f"user {os.getuid()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs blocks of inferences for a host that speaks over stdin.")
    parser.add_argument("--folder", required=True, help="where files are kept, by their digests")
    parser.add_argument("--lock", help="file that keeps other agents off this machine")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for the lock")
    parser.add_argument("--heartbeat", action="store_true", help="the host sends signs of life: end when they stop")
    parser.add_argument("--root", default="/", help="folder that holds sys/, proc/ and etc/")
    return parser.parse_args()


def _runtime() -> Record:
    """Import TensorFlow; its version, and how long that took."""
    # Keeps Keras out of `import tensorflow`: only graphs are run here.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    begin = time.monotonic()
    try:
        import numpy as np
        import tensorflow.compat.v1 as tf
    except ImportError as error:
        raise AgentError(
            f"{sys.executable} cannot import TensorFlow ({_one_line(error)}); install it there, or name another"
            " interpreter in the config's `devices`"
        ) from error

    tf.logging.set_verbosity(tf.logging.ERROR)
    return {"numpy": np.__version__, "tensorflow": tf.__version__, "import_s": time.monotonic() - begin}


def main() -> int:
    """Take the machine, import TensorFlow, say hello, serve."""
    arguments = _arguments()
    # Whatever a library prints to stdout goes to stderr; the records have the real stdout for themselves.
    host = Host(0, os.fdopen(os.dup(1), "w"), _SILENCE if arguments.heartbeat else None)
    os.dup2(2, 1)
    try:
        server = Server(host, arguments.folder, arguments.root)
        if arguments.lock:
            take_lock(arguments.lock, arguments.patience, host)
        rails = [rail.name for rail in find_rails(arguments.root)]
        host.send(dict(machine(arguments.root), record="hello", rails=rails, **_runtime()))
        gc.collect()
        server.serve()
    except HostGone:
        return 1
    except (AgentError, OSError) as error:
        host.send({"record": "error", "error": _one_line(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
