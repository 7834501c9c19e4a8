"""Run one benchmark session: all variants of a model on one device, in turn, in fresh processes."""

from __future__ import annotations

import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tocompress.devices import DEQUANTIZATIONS, Agent, AgentFailed, ConnectionLost, Record, answered, understood
from tocompress.devices.clocks import unlocked
from tocompress.errors import StudyError
from tocompress.measurement import power
from tocompress.measurement.estimate import REFERENCE, noise, of_one_input
from tocompress.measurement.facts import flat, text_of
from tocompress.measurement.generations import GenerationFailed, run_generation
from tocompress.measurement.records import CONTROL, Block, Kind, Member, Recorder
from tocompress.measurement.stopping import Rule, diagnose, of_runtime, still_open
from tocompress.measurement.subject import Subject
from tocompress.measurement.verification import values, verify
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.device import Device
from tocompress.settings.jobs import Condition

_VERIFIED_INPUTS = 3
_TRIES = 3  # tries of a block or generation whose connection is lost
_TIMEOUT = 600.0  # seconds of a block beyond its requested duration
_CLOCK_SET_S = 1.0  # more than two untouched clocks drift apart in a session
_METER_PATIENCE_S = 10.0  # wait for a meter to write the readings of the last block

_T = TypeVar("_T")

#: Number of finished blocks, number of all known blocks, name of the current block.
Report = Callable[[int, int, str], None]

#: Runtime and variant -> input -> output.
Outputs = dict[tuple[str, str], dict[str, np.ndarray]]


def measure(
    agents: Mapping[str, Agent],
    subject: Subject,
    device: Device,
    settings: Benchmark,
    report: Report = lambda done, total, text: None,
    reference: Outputs | None = None,
) -> dict[str, pd.DataFrame]:
    """Run the session and return its tables (`schemas.benchmark.RECORDED`).

    `agents` has one for each runtime of the subject. Generations give the times. A generation is a fresh process of
    each condition, all of them loaded. In its rounds each process runs a short slice, in random order. After the least
    number of generations, more generations hold the conditions that are not settled, and fp32. Then come profiled
    blocks. On a device with a sensor, rounds of blocks follow whose power is sampled. Rows with the same generation or
    process number may be paired across variants.

    `reference` holds outputs from `outputs_of` elsewhere. The session is refused if the device's outputs differ. Raises
    StudyError when a timed process fails. A block or generation whose connection was lost is repeated. A failure of
    memory, operations or power costs only that part, and the session says why under `{part}/unavailable`.
    """
    session = _Session(agents, subject, device, settings, report)
    return session.run(reference)


def outputs_of(agents: Mapping[str, Agent], subject: Subject, device: Device, settings: Benchmark) -> Outputs:
    """Return the outputs of each variant in each runtime for the first inputs."""
    return _Session(agents, subject, device, settings, lambda done, total, text: None).outputs()


def round_blocks(random: np.random.Generator, kind: Kind, process: int, conditions: Sequence[Condition]) -> list[Block]:
    """Return a block of every condition, in random order."""
    shuffled = [conditions[place] for place in random.permutation(len(conditions))]
    return [Block(kind, process=process, **condition._asdict()) for condition in shuffled]


