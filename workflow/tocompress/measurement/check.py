"""Check within a minute whether a device is fit to be measured."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tocompress.devices import DEQUANTIZATIONS, Agent, ConnectionLost, Record, answered, understood
from tocompress.devices.agent.litert import installable
from tocompress.devices.clocks import unlocked
from tocompress.devices.reach import reach
from tocompress.errors import StudyError
from tocompress.settings.device import LocalDevice, SshDevice
from tocompress.vocabulary.arithmetic import ONCE
from tocompress.vocabulary.processors import integer_products
from tocompress.vocabulary.runtimes import LITERT, SUFFIXES, TENSORFLOW

NO_SENSORS = "none: power and energy will be unavailable"
_LEAST_DISK = 2_000_000_000  # bytes: the artifacts of a large network
_LEAST_MEMORY = 1_000_000_000  # bytes: TensorFlow and a large network

#: Values whose products float32 holds exactly.
_PROBE = np.array([[1, 2], [3, 4]], np.float32)
_PROBE_ID = "probe"

_SECONDS_OF_SAMPLING = 2.0


@dataclass(frozen=True)
class Finding:
    """One checked property of a device, and its problem, if there is one."""

    what: str
    found: str
    problem: str | None = None


@dataclass(frozen=True)
class _Reached:
    """The agent of a runtime on a device. The folder holds a model of one operation, and the agent links to it."""

    runtime: str
    agent: Agent
    device: LocalDevice | SshDevice
    folder: Path

    def run(self, **block: Any) -> list[Record]:
        """Return the records of a block that runs the model."""
        make = {TENSORFLOW: _tensorflow_model, LITERT: _litert_model}[self.runtime]
        artifact, inputs = self.folder / f"model.{SUFFIXES[self.runtime]}", self.folder / "inputs.npz"
        artifact.write_bytes(make())
        np.savez(inputs, allow_pickle=False, **{f"{_PROBE_ID}/input": _PROBE})
        digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in (artifact, inputs)}
        for file, digest in digests.items():
            self.agent.send(file, digest)
        command = _command(self.device, artifact=digests[artifact], inputs=digests[inputs], **block)
        return answered(self.agent.run(command))


def check(name: str, device: LocalDevice | SshDevice) -> list[Finding]:
    """Return the facts that a session on the device would find. A device out of reach is a finding too.

    Each runtime of the device runs a small model. Of the other runtimes the findings tell which are there, and why
    the others are not.
    """
    way = f"by ssh, {device.host}" if isinstance(device, SshDevice) else "this machine"
    of_machine: list[Finding] = []
    of_runtimes: list[Finding] = []
    others = [runtime for runtime in SUFFIXES if runtime not in device.runtimes]
    for runtime in (*device.runtimes, *others):
        try:
            with _reached(name, device, runtime) as reached:
                if not of_machine:
                    of_machine = [Finding("connection", f"{way}, used by nobody else"), *_of_machine(reached)]
                of_runtimes.append(_of_runtime(reached) if runtime in device.runtimes else _of_other(reached))
        except StudyError as error:
            problem = str(error).removeprefix(f"{name}: ")
            if not of_machine and isinstance(error, ConnectionLost):
                return [Finding("connection", way, problem)]
            wanted = runtime in device.runtimes
            of_runtimes.append(Finding(runtime, "not usable" if wanted else problem, problem if wanted else None))
    if not of_machine and len({finding.problem or finding.found for finding in of_runtimes}) == 1:
        return [Finding("connection", way, of_runtimes[0].problem)]
    return [*of_machine, *of_runtimes]


def check_power(name: str, device: LocalDevice | SshDevice) -> None:
    """Raise StudyError where a session on the device would find no power. A device out of reach raises it too."""
    with _reached(name, device, device.runtimes[0]) as reached:
        found = _sensors(reached.agent.hello, device)
    if problem := found.problem or (found.found if found.found.startswith(NO_SENSORS) else None):
        raise StudyError(f"{name}: {problem}; require no energy or power, or name a meter in `devices.{name}.meter`")


@contextmanager
def _reached(name: str, device: LocalDevice | SshDevice, runtime: str) -> Iterator[_Reached]:
    with (
        tempfile.TemporaryDirectory() as folder,
        reach(name, device, (runtime,), patience=0.0) as agents,
        understood(name),
    ):
        yield _Reached(runtime, agents[runtime], device, Path(folder))


def table(name: str, findings: Iterable[Finding]) -> str:
    """Return the findings as text, with a mark at each problem."""
    lines = [f"device {name}"]
    for finding in findings:
        lines.append(f"{'!' if finding.problem else ' '} {finding.what:<12} {finding.found}".rstrip())
        if finding.problem:
            lines.append(f"{'':14} PROBLEM: {finding.problem}")
    return "\n".join(lines) + "\n"


def _of_machine(reached: _Reached) -> Iterator[Finding]:
    agent, device, hello = reached.agent, reached.device, reached.agent.hello
    about = [hello["board"], hello["processor_name"], hello["machine"], hello["l4t"], f"kernel {hello['kernel']}"]
    yield Finding("machine", ", ".join(dict.fromkeys(filter(None, about))))
    yield Finding("integers", f"products in one step: {integer_products(hello['processor_features'])}")
    yield Finding("python", f"{hello['python']}, {hello['c_library'] or 'no glibc'}")
    yield _threads(hello, device)
    yield _sensors(hello, device)
    if rails := _sampled_rails(hello, device):
        yield _sampling(reached, rails)
    asked = time.time()
    state = answered(agent.run({"command": "state"}))[0]
    came = time.time()
    yield _clocks(hello, state, device)
    yield _modes(answered(agent.run({"command": "modes"}))[0], device)
    yield _temperature(state)
    yield Finding("load", f"{state['load']:.2f}")
    yield _room("memory free", state["memory_available"], _LEAST_MEMORY)
    yield from _sizes(state["memory_available"], device)
    yield _room("disk free", state["disk_free"], _LEAST_DISK)
    ahead, uncertainty = state["unix_s"] - (asked + came) / 2, (came - asked) / 2
    yield Finding("clock", f"{ahead:+.2f} s to this machine's, to within {uncertainty:.2f} s")


def _of_runtime(reached: _Reached) -> Finding:
    """Return the runtime's version, and whether it really multiplies matrices, in a worker as for a benchmark."""
    from tocompress.measurement.verification import values

    found = _versions(reached.runtime, reached.agent.hello)
    try:
        output = values(reached.run(kind="outputs"))[_PROBE_ID]
    except StudyError as error:
        return Finding(reached.runtime, found, str(error))
    wrong = None if np.array_equal(output, _PROBE @ _PROBE) else "it multiplies two matrices wrongly"
    return Finding(reached.runtime, f"{found}, computes on the {reached.device.processor}", wrong)


