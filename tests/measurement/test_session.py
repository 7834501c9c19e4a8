"""A session's order of blocks, when it measures more or again, and the tables a real agent's session yields."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocompress.devices import ConnectionLost
from tocompress.devices.local import LocalAgent
from tocompress.errors import StudyError
from tocompress.measurement import generations
from tocompress.measurement.energy import power_rows
from tocompress.measurement.session import Outputs, measure, outputs_of
from tocompress.measurement.stopping import of_runtime
from tocompress.measurement.subject import Subject
from tocompress.measurement.summary import memory_rows, operation_rows, time_rows
from tocompress.schemas.benchmark import RECORDED
from tocompress.settings.benchmark import Benchmark, PowerBlocks
from tocompress.settings.device import LocalDevice
from tocompress.settings.jobs import Condition
from tocompress.tables import read_table, write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER, ONCE

HOST = LocalDevice(transport="local", threads=1)
QUICK = Benchmark(
    generations=2,
    maximum_generations=2,
    rounds=2,
    slice_seconds=0.001,
    warmup_seconds=0.0,
    minimum_runs=20,
    profiled_runs=2,
)
CONDITIONS = (
    Condition("tensorflow", "fp32", FLOAT),
    Condition("tensorflow", "q8", EVERY_INFERENCE),
    Condition("tensorflow", "q8", ONCE),
)
IN_LITERT = (Condition("litert", "fp32", FLOAT), Condition("litert", "i8", INTEGER))


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    import tensorflow.compat.v1 as tf

    folder = tmp_path_factory.mktemp("session")
    integers = np.arange(12, dtype=np.uint8).reshape(4, 3)
    for variant in ("fp32", "q8"):
        with tf.Graph().as_default() as graph:
            image = tf.placeholder(tf.float32, [None, 4], "input")
            if variant == "fp32":
                weights = tf.constant(integers.astype(np.float32))
            else:
                with tf.name_scope("dequantize/weights/"):
                    weights = tf.cast(tf.constant(integers), tf.float32) * 1.0
            tf.identity(tf.nn.relu(tf.matmul(image, weights)), "output")
        (folder / f"{variant}.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.savez(folder / "inputs.npz", **{f"image{i}/input": np.full((1, 4), i, np.float32) for i in range(2)})
    artifacts = {("tensorflow", variant): folder / f"{variant}.pb" for variant in ("fp32", "q8")}
    return Subject("tiny", artifacts, folder / "inputs.npz", CONDITIONS)


@pytest.fixture
def in_both(subject: Subject) -> Subject:
    """The subject with fp32 and i8 in LiteRT too. Scripted agents load no file, so any content will do."""
    more = {("litert", variant): subject.artifacts["tensorflow", "fp32"] for variant in ("fp32", "i8")}
    more["litert", "i8"] = subject.inputs
    return replace(subject, artifacts={**subject.artifacts, **more}, conditions=(*CONDITIONS, *IN_LITERT))


@pytest.fixture(autouse=True)
def as_few_rounds_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance does not tell how many rounds a scripted generation has, which takes no time."""
    monkeypatch.setattr(generations, "_MOST_ROUNDS", 0)


def session_of(
    agent: ScriptedAgent, subject: Subject, device: LocalDevice = HOST, settings: Benchmark = QUICK
) -> dict[str, Any]:
    """Return the tables of a session in TensorFlow alone."""
    return measure({"tensorflow": agent}, subject, device, settings)


