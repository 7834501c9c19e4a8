"""Check within a minute whether a device is fit to be measured."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tocompress.devices import DEQUANTIZATIONS, Agent, Record, answered, understood
from tocompress.devices.clocks import unlocked
from tocompress.devices.reach import reach
from tocompress.errors import StudyError
from tocompress.runtimes.tensorflow.protocol_buffers import DT_FLOAT, GraphDef
from tocompress.settings.device import LocalDevice, SshDevice
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE

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


def check(name: str, device: LocalDevice | SshDevice) -> list[Finding]:
    """Return the facts that a session on the device would find. A device out of reach is a finding too."""
    way = f"by ssh, {device.host}" if isinstance(device, SshDevice) else "this machine"
    try:
        with reach(name, device, patience=0.0) as agent, understood(name):
            return [Finding("connection", f"{way}, used by nobody else"), *_findings(agent, device)]
    except StudyError as error:
        return [Finding("connection", way, str(error).removeprefix(f"{name}: "))]


def table(name: str, findings: Iterable[Finding]) -> str:
    """Return the findings as text, with a mark at each problem."""
    lines = [f"device {name}"]
    for finding in findings:
        lines.append(f"{'!' if finding.problem else ' '} {finding.what:<12} {finding.found}".rstrip())
        if finding.problem:
            lines.append(f"{'':14} PROBLEM: {finding.problem}")
    return "\n".join(lines) + "\n"


def _findings(agent: Agent, device: LocalDevice | SshDevice) -> Iterator[Finding]:
    hello = agent.hello
    about = [hello["board"], hello["processor_name"], hello["machine"], hello["l4t"], f"kernel {hello['kernel']}"]
    yield Finding("machine", ", ".join(dict.fromkeys(filter(None, about))))
    yield Finding("python", hello["python"])
    yield Finding("runtime", f"TensorFlow {hello['tensorflow']}, numpy {hello['numpy']}")
    with tempfile.TemporaryDirectory() as folder:
        probe = _send_probe(agent, device, Path(folder))
        yield _processor(agent, device, probe)
        yield _threads(hello, device)
        yield _sensors(hello, device)
        if rails := _sampled_rails(hello, device):
            yield _sampling(agent, probe | {"rails": rails})
    asked = time.time()
    state = answered(agent.run({"command": "state"}))[0]
    came = time.time()
    yield _clocks(hello, state, device)
    yield _temperature(state)
    yield Finding("load", f"{state['load']:.2f}")
    yield _room("memory free", state["memory_available"], _LEAST_MEMORY)
    yield _room("disk free", state["disk_free"], _LEAST_DISK)
    ahead, uncertainty = state["unix_s"] - (asked + came) / 2, (came - asked) / 2
    yield Finding("clock", f"{ahead:+.2f} s to this machine's, to within {uncertainty:.2f} s")


def _processor(agent: Agent, device: LocalDevice | SshDevice, probe: Record) -> Finding:
    """Return whether the processor really multiplies matrices, in a worker as for a benchmark."""
    from tocompress.measurement.verification import values

    try:
        output = values(answered(agent.run(probe | {"kind": "outputs"})))[_PROBE_ID]
    except StudyError as error:
        return Finding("processor", device.processor, str(error))
    wrong = None if np.array_equal(output, _PROBE @ _PROBE) else "it multiplies two matrices wrongly"
    return Finding("processor", f"{device.processor}, computes", wrong)


def _threads(hello: Record, device: LocalDevice | SshDevice) -> Finding:
    cores = hello["cores_allowed"]
    too_many = f"there are only {cores} cores; set the device's threads to that" if device.threads > cores else None
    return Finding("threads", f"{device.threads} on {cores} cores (online: {hello['cores_online']})", too_many)


def _sensors(hello: Record, device: LocalDevice | SshDevice) -> Finding:
    from tocompress.measurement import power

    rails = [*hello["rails"], *([power.METER] if device.meter else [])]
    if not rails and device.rails is None:
        return Finding("sensors", "none: power and energy will be unavailable")
    found = ", ".join(rails) or "none"
    try:
        if device.meter:
            power.check_meter(device.meter, time.time())
        return Finding("sensors", f"{found}; total: {' + '.join(power.total_rails(rails, device.rails))}")
    except StudyError as error:
        return Finding("sensors", found, str(error))


def _sampled_rails(hello: Record, device: LocalDevice | SshDevice) -> list[str]:
    """Return the rails that a session would read, or all rails where the total is not known."""
    from tocompress.measurement import power

    rails: list[str] = hello["rails"]
    meter = [power.METER] if device.meter else []
    try:
        return [rail for rail in power.total_rails([*rails, *meter], device.rails) if rail != power.METER]
    except StudyError:
        return rails


def _sampling(agent: Agent, probe: Record) -> Finding:
    """Return how often the slowest rail is read while the processor works."""
    from tocompress.measurement.power import sampling_quality

    try:
        records = answered(agent.run(probe | {"kind": "power"}))
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


def _send_probe(agent: Agent, device: LocalDevice | SshDevice, folder: Path) -> Record:
    """Send a graph of one operation, and return the command that runs it, which still lacks a kind."""
    graph = GraphDef()
    graph.node.add(name="input", op="Placeholder").attr["dtype"].type = DT_FLOAT
    graph.node.add(name="output", op="MatMul", input=["input", "input"]).attr["T"].type = DT_FLOAT
    artifact, inputs = folder / "probe.pb", folder / "probe.npz"
    artifact.write_bytes(graph.SerializeToString())
    np.savez(inputs, allow_pickle=False, **{f"{_PROBE_ID}/input": _PROBE})
    digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in (artifact, inputs)}
    for file, digest in digests.items():
        agent.send(file, digest)
    return {
        "command": "block",
        "artifact": digests[artifact],
        "inputs": digests[inputs],
        "input_ids": [_PROBE_ID],
        "dequantization": DEQUANTIZATIONS[EVERY_INFERENCE],
        "processor": device.processor,
        "threads": device.threads,
        "warmup_runs": 1,
        "warmup_seconds": 0,
        "seconds": _SECONDS_OF_SAMPLING,
        "minimum_runs": 1,
        "maximum_runs": 1,
        "profiled_runs": 1,
        "rails": [],
        "idle_seconds": 0,
        "tail_seconds": 0,
        "timeout_seconds": 60,
    }