def _of_other(reached: _Reached) -> Finding:
    """Return the version of a runtime that the device does not name."""
    found = _versions(reached.runtime, reached.agent.hello)
    return Finding(reached.runtime, f"{found}, not among the device's `runtimes`")


def _versions(runtime: str, hello: Record) -> str:
    """Return the versions of a runtime and of numpy, and a newer distribution of LiteRT that fits the machine."""
    if runtime == TENSORFLOW:
        return f"TensorFlow {hello[TENSORFLOW]}, numpy {hello['numpy']}"
    wheel = installable(hello["python"], hello["machine"], hello["c_library"])
    newer = f"; {wheel} fits too" if wheel and hello[runtime].startswith("tflite") and "tflite" not in wheel else ""
    return f"{hello[runtime]}, numpy {hello['numpy']}{newer}"


def _threads(hello: Record, device: LocalDevice | SshDevice) -> Finding:
    cores = hello["cores_allowed"]
    too_many = f"there are only {cores} cores; set the device's threads to that" if device.threads > cores else None
    return Finding("threads", f"{device.threads} on {cores} cores (online: {hello['cores_online']})", too_many)


def _sensors(hello: Record, device: LocalDevice | SshDevice) -> Finding:
    """Return the rails, the total of some, the power that it leaves out, and the files that may not be read."""
    from tocompress.measurement import power

    names = [*hello["rails"], *([power.METER] if device.meter else [])]
    forbidden = power.forbidden(hello)
    try:
        if device.meter:
            power.check_meter(device.meter, time.time())
        total = power.device_rails(hello, device)
    except StudyError as error:
        return Finding("sensors", ", ".join(names) or "none", str(error))
    if not total:
        return Finding("sensors", "; ".join(filter(None, (NO_SENSORS, forbidden))))
    outside = power.left_out(total)
    told = (
        ", ".join(names),
        f"total: {'all of them' if len(total) == len(names) > 1 else ' + '.join(total)}",
        f"which leaves out {outside}" if outside else "",
        forbidden,
    )
    return Finding("sensors", "; ".join(filter(None, told)))


def _sampled_rails(hello: Record, device: LocalDevice | SshDevice) -> list[str]:
    """Return the rails that a session would read, or all rails where the total is not known."""
    from tocompress.measurement import power

    rails: list[str] = hello["rails"]
    try:
        return [rail for rail in power.device_rails(hello, device) if rail != power.METER]
    except StudyError:
        return rails