class ScriptedAgent:
    """Answers at once. The time of q8 differs from generation to generation by half, all others are the same always."""

    def __init__(
        self,
        subject: Subject,
        runtime: str = "tensorflow",
        *,
        lost: int = 0,
        rails: tuple[str, ...] = (),
        failing: Collection[str] = (),
        cut: str | None = None,
        room: int = 100,
    ) -> None:
        self.hello: dict[str, Any] = {"record": "hello", "rails": list(rails)}
        self.commands: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []
        self.reconnections = 0
        self._lost = lost
        self._failing, self._cut, self._room = failing, cut, room
        self._begin = time.monotonic()
        self._variants = {digest: key[1] for key, digest in subject.digests.items() if key[0] == runtime}

    def send(self, file: Path, sha256: str) -> None: ...

    def order(self, order: dict[str, Any]) -> None:
        self.orders.append(order)

    def reconnect(self) -> None:
        self.reconnections += 1

    def run(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if command["command"] == "state":
            clock = {"cpu0/cpufreq/scaling_min_freq": "100", "cpu0/cpufreq/scaling_max_freq": "200"}
            now = time.monotonic() - self._begin
            yield {"record": "state", "load": 0.0, "monotonic_s": now, "clock": clock}
        else:
            self.commands.append(command)
            kind = command.get("kind", "generation")
            if kind == self._cut:
                raise ConnectionLost("agent: no answer for 120 s")
            if kind in self._failing:
                member = {"member": 1} if kind == "generation" else {}
                yield {"record": "error", "error": "the worker was ended by signal 9", **member}
                return
            yield from self._generation(command) if kind == "generation" else self._block(command)
        yield {"record": "end", "load": 0.0}

    def _generation(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        number = float(len(self.generations))
        loaded = range(min(self._room, len(command["members"])))
        for member in loaded:
            yield {"record": "loading", "member": member, "duration_s": 0.1, "processor_s": 0.1}
        yield {"record": "loaded", "members": list(loaded)}
        rounds = []
        while (order := self.orders[-1])["command"] == "round":
            rounds.append(order)
            yield {"record": "round"}
        for member in loaded:
            yield {"record": "samples", "member": member, **self._samples(command, member, rounds, number)}
        if self._lost:
            self._lost -= 1
            raise ConnectionLost("agent: ended with exit code 255: broken pipe")

    def _samples(
        self, command: dict[str, Any], member: int, rounds: list[dict[str, Any]], number: float
    ) -> dict[str, Any]:
        noisy = self._variants[command["members"][member]["artifact"]] == "q8" and number % 2
        slices = [ran(["image0"], number, 9.0, place=(0, 0, 0))]
        for order in rounds:
            for place, (chosen, batch) in enumerate(order["turns"]):
                if chosen == member:
                    inputs = command["batches"][batch] * 10
                    slices.append(ran(inputs, number, 1.5 if noisy else 1.0, place=(batch, order["number"], place)))
        return {name: [value for part in slices for value in part[name]] for name in slices[0]}

    @property
    def generations(self) -> list[dict[str, Any]]:
        return [command for command in self.commands if command["command"] == "generation"]

    def _block(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if command["kind"] == "operations":
            yield {"record": "operations", "operation": ["a"], "type": ["MatMul"], "duration_s": [1.0], "run": 1}
        elif command["kind"] == "power":
            windows = {"idle_before": [0.0, 1.0], "block": [1.0, 2.0], "idle_after": [3.0, 4.0]}
            yield {"record": "windows", "runs": 10, **windows}
            rails = {rail: {"time_s": [0.5, 1.5], "watt": [1.0, 2.0], "failed": 0} for rail in command["rails"]}
            yield {"record": "power", "period_s": 0.001, "realtime": True, "rails": rails}


def runs(tables: dict[str, Any]) -> set[int]:
    """Return the numbers of runs of a process: the first, and two rounds of ten rotations over two inputs."""
    return set(tables["latency"].groupby(["runtime", "variant", "arithmetic", "process"]).size())


def facts(tables: dict[str, Any]) -> dict[str, str]:
    return dict(tables["session"].itertuples(index=False, name=None))


def ran(inputs: list[str], start_s: float, duration_s: float, place: tuple[int, int, int]) -> dict[str, Any]:
    """Return the columns of the record `samples` of one slice, by its batch, round and order. Round 0 is warm-up."""
    row = {"start_s": start_s, "duration_s": duration_s, "processor_s": 2 * duration_s, "tokens": None}
    row |= dict(zip(("batch", "round", "order"), place, strict=True)) | {"warmup": place[1] == 0}
    return {"input_id": inputs} | {name: [value] * len(inputs) for name, value in row.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")
def test_a_session_yields_the_declared_tables(subject: Subject, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    with LocalAgent(tmp_path / "agent.log") as agent:
        agents = {"tensorflow": agent}
        expected = outputs_of(agents, subject, HOST, QUICK)
        tables = measure(
            agents, subject, HOST, QUICK, lambda done, total, _: progress.append((done, total)), reference=expected
        )

    assert progress == [(done, 7) for done in range(8)]
    for name, schema in RECORDED.items():
        write_table(tmp_path / name, schema, tables[name])
        assert list(read_table(tmp_path / name, schema).columns) == schema.names

    timed = tables["latency"][~tables["latency"]["warmup"]]
    of_processes = timed.groupby(["variant", "arithmetic", "process"])
    assert of_processes.ngroups == 4 + 2 + 2  # two of fp32 in a generation
    assert of_processes["round"].nunique().min() >= 2
    assert timed.groupby(["variant", "arithmetic", "process", "round", "input_id"]).size().min() >= 10
    assert set(timed.groupby(["generation", "round"])["order"].nunique()) == {4}
    assert set(tables["memory"]["variant"]) == {"fp32", "q8", "control"}
    assert all(set(tables[name]["runtime"]) == {"tensorflow"} for name in ("latency", "memory", "operations"))
    assert not tables["operations"]["integer"].any()
    assert len(tables["loading"]) == 8
    assert len(tables["diagnostics"]) == 3 * (1 + 2)  # all inputs, and each of two

    session = facts(tables)
    assert session["outputs_agree"] == "true"
    assert (
        session[f"output/tensorflow/fp32/{FLOAT}/image1"] == (session[f"output/tensorflow/q8/{EVERY_INFERENCE}/image1"])
    )
    assert session["settings/arithmetic"] == f"{FLOAT}; {EVERY_INFERENCE}; {ONCE}"
    assert session["stopped"] in ("at 2 generations", "all times and ratios are settled")
    assert all(float(session[f"noise/{part}"]) >= 0 for part in ("machine", "process", "sample"))
    assert session["difference/tensorflow/q8"] == "0.0"
    assert len(session["sha256/artifact/tensorflow/q8"]) == 64
    assert {"begin/load", "end/load", "end/disk_free", "device/kernel", "device/agent_sha256"} <= session.keys()

    times = time_rows(tables["latency"], tables["loading"], quantile=0.1)
    assert (times["value"] > 0).all()
    assert set(times["metric"]) == {"latency", "throughput", "processor_time", "load", "first_inference"}
    assert len(times) == 3 * (3 + 4)  # latency also has a row of each input
    assert (memory_rows(tables["memory"])["value"] > 0).all()
    shares = operation_rows(tables["operations"])
    dequantization = shares[shares["label"] == "dequantization"].set_index(["variant", "arithmetic"])["value"]
    assert dequantization["q8", EVERY_INFERENCE] > dequantization["fp32", FLOAT] == 0
    assert "other" not in set(shares["label"])


def test_what_is_not_settled_is_measured_on_together_with_fp32(subject: Subject) -> None:
    settings = QUICK.model_copy(update={"generations": 6, "maximum_generations": 9})
    steady = replace(subject, conditions=CONDITIONS[:1])
    tables = session_of(ScriptedAgent(steady), steady, settings=settings)
    assert facts(tables)["generations"] == "6"
    assert facts(tables)["stopped"] == "all times and ratios are settled"

    q6 = Condition("tensorflow", "q6", ONCE)
    noisy = replace(
        subject,
        artifacts={**subject.artifacts, ("tensorflow", "q6"): subject.inputs},
        conditions=(CONDITIONS[0], CONDITIONS[2], q6),
    )
    tables = session_of(ScriptedAgent(noisy), noisy, settings=settings)
    counts = tables["latency"].groupby("variant")["generation"].nunique()
    assert counts.to_dict() == {"fp32": 9, "q8": 9, "q6": 9}  # the session's spread leaves no value settled
    assert facts(tables)["stopped"] == "at 9 generations"


def test_generations_end_when_their_time_is_up(subject: Subject) -> None:
    settings = QUICK.model_copy(update={"maximum_generations": 9, "maximum_seconds": 1e-9})
    tables = session_of(ScriptedAgent(subject), subject, settings=settings)
    assert facts(tables)["generations"] == "2"
    assert facts(tables)["stopped"] == "after 1e-09 seconds"


def test_conditions_that_memory_does_not_hold_take_turns_and_fp32_is_always_there(subject: Subject) -> None:
    agent = ScriptedAgent(subject, room=2)
    tables = session_of(agent, subject)
    taken = tables["latency"].groupby(["variant", "arithmetic"])["generation"].unique().map(set)
    assert taken["fp32", FLOAT] == {1, 2, 3, 4}
    assert len(taken["q8", ONCE]) == len(taken["q8", EVERY_INFERENCE]) == 2
    assert not taken["q8", ONCE] & taken["q8", EVERY_INFERENCE]


def test_a_generation_whose_connection_was_lost_is_repeated_and_counts_once(subject: Subject) -> None:
    agent = ScriptedAgent(subject, lost=2)
    tables = session_of(agent, subject)
    assert agent.reconnections == 2
    assert facts(tables)["reconnections"] == "2"
    assert runs(tables) == {41}

    with pytest.raises(ConnectionLost, match="broken pipe"):
        session_of(ScriptedAgent(subject, lost=3), subject)


def test_a_timed_block_that_fails_ends_the_session_in_one_line(subject: Subject) -> None:
    with pytest.raises(
        StudyError, match=r"^benchmark of tiny: generation 1: q8 in tensorflow, .*: the worker was ended by signal 9$"
    ):
        session_of(ScriptedAgent(subject, failing=["control", "generation"]), subject)


@pytest.mark.parametrize(("kind", "part"), [("control", "memory"), ("operations", "operations"), ("power", "power")])
def test_a_part_that_fails_costs_no_other(subject: Subject, kind: str, part: str) -> None:
    tables = session_of(ScriptedAgent(subject, rails=("0-0041/VDD_IN",), failing=[kind]), subject)
    told = {key: why for key, why in facts(tables).items() if key.endswith("/unavailable")}
    if part == "operations":  # another condition may well be profiled
        assert told.keys() == {f"operations/{'/'.join(condition)}/unavailable" for condition in CONDITIONS}
    else:
        assert told.keys() == {f"{part}/unavailable"}
    assert all(why.endswith(": the worker was ended by signal 9") for why in told.values())
    assert tables["latency"].groupby(["variant", "arithmetic"])["generation"].nunique().tolist() == [2] * 3
    assert len(tables["operations"]) == (0 if part == "operations" else 3)
    assert len(tables["windows"]) == (0 if part == "power" else 3 * 5 * 3)


def test_a_device_that_is_gone_after_its_times_costs_what_was_not_measured(subject: Subject) -> None:
    agent = ScriptedAgent(subject, rails=("0-0041/VDD_IN",), cut="operations")
    tables = session_of(agent, subject)
    told = {key: why for key, why in facts(tables).items() if key.endswith("/unavailable")}
    assert told == dict.fromkeys(
        ["operations/unavailable", "power/unavailable", "end/unavailable"], "agent: no answer for 120 s"
    )
    assert runs(tables) == {41}
    assert len(agent.commands) == 2 * 2 + 3


def test_moving_clocks_refuse_a_session_that_wants_them_locked(subject: Subject) -> None:
    locked = HOST.model_copy(update={"clocks": "locked"})
    with pytest.raises(StudyError, match=r"^benchmark of tiny: the clocks of cpu0 are not locked; "):
        session_of(ScriptedAgent(subject), subject, locked)


def test_other_outputs_than_the_reference_refuse_the_session(subject: Subject, tmp_path: Path) -> None:
    with LocalAgent(tmp_path / "agent.log") as agent:
        agents = {"tensorflow": agent}
        expected = outputs_of(agents, subject, HOST, QUICK)
        q8 = expected["tensorflow", "q8"]
        expected["tensorflow", "q8"] = {name: 1.01 * output for name, output in q8.items()}
        message = r"^benchmark of tiny: q8 in tensorflow: computes something else than this machine"
        with pytest.raises(StudyError, match=message):
            measure(agents, subject, HOST, QUICK, reference=expected)


def test_power_is_sampled_where_there_is_a_sensor(subject: Subject) -> None:
    agent = ScriptedAgent(subject, rails=("0-0041/VDD_IN", "0-0041/VDD_SYS_CPU"))
    tables = session_of(agent, subject)
    assert set(tables["windows"].groupby(["variant", "arithmetic", "process"]).size()) == {3}
    assert len(tables["windows"]) == 3 * 5 * 3
    assert set(tables["power"]["rail"]) == {"0-0041/VDD_IN"}
    assert "power/unavailable" not in facts(tables)
    assert facts(tables)["power/left_out"] == "the carrier board"


def test_a_sensor_that_may_not_be_read_is_the_reason_for_no_power(subject: Subject) -> None:
    agent = ScriptedAgent(subject)
    agent.hello["unreadable"] = ["/sys/class/powercap/intel-rapl:*/energy_uj"]
    reason = facts(session_of(agent, subject))["power/unavailable"]
    assert reason.startswith("no power sensor; no permission to read /sys/class/powercap/intel-rapl:*/energy_uj")
    with pytest.raises(StudyError, match=r"no intel-rapl:0/package-0 .*; no permission to read"):
        session_of(agent, subject, HOST.model_copy(update={"rails": ("intel-rapl:0/package-0",)}))


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, ["0-0041/VDD_IN"]),
        ({"rails": ("0-0040/VDD_SYS_GPU", "0-0041/VDD_SYS_CPU")}, ["0-0040/VDD_SYS_GPU", "0-0041/VDD_SYS_CPU"]),
        ({"meter": "meter.csv"}, []),
    ],
    ids=["the total", "those chosen", "none beside a meter"],
)
def test_a_block_names_the_rails_that_its_power_is_made_of(
    subject: Subject, changes: dict[str, Any], read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("meter.csv").write_text("time,watt\n" + "".join(f"{time.time() + s:.3f},5\n" for s in range(-10, 600)))
    settings = QUICK.model_copy(update={"power": PowerBlocks(rail_warmup_seconds=1)})
    agent = ScriptedAgent(subject, rails=("0-0040/VDD_SYS_GPU", "0-0041/VDD_IN", "0-0041/VDD_SYS_CPU"))
    session_of(agent, subject, HOST.model_copy(update=changes), settings)
    blocks = [command for command in agent.commands if command.get("kind") == "power"]
    assert len(blocks) == 1 + 3 * 5  # the sensors' warm-up before
    assert all(command["rails"] == read for command in blocks)


@pytest.fixture
def meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A meter's file with the readings of a session, for which a session waits half a second."""
    monkeypatch.setattr("tocompress.measurement.session._METER_PATIENCE_S", 0.5)
    write_readings(tmp_path / "meter.csv", time.time(), 60)
    return tmp_path / "meter.csv"


def write_readings(path: Path, now: float, seconds: float) -> None:
    """Ten a second, from ten seconds ago on; the last line is unfinished. The scripted blocks last until in 4 s."""
    times = now - 10 + 0.1 * np.arange(round(10 * (10 + seconds)))
    path.write_text("time,watt\n" + "".join(f"{moment:.3f},12.5\n" for moment in times) + f"{times[-1] + 0.1:.3f},1")


def test_a_meter_tells_the_power_of_every_block(subject: Subject, meter: Path) -> None:
    tables = session_of(ScriptedAgent(subject), subject, HOST.model_copy(update={"meter": str(meter)}))
    assert "power/unavailable" not in facts(tables)
    assert set(tables["power"]["rail"]) == {"meter"} and set(tables["power"]["watt"]) == {12.5}
    assert set(tables["power"].groupby(["variant", "arithmetic", "process"]).size()) <= {41, 42}
    assert tables["power"].groupby(["variant", "arithmetic", "process"]).ngroups == 3 * 5


def test_a_meter_that_has_not_written_the_last_readings_is_waited_for(
    subject: Subject, meter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_readings(meter, now := time.time(), 2)
    monkeypatch.setattr("tocompress.measurement.session.time.sleep", lambda _: write_readings(meter, now, 60))
    tables = session_of(ScriptedAgent(subject), subject, HOST.model_copy(update={"meter": str(meter)}))
    assert tables["power"]["time_s"].max() >= 4.0


@pytest.mark.parametrize("left", ["nothing", "half", "garbage", "no file"])
def test_a_meter_that_fails_in_the_session_costs_the_power_alone(subject: Subject, meter: Path, left: str) -> None:
    now = time.time()

    class Failing(ScriptedAgent):
        def _block(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if command["kind"] == "power":
                match left:
                    case "nothing":
                        write_readings(meter, now, -1)
                    case "half":
                        write_readings(meter, now, 2)
                    case "garbage":
                        meter.write_text("time,watt\n2,5\n1,5\n")
                    case _:
                        meter.unlink(missing_ok=True)
            yield from super()._block(command)

    tables = session_of(Failing(subject), subject, HOST.model_copy(update={"meter": str(meter)}))
    assert runs(tables) == {41}
    assert len(tables["operations"]) == 3 and len(tables["windows"]) == 3 * 5 * 3
    assert ("power/unavailable" in facts(tables)) == (left != "half")
    if left == "half":
        rows = power_rows(tables["power"], tables["windows"], ["meter"])
        assert rows["reason"].str.contains("blocks left out: rail meter was not read for").all()


@pytest.mark.parametrize("record", ["error", None], ids=["a state that fails", "a connection that is lost"])
def test_a_meter_tells_the_power_of_a_device_that_is_gone_after_its_blocks(
    subject: Subject, meter: Path, record: str | None
) -> None:
    class Going(ScriptedAgent):
        states = 0

        def run(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if command["command"] == "state":
                self.states += 1
                if self.states > 1 and record is None:
                    raise ConnectionLost("agent: no answer for 120 s")
                if self.states > 1:
                    yield {"record": record, "error": "no such file"}
                    return
            yield from super().run(command)

    tables = session_of(Going(subject), subject, HOST.model_copy(update={"meter": str(meter)}))
    assert "end/unavailable" in facts(tables) and "power/unavailable" not in facts(tables)
    assert set(tables["power"]["watt"]) == {12.5} and runs(tables) == {41}


@pytest.mark.parametrize(
    "content",
    [None, "", "time,watt\n", "time;power\n1;2\n", "time,watt\n1700000000000,5\n", "time,watt\n2,5\n1,5\n"],
    ids=["absent", "empty", "no readings", "no watts", "milliseconds", "backwards"],
)
def test_a_meter_that_is_none_is_refused_before_anything_runs(
    subject: Subject, meter: Path, content: str | None
) -> None:
    meter.unlink()
    if content is not None:
        meter.write_text(content)
    agent = ScriptedAgent(subject)
    with pytest.raises(StudyError, match=r"meter\.csv: "):
        session_of(agent, subject, HOST.model_copy(update={"meter": str(meter)}))
    assert agent.commands == []


def test_a_clock_that_is_set_meanwhile_parts_a_meters_times_from_the_blocks(
    subject: Subject, meter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    times = iter([now, now, now, now - 3600.0, now - 3600.0])  # around the device's state, before and after
    monkeypatch.setattr("tocompress.measurement.session.time.time", lambda: next(times))
    tables = session_of(ScriptedAgent(subject), subject, HOST.model_copy(update={"meter": str(meter)}))
    assert "clock was set by -36" in facts(tables)["power/unavailable"]
    assert runs(tables) == {41}


def test_without_a_sensor_the_session_says_so_and_samples_no_power(subject: Subject) -> None:
    agent = ScriptedAgent(subject)
    assert facts(session_of(agent, subject))["power/unavailable"] == "no power sensor"
    assert "power" not in {command.get("kind") for command in agent.commands}
    unknown = ScriptedAgent(subject, rails=("1-0040/VDD_MYSTERY",))
    assert "VDD_MYSTERY" in facts(session_of(unknown, subject))["power/unavailable"]
    chosen = HOST.model_copy(update={"rails": ("VDD_OTHER",)})
    with pytest.raises(StudyError, match="VDD_OTHER"):
        session_of(unknown, subject, chosen)


def test_an_absent_artifact_is_found_before_anything_runs(subject: Subject, tmp_path: Path) -> None:
    absent = replace(subject, artifacts={**subject.artifacts, ("tensorflow", "q6"): tmp_path / "q6.pb"})
    with pytest.raises(StudyError, match=r"q6\.pb: tiny's artifact tensorflow/q6 is not readable"):
        session_of(ScriptedAgent(subject), absent)


def test_inputs_are_told_by_the_size_of_their_batch_the_smallest_first(subject: Subject, tmp_path: Path) -> None:
    sizes = {"s00x8": 8, "s00": 1, "s01": 1}
    arrays = {f"{name}/source": np.zeros((size, 5), np.int32) for name, size in sizes.items()}
    np.savez(tmp_path / "inputs.npz", **arrays, **{f"{name}/forced": np.array(True) for name in sizes})
    several = replace(subject, inputs=tmp_path / "inputs.npz")
    assert list(several.batches.items()) == [(1, ["s00", "s01"]), (8, ["s00x8"])]
    assert several.input_ids == ["s00", "s01"]

    for unfit in ({"s00x8/source": np.zeros((8, 5))}, {"source": np.zeros((1, 5))}):
        np.savez(tmp_path / "unfit.npz", **unfit)
        with pytest.raises(StudyError, match=r"unfit\.npz: not a file of benchmark inputs"):
            _ = replace(subject, inputs=tmp_path / "unfit.npz").batches


def test_every_batch_takes_part_in_the_rounds(subject: Subject, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", **{"i00/input": np.zeros((1, 4)), "i00x8/input": np.zeros((8, 4))})
    agent = ScriptedAgent(several := replace(subject, inputs=tmp_path / "inputs.npz"))
    tables = session_of(agent, several)
    assert agent.generations[0]["batches"] == [["i00"], ["i00x8"]]
    assert all(member["input_ids"] == ["i00", "i00x8"] for member in agent.generations[0]["members"])
    timed = tables["latency"].query("not warmup")
    assert timed.groupby("batch")["input_id"].unique().map(list).to_dict() == {1: ["i00"], 8: ["i00x8"]}
    times = time_rows(tables["latency"], tables["loading"], quantile=0.5)
    assert set(times.loc[times["metric"] == "throughput", "label"]) == {"1", "8"}


# --- two runtimes in one session --------------------------------------------------------------------------------------


def agents_of(subject: Subject, **of_litert: Any) -> dict[str, ScriptedAgent]:
    """Return scripted agents of both runtimes. LiteRT's profiles nothing, unless `of_litert` says otherwise."""
    options = {"failing": ["operations"]} | of_litert
    return {"tensorflow": ScriptedAgent(subject), "litert": ScriptedAgent(subject, "litert", **options)}


def test_every_generation_and_round_holds_both_runtimes_and_fp32_of_each(in_both: Subject) -> None:
    tables = measure(agents_of(in_both), in_both, HOST, QUICK)
    timed = tables["latency"].query("not warmup")
    assert set(timed.groupby(["generation", "round"])["runtime"].nunique()) == {2}
    of_fp32 = timed.query("variant == 'fp32'").groupby(["generation", "round", "runtime"])["process"].nunique()
    assert set(of_fp32) == {2} and len(of_fp32) == 2 * 2 * 2
    conditions = timed[["runtime", "variant", "arithmetic"]].drop_duplicates().itertuples(index=False, name=None)
    assert set(conditions) == set(in_both.conditions)
    assert tables["memory"].empty or set(tables["memory"]["runtime"]) == {"tensorflow", "litert"}


def test_only_what_a_runtime_leaves_open_is_measured_on_but_fp32_of_both(in_both: Subject) -> None:
    """q8 scatters in TensorFlow. LiteRT's i8 does not, so it is settled, but the ratio across runtimes needs fp32."""
    settings = QUICK.model_copy(update={"generations": 6, "maximum_generations": 8})
    tables = measure(agents_of(in_both), in_both, HOST, settings)
    assert facts(tables)["stopped"] == "at 8 generations"
    counts = tables["latency"].groupby(["runtime", "variant"])["generation"].nunique().to_dict()
    assert counts == {
        ("tensorflow", "fp32"): 8, ("tensorflow", "q8"): 8, ("litert", "fp32"): 8, ("litert", "i8"): 6,
    }  # fmt: skip


def test_a_generation_that_one_runtime_loses_is_repeated_in_both(in_both: Subject) -> None:
    agents = agents_of(in_both, lost=1)
    tables = measure(agents, in_both, HOST, QUICK)
    assert [agent.reconnections for agent in agents.values()] == [1, 1]
    assert [len(agent.generations) for agent in agents.values()] == [3, 3]
    assert agents["litert"].generations[0] == agents["litert"].generations[1]
    assert runs(tables) == {41}
    assert tables["latency"].groupby("runtime")["generation"].nunique().to_dict() == {"tensorflow": 2, "litert": 2}


def test_a_member_that_fails_names_its_runtime_and_variant(in_both: Subject) -> None:
    message = r"^benchmark of tiny: generation 1: i8 in litert, integer: the worker was ended by signal 9$"
    with pytest.raises(StudyError, match=message):
        measure(agents_of(in_both, failing=["generation"]), in_both, HOST, QUICK)


def test_a_runtime_that_profiles_nothing_costs_the_other_no_operations(in_both: Subject) -> None:
    tables = measure(agents_of(in_both), in_both, HOST, QUICK)
    told = {key for key in facts(tables) if key.startswith("operations/")}
    assert told == {f"operations/{'/'.join(condition)}/unavailable" for condition in IN_LITERT}
    assert len(of_runtime(tables["operations"], "tensorflow")) == len(tables["operations"]) == len(CONDITIONS)


def test_each_agent_has_the_artifacts_of_its_runtime_alone(in_both: Subject) -> None:
    class Taking(ScriptedAgent):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.taken: set[str] = set()

        def send(self, file: Path, sha256: str) -> None:
            self.taken.add(sha256)

    agents = {runtime: Taking(in_both, runtime, failing=["operations"]) for runtime in ("tensorflow", "litert")}
    measure(agents, in_both, HOST, QUICK)
    for runtime, agent in agents.items():
        own = {digest for (of, _), digest in in_both.digests.items() if of == runtime}
        assert agent.taken == own | {in_both.inputs_digest}
        asked = {member["artifact"] for command in agent.generations for member in command["members"]}
        assert asked == own


def test_outputs_are_compared_in_each_runtime(in_both: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: Outputs = {key: {"image0": np.arange(3.0)} for key in in_both.artifacts}
    expected["litert", "i8"] = {"image0": np.arange(3.0)[::-1]}
    monkeypatch.setattr("tocompress.measurement.session.values", lambda records: {"image0": np.arange(3.0)})
    with pytest.raises(StudyError, match=r"^benchmark of tiny: i8 in litert: "):
        measure(agents_of(in_both), in_both, HOST, QUICK, reference=expected)


def test_power_of_a_meter_is_told_by_runtime(in_both: Subject, meter: Path) -> None:
    tables = measure(agents_of(in_both), in_both, HOST.model_copy(update={"meter": str(meter)}), QUICK)
    blocks = tables["power"].groupby(["runtime", "variant", "arithmetic", "process"])
    assert blocks.ngroups == len(in_both.conditions) * 5
    assert set(blocks.size()) <= {41, 42}  # none holds the readings of two