class _Session:
    """A session under way."""

    def __init__(
        self,
        agents: Mapping[str, Agent],
        subject: Subject,
        device: Device,
        settings: Benchmark,
        report: Report,
    ) -> None:
        self._agents = {runtime: agents[runtime] for runtime in subject.runtimes}
        self._first = subject.runtimes[0]  # its agent tells the state of the machine
        self._subject = subject
        self._device = device
        self._settings = settings
        self._report = report
        self._recorder = Recorder()
        self._random = np.random.default_rng(settings.seed)
        self._conditions = list(subject.conditions)
        self._sampled_rails: list[str] = []
        self._processes: Counter[Condition] = Counter()  # fresh processes so far
        self._done = 0
        self._reconnections = 0
        self._facts: dict[str, Any] = {}
        self._lost: str | None = None  # why nothing more can be asked of the agent
        subject.send_to(self._agents)

    def run(self, reference: Outputs | None) -> dict[str, pd.DataFrame]:
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
        self._facts |= flat("noise", noise(of_one_input(of_runtime(latency, self._first)))._asdict())
        samples = self._recorder.table("power")
        if power.METER in rails and "power/unavailable" not in self._facts:
            self._lost = None  # a meter's file is on this machine
            readings = self._part("power", lambda: self._meter_readings(windows, begin, end))
            samples = pd.concat([samples, readings], ignore_index=True)
        self._report(self._done, self._done, "done")
        return {
            "latency": latency,
            "loading": self._recorder.table("loading"),
            "memory": self._recorder.table("memory"),
            "power": samples,
            "windows": windows,
            "operations": self._recorder.table("operations"),
            "diagnostics": diagnose(latency, self._rule),
            "session": self._session_table(begin, end or {}, samples),
        }

    def outputs(self) -> Outputs:
        found = {}
        for runtime, variant, arithmetic in self._of_each_artifact():
            command = self._command("outputs", variant, arithmetic, runtime)
            command["input_ids"] = self._subject.input_ids[:_VERIFIED_INPUTS]
            records = self._records(runtime, command, what := f"outputs of {variant} in {runtime}")
            with self._understood(what):
                found[runtime, variant] = values(records)
        return found

    def _of_each_artifact(self) -> list[Condition]:
        """Return the first condition of each artifact, since its arithmetics give the same outputs."""
        first: dict[tuple[str, str], Condition] = {}
        for condition in self._conditions:
            first.setdefault((condition.runtime, condition.variant), condition)
        return list(first.values())

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
        hello = self._agents[self._first].hello
        with self._understood("hello"):
            try:
                rails = power.device_rails(hello, self._device)
                reason = "" if rails else "; ".join(filter(None, ("no power sensor", power.forbidden(hello))))
            except StudyError as error:
                if self._device.rails is not None:
                    raise
                rails, reason = [], str(error)
        told = {"power/unavailable": reason, "power/left_out": power.left_out(rails)}
        self._facts |= {key: text for key, text in told.items() if text}
        return rails

    def _verify(self, reference: Outputs) -> None:
        arithmetics = {(runtime, variant): arithmetic for runtime, variant, arithmetic in self._of_each_artifact()}
        for artifact, found in self.outputs().items():
            what = f"{artifact[1]} in {artifact[0]}"
            with self._understood(what):
                agreement = verify(str(self._problem(what)), found, reference[artifact], arithmetics[artifact])
            self._facts[f"difference/{'/'.join(artifact)}"] = agreement.difference
            self._facts[f"agreement/{'/'.join(artifact)}"] = agreement.rule

    def _time(self) -> None:
        """Measure generations until each time and ratio is settled, or until the budget is used."""
        begin, lasted_s, number = time.monotonic(), 0.0, 0
        taken: Counter[Condition] = Counter()  # generations of each condition
        while chosen := self._next(taken, self._settings.maximum_seconds - (time.monotonic() - begin), lasted_s):
            start, number = time.monotonic(), number + 1
            taken.update(self._measure_generation(number, chosen, taken))
            lasted_s = time.monotonic() - start
        self._facts["generations"] = number

    def _next(self, taken: Counter[Condition], left_s: float, lasted_s: float) -> list[Condition]:
        """Return the conditions of the next generation. Return none, and record why, where the times are measured."""
        settings = self._settings
        if begun := [condition for condition in self._conditions if taken[condition] < settings.generations]:
            return begun
        generations = math.ceil(max(left_s, 0.0) / lasted_s)
        found = still_open(self._recorder.table("latency"), self._rule, generations)
        unsettled = [Condition(*condition) for condition in found]
        chosen = [condition for condition in unsettled if taken[condition] < settings.maximum_generations]
        if not unsettled:
            self._facts["stopped"] = "all times and ratios are settled"
        elif not chosen:
            self._facts["stopped"] = f"at {settings.maximum_generations} generations"
        elif left_s <= 0:
            self._facts["stopped"] = f"after {settings.maximum_seconds:g} seconds"
        else:
            return chosen
        return []

    def _measure_generation(
        self, number: int, chosen: Sequence[Condition], taken: Counter[Condition]
    ) -> set[Condition]:
        """Measure fresh processes of the chosen conditions and of each runtime's fp32, so ratios across runtimes pair.

        Return the conditions that memory held.
        """
        members = {runtime: self._members(number, runtime, chosen, taken) for runtime in self._agents}
        for runtime in members:
            self._measure(Block("control", runtime, CONTROL, None, number))
        self._report(self._done, max(self._total, self._done + 1), f"generation {number}")
        held: set[Condition] = set()
        for runtime, records in self._generation(number, members).items():
            with self._understood(f"generation {number}"):
                held |= set(self._recorder.add_generation(members[runtime], list(self._subject.batches), records))
        self._done += 1
        return held

    def _members(
        self, number: int, runtime: str, chosen: Sequence[Condition], taken: Counter[Condition]
    ) -> list[Member]:
        """Return the processes of a runtime in a generation: fp32, the chosen conditions by their turns, fp32 again."""
        reference = Condition(runtime, *REFERENCE)
        others = [condition for condition in chosen if condition.runtime == runtime and condition != reference]
        shuffled = [others[place] for place in self._random.permutation(len(others))]
        members = []
        for condition in [reference, *sorted(shuffled, key=taken.__getitem__), reference]:
            self._processes[condition] += 1
            members.append(Member(**condition._asdict(), generation=number, process=self._processes[condition]))
        return members

    def _generation(self, number: int, members: Mapping[str, Sequence[Member]]) -> dict[str, list[Record]]:
        """Return the records of a generation. One whose connection was lost does not count, and is repeated."""
        commands = {
            runtime: self._generation_command(own) | {"memory_share": 1 / (len(members) - begun)}
            for begun, (runtime, own) in enumerate(members.items())
        }
        for tries_left in reversed(range(_TRIES)):
            try:
                return run_generation(self._agents, commands, self._settings.rounds, self._random)
            except GenerationFailed as failure:
                with self._understood(f"generation {number}"):
                    failed = failure.member
                    what = f"generation {number}" if failed is None else str(members[failure.runtime][failed])
                raise AgentFailed(f"{self._problem(what)}: {failure}") from None
            except ConnectionLost as error:
                if not tries_left:
                    raise
                print(f"{error}; connecting again", flush=True)
                for agent in self._agents.values():  # each may be in the middle of the generation
                    agent.reconnect()
                self._reconnections += 1
        raise AssertionError("the last try returns or raises")

    def _profile(self) -> None:
        """Profile each condition. One that the runtime cannot profile costs no other."""
        for block in round_blocks(self._random, "operations", 1, self._conditions):
            try:
                self._measure(block)
            except AgentFailed as error:
                self._facts[f"operations/{block.runtime}/{block.variant}/{block.arithmetic}/unavailable"] = str(error)

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
            runtime, variant, arithmetic = self._conditions[0]
            self._records(runtime, self._command("power", variant, arithmetic, runtime) | idle, "rail warm-up")
        for process in range(1, settings.processes + 1):
            for block in round_blocks(self._random, "power", process, self._conditions):
                self._measure(block)

    # Blocks

    def _measure(self, block: Block) -> None:
        self._report(self._done, max(self._total, self._done + 1), str(block))
        command = self._command(block.kind, block.variant, block.arithmetic, block.runtime)
        try:
            records = self._records(block.runtime, command, str(block))
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
        sampled = self._settings.power.processes if "power/unavailable" not in self._facts else 0
        of_generations = self._settings.generations * (1 + len(self._agents))  # each has a control block of a runtime
        return of_generations + (1 + sampled) * len(self._conditions)

    def _generation_command(self, members: Sequence[Member]) -> Record:
        settings, batches = self._settings, self._subject.batches
        every_input = [name for names in batches.values() for name in names]
        return {
            "command": "generation",
            "members": [
                self._command("resident", member.variant, member.arithmetic, member.runtime)
                | {"input_ids": every_input}
                for member in members
            ],
            "batches": list(batches.values()),
            "slice_seconds": settings.slice_seconds,
            "slice_runs": settings.minimum_runs,
            "timeout_seconds": _TIMEOUT,  # of each slice
        }

    def _command(self, kind: str, variant: str, arithmetic: str | None, runtime: str) -> Record:
        settings, subject = self._settings, self._subject
        pauses = 2 * (settings.power.tail_seconds + settings.power.idle_seconds) if kind == "power" else 0.0
        return {
            "command": "block",
            "kind": kind,
            "artifact": None if kind == "control" else subject.digests[runtime, variant],
            "inputs": subject.inputs_digest,
            "input_ids": subject.input_ids,
            "dequantization": DEQUANTIZATIONS[arithmetic] if arithmetic else None,
            "processor": self._device.processor,
            "threads": self._device.threads,
            "inter_op_threads": self._device.inter_op_threads,
            "warmup_runs": settings.warmup_runs,
            "warmup_seconds": settings.warmup_seconds,
            "seconds": settings.power.block_seconds,
            "minimum_runs": settings.minimum_runs,
            "profiled_runs": settings.profiled_runs,
            "rails": self._sampled_rails,
            "idle_seconds": settings.power.idle_seconds,
            "tail_seconds": settings.power.tail_seconds,
            "timeout_seconds": _TIMEOUT + settings.power.block_seconds + pauses,
        }

    def _records(self, runtime: str, command: Record, what: str) -> list[Record]:
        """Return all records of a command that ended well. Records before a lost connection do not count."""
        agent = self._agents[runtime]
        for tries_left in reversed(range(_TRIES)):
            try:
                return answered(agent.run(command), f"{self._problem(what)}: ")
            except ConnectionLost as error:
                if not tries_left:
                    raise
                print(f"{error}; connecting again", flush=True)
                for other in self._agents.values():  # a lost holder's machine left its power mode
                    other.reconnect()
                self._reconnections += 1
        raise AssertionError("the last try returns or raises")

    def _state(self) -> Record:
        """Return the agent's `state`, and how far this machine's UNIX time is ahead of the device's monotonic clock."""
        sent = time.time()
        state = self._records(self._first, {"command": "state"}, "state")[0]
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
    def _rule(self) -> Rule:
        settings = self._settings
        return Rule(settings.level, settings.target, settings.quantile, settings.rule, settings.minimum_samples)

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

    def _hello(self) -> Record:
        """Return the facts of the machine, and of the runtimes, which only their own agents know."""
        facts: Record = {}
        for agent in self._agents.values():
            facts = {key: value for key, value in agent.hello.items() if key != "record"} | facts
        return facts

    def _session_table(self, begin: Record, end: Record, samples: pd.DataFrame) -> pd.DataFrame:
        """Return the facts that the numbers rest on."""
        entries: dict[str, Any] = {
            **flat("device", self._hello()),
            "host/python": platform.python_version(),
            **flat("settings", self._settings.model_dump(mode="json", exclude={"inputs", "arithmetic"})),
            "settings/arithmetic": list(dict.fromkeys(condition.arithmetic for condition in self._conditions)),
            **flat("settings/device", self._device.model_dump(mode="json")),
            "sha256/inputs": self._subject.inputs_digest,
            **{f"sha256/artifact/{'/'.join(key)}": digest for key, digest in self._subject.digests.items()},
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