def _sampling(reached: _Reached, rails: list[str]) -> Finding:
    """Return how often the slowest rail is read while the processor works."""
    from tocompress.measurement.power import sampling_quality

    try:
        records = reached.run(kind="power", rails=rails)
    except StudyError as error:
        return Finding("sampling", "", str(error))
    (sampled,) = [record for record in records if record["record"] == "power"]
    rates = {
        name: sampling_quality(np.array(rail["time_s"]), np.array(rail["watt"]), sampled["period_s"]).rate_hz
        for name, rail in sampled["rails"].items()
    }
    silent = [name for name, rate in rates.items() if np.isnan(rate)]
    if silent:
        return Finding("sampling", "", f"nothing can be read from {', '.join(silent)}")
    negative = [name for name, rail in sampled["rails"].items() if max(rail["watt"]) < 0]
    if negative:
        return Finding("sampling", "", f"{', '.join(negative)}: always below 0 W; see how the sensor is connected")
    priority = "with" if sampled["realtime"] else "without"
    slowest = min(rates, key=rates.__getitem__)
    return Finding("sampling", f"{rates[slowest]:.0f} readings a second ({slowest}), {priority} real-time priority")


def _clocks(hello: Record, state: Record, device: LocalDevice | SshDevice) -> Finding:
    moving = unlocked(state["clock"])
    mode = f"; power mode: {hello['power_mode']}" if hello["power_mode"] else ""
    found = f"not locked: {', '.join(moving)}{mode}" if moving else f"locked{mode}"
    advice = "lock them (jetson_clocks on a Jetson, as root), or set `clocks: any`"
    return Finding("clocks", found, advice if moving and device.clocks == "locked" else None)


def _modes(told: Record, device: LocalDevice | SshDevice) -> Finding:
    """Return the power modes of the device. They are a problem where the study names others, or may not set them."""
    names, refusal = told["modes"], told["refusal"]
    found = f"{', '.join(names)}; now {told['mode']}; {refusal or 'may be set'}" if names else f"none: {refusal}"
    absent = [mode for mode in device.modes if mode not in names]
    problem = f"no {', '.join(absent)}; name others in the device's `modes`" if absent else refusal
    return Finding("modes", found, problem if device.modes else None)


def _temperature(state: Record) -> Finding:
    known = {zone: value for zone, value in state["celsius"].items() if value is not None}
    if not known:
        return Finding("temperature", "not readable")
    hottest = max(known, key=known.__getitem__)
    return Finding("temperature", f"{known[hottest]:.0f} °C ({hottest})")


def _room(what: str, free: int | None, least: int) -> Finding:
    if free is None:
        return Finding(what, "not readable")
    short = f"a benchmark needs {least / 1e9:.0f} GB" if free < least else None
    return Finding(what, f"{free / 1e9:.1f} GB", short)


def _sizes(free: int | None, device: LocalDevice | SshDevice) -> Iterator[Finding]:
    """Yield for each runtime which networks fit the free memory at their published size."""
    from tocompress.measurement.sizes import fitting

    if free is not None:
        yield from (Finding("sizes", fitting(runtime, free)) for runtime in device.runtimes)


def _command(device: LocalDevice | SshDevice, **block: Any) -> Record:
    return {
        "command": "block",
        "input_ids": [_PROBE_ID],
        "dequantization": DEQUANTIZATIONS[ONCE],
        "processor": device.processor,
        "threads": device.threads,
        "inter_op_threads": device.inter_op_threads,
        "warmup_runs": 1,
        "warmup_seconds": 0,
        "seconds": _SECONDS_OF_SAMPLING,
        "minimum_runs": 1,
        "profiled_runs": 1,
        "rails": [],
        "idle_seconds": 0,
        "tail_seconds": 0,
        "timeout_seconds": 60,
        **block,
    }


def _tensorflow_model() -> bytes:
    """Return a graph that multiplies its input by itself."""
    from tocompress.runtimes.tensorflow.protocol_buffers import DT_FLOAT, GraphDef

    graph = GraphDef()
    graph.node.add(name="input", op="Placeholder").attr["dtype"].type = DT_FLOAT
    graph.node.add(name="output", op="MatMul", input=["input", "input"]).attr["T"].type = DT_FLOAT
    return bytes(graph.SerializeToString())


def _litert_model() -> bytes:
    """Return a model that multiplies a row of the probe by the probe. Its rows are a batch of two."""
    from ai_edge_litert.schema_py_generated import BufferT, ModelT, SubGraphT

    from tocompress.runtimes.litert.flatbuffer import VERSION, add_tensor, operator, set_constant, write

    subgraph = SubGraphT(tensors=[])
    model = ModelT(version=VERSION, operatorCodes=[], subgraphs=[subgraph], buffers=[BufferT()], description="probe")
    row, kernel, output = (
        add_tensor(subgraph, name, shape, np.float32)
        for name, shape in (("input", (1, 2)), ("kernel", (2, 2)), ("output", (1, 2)))
    )
    set_constant(model, subgraph.tensors[kernel], _PROBE.T)
    subgraph.inputs, subgraph.outputs = [row], [output]
    subgraph.operators = [operator(model, "FULLY_CONNECTED", [row, kernel, -1], [output])]
    return write(model)
