"""Run one benchmark session: all variants of a model on one device, in turn, each block in a fresh process."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tocompress.devices import DEQUANTIZATIONS, Agent, AgentFailed, ConnectionLost, Record, answered, understood
from tocompress.devices.clocks import unlocked
from tocompress.errors import StudyError
from tocompress.files import digest
from tocompress.measurement import power
from tocompress.measurement.facts import flat, text_of
from tocompress.measurement.records import CONTROL, Block, Kind, Recorder
from tocompress.measurement.stopping import Condition, Rule, diagnose, unfinished
from tocompress.measurement.verification import values, verify
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.device import Device
from tocompress.vocabulary.variants import BASELINE

_VERIFIED_INPUTS = 3
_TRIES = 3  # tries of a block whose connection is lost
_TIMEOUT = 600.0  # seconds of a block beyond its requested duration
_CLOCK_SET_S = 1.0  # more than two untouched clocks drift apart in a session
_METER_PATIENCE_S = 10.0  # wait for a meter to write the readings of the last block

_T = TypeVar("_T")

#: Number of finished blocks, number of all known blocks, name of the current block.
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Subject:
    """The subject of a session: the artifacts of a model's variants, and the inputs in an .npz file."""

    model: str
    artifacts: Mapping[str, Path]
    inputs: Path

    @cached_property
    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of every file by its role. Raise StudyError for an absent file."""
        paths = {"inputs": self.inputs, **{f"artifact/{variant}": path for variant, path in self.artifacts.items()}}
        return {name: self._digest(name, path) for name, path in paths.items()}

    @cached_property
    def input_ids(self) -> list[str]:
        """Return the inputs' names in the file's order, from keys `{input_id}/{placeholder}`."""
        with np.load(self.inputs, allow_pickle=False) as arrays:
            names = list(dict.fromkeys(key.rpartition("/")[0] for key in arrays.files))
        if not names or "" in names:
            wanted = "its keys must be {input_id}/{placeholder}"
            raise StudyError(f"{self.inputs}: not a file of benchmark inputs: {wanted}")
        return names

    def send_to(self, agent: Agent) -> None:
        """Make every file available to the agent."""
        agent.send(self.inputs, self.digests["inputs"])
        for variant, path in self.artifacts.items():
            agent.send(path, self.digests[f"artifact/{variant}"])

    def _digest(self, name: str, path: Path) -> str:
        try:
            return digest(path)
        except OSError as error:
            raise StudyError(f"{path}: {self.model}'s {name} is not readable ({error.strerror})") from error


def measure(
    agent: Agent,
    subject: Subject,
    device: Device,
    settings: Benchmark,
    report: Report = lambda done, total, text: None,
    reference: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> dict[str, pd.DataFrame]:
    """Run the session and return its tables (`schemas.benchmark.RECORDED`).

    A round holds a fresh process of every variant under every arithmetic, and a control worker, in random order.
    After `settings.processes` rounds, more rounds hold only the variants whose time is not settled, and their baseline.
    Then come profiled blocks. On a device with a sensor, rounds of blocks follow whose power is sampled. Rows with the
    same process number may be paired across variants.

    `reference` holds outputs from `outputs_of` elsewhere. The session is refused if the device's outputs differ. Raises
    StudyError when a timed block fails. A block whose connection was lost is repeated. A failure of memory, operations
    or power costs only that part, and the session says why under `{part}/unavailable`.
    """
    session = _Session(agent, subject, device, settings, report)
    return session.run(reference)


def outputs_of(agent: Agent, subject: Subject, device: Device, settings: Benchmark) -> dict[str, dict[str, np.ndarray]]:
    """Return the outputs of each variant for the first inputs: variant -> input -> output."""
    return _Session(agent, subject, device, settings, lambda done, total, text: None).outputs()


def round_blocks(
    random: np.random.Generator, kind: Kind, process: int, conditions: Sequence[Condition], *, control: bool
) -> list[Block]:
    """Return a block of every condition, and with `control` one of a control worker, in random order."""
    members: list[tuple[str, str | None]] = [*conditions, *([(CONTROL, None)] if control else [])]
    shuffled = [members[index] for index in random.permutation(len(members))]
    return [
        Block("control" if variant == CONTROL else kind, variant, mode, process, order)
        for order, (variant, mode) in enumerate(shuffled)
    ]


class _Session:
    """A session under way."""

    def __init__(self, agent: Agent, subject: Subject, device: Device, settings: Benchmark, report: Report) -> None:
        self._agent = agent
        self._subject = subject
        self._device = device
        self._settings = settings
        self._report = report
        self._recorder = Recorder(device.runtime)
        self._random = np.random.default_rng(settings.seed)
        self._conditions: list[Condition] = [
            (variant, mode) for variant in subject.artifacts for mode in settings.arithmetic
        ]
        self._sampled_rails: list[str] = []
        self._done = 0
        self._reconnections = 0
        self._facts: dict[str, Any] = {}
        self._lost: str | None = None  # why nothing more can be asked of the agent
        subject.send_to(agent)

    def run(self, reference: Mapping[str, Mapping[str, np.ndarray]] | None) -> dict[str, pd.DataFrame]:
        begin = self._state()
        self._check_clocks(begin)
        rails = self._rails()
        if power.METER in rails:
            power.check_meter(self._meter, time.time())
        self._sampled_rails = [rail for rail in rails if rail != power.METER]
        if reference is not None:
            self._verify(reference)
        self._time()
        self._part("operations", self._profile)
        if rails:
            self._part("power", self._sample_power)
        end = self._part("end", self._state)
        latency, windows = self._recorder.table("latency"), self._recorder.table("windows")
        samples = self._recorder.table("power")
        if power.METER in rails and "power/unavailable" not in self._facts:
            self._lost = None  # a meter's file is on this machine
            readings = self._part("power", lambda: self._meter_readings(windows, begin, end))
            samples = pd.concat([samples, readings], ignore_index=True)
        self._report(self._done, self._done, "done")
        return {
            "latency": latency,
            "memory": self._recorder.table("memory"),
            "power": samples,
            "windows": windows,
            "operations": self._recorder.table("operations"),
            "diagnostics": diagnose(latency, self._settings.level, self._settings.target),
            "session": self._session_table(begin, end or {}, samples),
        }

    def outputs(self) -> dict[str, dict[str, np.ndarray]]:
        mode = self._settings.arithmetic[0]
        found = {}
        for variant in self._subject.artifacts:
            command = self._command("outputs", variant, mode) | {
                "input_ids": self._subject.input_ids[:_VERIFIED_INPUTS]
            }
            records = self._records(command, what := f"outputs of {variant}")
            with self._understood(what):
                found[variant] = values(records)
        return found

    # Parts of a session

    def _part(self, name: str, measure: Callable[[], _T]) -> _T | None:
        """Return the result of a part, or None where it fails. If the agent is lost, later parts fail too."""
        reason = self._lost
        if reason is None:
            try:
                return measure()
            except AgentFailed as error:
                reason = str(error)
            except StudyError as error:
                reason = self._lost = str(error)
        print(f"{name}: unavailable: {reason}", flush=True)
        self._facts[f"{name}/unavailable"] = reason
        return None

    def _check_clocks(self, state: Record) -> None:
        if self._device.clocks == "locked" and (moving := unlocked(state["clock"])):
            raise self._problem(
                f"the clocks of {', '.join(moving)} are not locked; lock them (jetson_clocks on a Jetson, as root),"
                " or set the device's `clocks: any`"
            )

    def _rails(self) -> list[str]:
        """Return the rails whose sum is the device's power. If nothing measures it, record why and return none."""
        with self._understood("hello"):
            names = [*map(str, self._agent.hello.get("rails", [])), *([power.METER] if self._device.meter else [])]
        if not names:
            self._facts["power/unavailable"] = "no power sensor"
            return []
        try:
            return power.total_rails(names, self._device.rails)
        except StudyError as error:
            if self._device.rails is not None:
                raise
            self._facts["power/unavailable"] = str(error)
            return []

    def _verify(self, reference: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        for variant, found in self.outputs().items():
            with self._understood(variant):
                difference = verify(str(self._problem(variant)), found, dict(reference[variant]))
            self._facts[f"difference/{variant}"] = difference

    def _time(self) -> None:
        settings = self._settings
        begin, chosen = time.monotonic(), self._conditions
        self._facts["stopped"] = f"at {settings.maximum_processes} processes"
        for process in range(1, settings.maximum_processes + 1):
            if process > settings.processes:
                chosen = self._unsettled()
                if not chosen:
                    self._facts["stopped"] = "all times settled"
                    return
                if time.monotonic() - begin > settings.maximum_seconds:
                    self._facts["stopped"] = f"after {settings.maximum_seconds:g} seconds"
                    return
            for block in round_blocks(self._random, "latency", process, chosen, control=True):
                self._measure(block)

    def _unsettled(self) -> list[Condition]:
        """Return the conditions that need another process, each with the baseline that its ratio is paired with."""
        settings = self._settings
        rule = Rule(settings.level, settings.target, settings.processes, settings.minimum_samples)
        open_ones = unfinished(self._recorder.table("latency"), rule)
        baselines = {(BASELINE, mode) for _, mode in open_ones}
        return [condition for condition in self._conditions if condition in open_ones | baselines]

    def _profile(self) -> None:
        for block in round_blocks(self._random, "operations", 1, self._conditions, control=False):
            self._measure(block)

    def _sample_power(self) -> None:
        settings = self._settings.power
        if settings.rail_warmup_seconds:
            self._report(self._done, self._done, f"reading the sensors for {settings.rail_warmup_seconds:g} s")
            idle = {
                "seconds": 0,
                "minimum_runs": 0,
                "tail_seconds": 0,
                "idle_seconds": settings.rail_warmup_seconds / 2,
            }
            variant, mode = self._conditions[0]
            self._records(self._command("power", variant, mode) | idle, "rail warm-up")
        for process in range(1, settings.processes + 1):
            for block in round_blocks(self._random, "power", process, self._conditions, control=False):
                self._measure(block)

    # Blocks

    def _measure(self, block: Block) -> None:
        self._report(self._done, max(self._total, self._done + 1), str(block))
        command = self._command(block.kind, block.variant, block.arithmetic)
        try:
            records = self._records(command, str(block))
            with self._understood(str(block)):
                self._recorder.add(block, records)
        except AgentFailed as error:
            if block.kind != "control":
                raise
            # A control worker only tells which memory is not a model's.
            self._facts["memory/unavailable"] = str(error)
        self._done += 1

    @property
    def _total(self) -> int:
        """Return the minimum number of blocks."""
        conditions = len(self._conditions)
        sampled = self._settings.power.processes if "power/unavailable" not in self._facts else 0
        return self._settings.processes * (conditions + 1) + (1 + sampled) * conditions

    def _command(self, kind: str, variant: str, mode: str | None) -> Record:
        settings, digests, is_power = self._settings, self._subject.digests, kind == "power"
        seconds = settings.power.block_seconds if is_power else settings.block_seconds
        pauses = 2 * (settings.power.tail_seconds + settings.power.idle_seconds) if is_power else 0.0
        return {
            "command": "block",
            "kind": kind,
            "artifact": None if kind == "control" else digests[f"artifact/{variant}"],
            "inputs": digests["inputs"],
            "input_ids": self._subject.input_ids,
            "dequantization": DEQUANTIZATIONS[mode] if mode else None,
            "processor": self._device.processor,
            "threads": self._device.threads,
            "warmup_runs": settings.warmup_runs,
            "warmup_seconds": settings.warmup_seconds,
            "seconds": seconds,
            "minimum_runs": settings.minimum_runs,
            "maximum_runs": settings.maximum_runs,
            "profiled_runs": settings.profiled_runs,
            "rails": self._sampled_rails,
            "idle_seconds": settings.power.idle_seconds,
            "tail_seconds": settings.power.tail_seconds,
            "timeout_seconds": _TIMEOUT + seconds + pauses,
        }

    def _records(self, command: Record, what: str) -> list[Record]:
        """Return all records of a command that ended well. Records before a lost connection do not count."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return answered(self._agent.run(command), f"{self._problem(what)}: ")
            except ConnectionLost as error:
                if not tries_left:
                    raise
                print(f"{error}; connecting again", flush=True)
                self._agent.reconnect()
                self._reconnections += 1
        raise AssertionError("the last try returns or raises")

    def _state(self) -> Record:
        """Return the agent's `state`, and how far this machine's UNIX time is ahead of the device's monotonic clock."""
        sent = time.time()
        state = self._records({"command": "state"}, "state")[0]
        with self._understood("state"):
            return state | {"clock": dict(state["clock"]), "offset_s": (sent + time.time()) / 2 - state["monotonic_s"]}

    def _meter_readings(self, windows: pd.DataFrame, begin: Record, end: Record | None) -> pd.DataFrame:
        """Return rows of the table `power`. Many meters buffer their file, so wait for rows of the last block."""
        if end is not None:
            self._check_time(begin, end)
        offset_s, deadline = begin["offset_s"], time.monotonic() + _METER_PATIENCE_S
        last_s = windows["end_s"].max() + offset_s
        while (meter := power.read_meter(self._meter))["unix_s"].max() < last_s and time.monotonic() < deadline:
            time.sleep(_METER_PATIENCE_S / 10)
        return power.meter_samples(meter, windows, offset_s)

    @property
    def _meter(self) -> str:
        assert self._device.meter is not None
        return self._device.meter

    def _check_time(self, begin: Record, end: Record) -> None:
        """Raise StudyError if this machine's clock, which a meter's times follow, was set during the session."""
        if abs(ahead := end["offset_s"] - begin["offset_s"]) > _CLOCK_SET_S:
            raise self._problem(
                f"this machine's clock was set by {ahead:+.1f} s during the session, so the power meter's times"
                " belong to no block; leave it alone"
            )

    def _understood(self, what: str) -> AbstractContextManager[None]:
        return understood(str(self._problem(what)))

    def _problem(self, text: str) -> StudyError:
        return StudyError(f"benchmark of {self._subject.model}: {text}")

    def _session_table(self, begin: Record, end: Record, samples: pd.DataFrame) -> pd.DataFrame:
        """Return the facts that the numbers rest on."""
        entries: dict[str, Any] = {
            **flat("device", {key: value for key, value in self._agent.hello.items() if key != "record"}),
            "host/python": platform.python_version(),
            **flat("settings", self._settings.model_dump(mode="json", exclude={"inputs"})),
            **flat("settings/device", self._device.model_dump(mode="json")),
            **{f"sha256/{name}": digest for name, digest in self._subject.digests.items()},
            **flat("begin", begin),
            **flat("end", end),
            **self._facts,
            **flat("sampling", power.quality(samples)),
            **flat("sampling/failed", self._recorder.failed_readings),
            "sampling/realtime": self._recorder.realtime if len(samples) else None,
            "reconnections": self._reconnections,
            "load/highest": max(self._recorder.loads, default=None),
            "outputs_agree": self._recorder.outputs_agree,
            **self._recorder.outputs,
        }
        return pd.DataFrame({"key": list(entries), "value": [text_of(value) for value in entries.values()]})
