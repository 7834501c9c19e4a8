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
from tocompress.measurement.energy import power_rows
from tocompress.measurement.session import Subject, measure, outputs_of, round_blocks
from tocompress.measurement.summary import latency_rows, memory_rows, operation_rows
from tocompress.schemas.benchmark import RECORDED
from tocompress.settings.benchmark import Benchmark, PowerBlocks
from tocompress.settings.device import LocalDevice
from tocompress.tables import read_table, write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, ONCE

HOST = LocalDevice(transport="local", threads=1)
QUICK = Benchmark(
    processes=2,
    maximum_processes=2,
    block_seconds=0.001,
    warmup_seconds=0.0,
    minimum_runs=20,
    maximum_runs=50,
    profiled_runs=2,
)
CONDITIONS = [(variant, mode) for variant in ("fp32", "q8") for mode in (EVERY_INFERENCE, ONCE)]


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
    return Subject("tiny", {variant: folder / f"{variant}.pb" for variant in ("fp32", "q8")}, folder / "inputs.npz")


class ScriptedAgent:
    """Answers every block at once: q8's time differs from process to process by half, fp32's is the same always."""

    def __init__(
        self,
        subject: Subject,
        lost: int = 0,
        rails: tuple[str, ...] = (),
        failing: Collection[str] = (),
        cut: str | None = None,
    ) -> None:
        self.hello: dict[str, Any] = {"record": "hello", "rails": list(rails)}
        self.commands: list[dict[str, Any]] = []
        self.reconnections = 0
        self._lost = lost
        self._failing, self._cut = failing, cut
        self._begin = time.monotonic()
        self._variants = {subject.digests[f"artifact/{variant}"]: variant for variant in subject.artifacts}

    def send(self, file: Path, sha256: str) -> None: ...

    def reconnect(self) -> None:
        self.reconnections += 1

    def run(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if command["command"] == "state":
            clock = {"cpu0/cpufreq/scaling_min_freq": "100", "cpu0/cpufreq/scaling_max_freq": "200"}
            now = time.monotonic() - self._begin
            yield {"record": "state", "load": 0.0, "monotonic_s": now, "clock": clock}
        else:
            self.commands.append(command)
            if command["kind"] == self._cut:
                raise ConnectionLost("agent: no answer for 120 s")
            if command["kind"] in self._failing:
                yield {"record": "error", "error": "the worker was ended by signal 9"}
                return
            yield from self._block(command)
        yield {"record": "end", "load": 0.0}

    def _block(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if command["kind"] == "latency":
            number, inputs = len(self.commands), command["input_ids"] * 20
            noisy = self._variants[command["artifact"]] == "q8" and number % 2
            samples = {"start_s": [float(number)] * len(inputs), "duration_s": [1.5 if noisy else 1.0] * len(inputs)}
            flags = {"tokens": [None] * len(inputs), "warmup": [False] * len(inputs)}
            yield {"record": "samples", "input_id": inputs, **samples, **flags}
            if self._lost:
                self._lost -= 1
                raise ConnectionLost("agent: ended with exit code 255: broken pipe")
        elif command["kind"] == "control":
            pass
        elif command["kind"] == "operations":
            yield {"record": "operations", "operation": ["a"], "type": ["MatMul"], "duration_s": [1.0], "run": 1}
        elif command["kind"] == "power":
            windows = {"idle_before": [0.0, 1.0], "block": [1.0, 2.0], "idle_after": [3.0, 4.0]}
            yield {"record": "windows", "runs": 10, **windows}
            rails = {rail: {"time_s": [0.5, 1.5], "watt": [1.0, 2.0], "failed": 0} for rail in command["rails"]}
            yield {"record": "power", "period_s": 0.001, "realtime": True, "rails": rails}


def facts(tables: dict[str, Any]) -> dict[str, str]:
    return dict(tables["session"].itertuples(index=False, name=None))


def test_a_round_holds_every_condition_once_and_a_control_in_an_order_of_its_own() -> None:
    random = np.random.default_rng(1)
    rounds = [round_blocks(random, "latency", number, CONDITIONS, control=True) for number in range(1, 7)]
    for number, blocks in enumerate(rounds, 1):
        assert {(block.variant, block.arithmetic) for block in blocks} == {*CONDITIONS, ("control", None)}
        assert [block.order for block in blocks] == list(range(5))
        assert {block.process for block in blocks} == {number}
    orders = [[(block.variant, block.arithmetic) for block in blocks] for blocks in rounds]
    assert any(order != orders[0] for order in orders)
    again = round_blocks(np.random.default_rng(1), "latency", 1, CONDITIONS, control=True)
    assert again == rounds[0]  # by the seed alone


@pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")
def test_a_session_yields_the_declared_tables(subject: Subject, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    with LocalAgent(tmp_path / "agent.log") as agent:
        expected = outputs_of(agent, subject, HOST, QUICK)
        tables = measure(
            agent, subject, HOST, QUICK, lambda done, total, _: progress.append((done, total)), reference=expected
        )

    assert progress == [(done, 14) for done in range(15)]
    for name, schema in RECORDED.items():
        write_table(tmp_path / name, schema, tables[name])
        assert list(read_table(tmp_path / name, schema).columns) == schema.names

    timed = tables["latency"][~tables["latency"]["warmup"]]
    counts = timed.groupby(["variant", "arithmetic", "process", "input_id"]).size()
    assert len(counts) == 2 * 2 * 2 * 2
    assert min(counts) >= 10
    assert set(tables["memory"]["variant"]) == {"fp32", "q8", "control"}
    assert len(tables["diagnostics"]) == 4 * (1 + 2)  # all inputs, and each of two

    session = facts(tables)
    assert session["outputs_agree"] == "true"
    assert session[f"output/fp32/{ONCE}/image1"] == session[f"output/q8/{EVERY_INFERENCE}/image1"]
    assert session["settings/arithmetic"] == f"{EVERY_INFERENCE}; {ONCE}"
    assert session["stopped"] == "at 2 processes"
    assert session["difference/q8"] == "0.0"
    assert len(session["sha256/artifact/q8"]) == 64
    assert {"begin/load", "end/load", "end/disk_free", "device/kernel", "device/agent_sha256"} <= session.keys()

    latency = latency_rows(tables["latency"])
    assert (latency["value"] > 0).all()
    assert len(latency) == 4 * 3
    assert (memory_rows(tables["memory"])["value"] > 0).all()
    shares = operation_rows(tables["operations"])
    dequantization = shares[shares["label"] == "dequantization"].set_index(["variant", "arithmetic"])["value"]
    assert dequantization["q8", EVERY_INFERENCE] > dequantization["fp32", EVERY_INFERENCE] == 0
    assert "other" not in set(shares["label"])


def test_what_is_not_settled_is_measured_on_together_with_its_baseline(subject: Subject) -> None:
    settings = QUICK.model_copy(
        update={"processes": 6, "maximum_processes": 9, "arithmetic": (ONCE,), "minimum_samples": 1}
    )
    steady = replace(subject, artifacts={"fp32": subject.artifacts["fp32"]})
    tables = measure(ScriptedAgent(steady), steady, HOST, settings)
    assert tables["latency"]["process"].max() == 6
    assert facts(tables)["stopped"] == "all times settled"

    noisy = replace(subject, artifacts=subject.artifacts | {"q6": subject.inputs})
    tables = measure(ScriptedAgent(noisy), noisy, HOST, settings)
    processes = tables["latency"].groupby("variant")["process"].nunique()
    assert processes.to_dict() == {"fp32": 9, "q8": 9, "q6": 6}
    assert facts(tables)["stopped"] == "at 9 processes"


def test_rounds_end_when_their_time_is_up(subject: Subject) -> None:
    settings = QUICK.model_copy(update={"maximum_processes": 9, "maximum_seconds": 1e-9})
    tables = measure(ScriptedAgent(subject), subject, HOST, settings)
    assert tables["latency"]["process"].max() == 2
    assert facts(tables)["stopped"] == "after 1e-09 seconds"


def test_a_block_whose_connection_was_lost_is_repeated_and_counts_once(subject: Subject) -> None:
    agent = ScriptedAgent(subject, lost=2)
    tables = measure(agent, subject, HOST, QUICK)
    assert agent.reconnections == 2
    assert facts(tables)["reconnections"] == "2"
    assert set(tables["latency"].groupby(["variant", "arithmetic", "process"]).size()) == {40}

    with pytest.raises(ConnectionLost, match="broken pipe"):
        measure(ScriptedAgent(subject, lost=3), subject, HOST, QUICK)


def test_a_timed_block_that_fails_ends_the_session_in_one_line(subject: Subject) -> None:
    with pytest.raises(StudyError, match=r"^benchmark of tiny: round 1: .*: the worker was ended by signal 9$"):
        measure(ScriptedAgent(subject, failing=["control", "latency"]), subject, HOST, QUICK)


@pytest.mark.parametrize(("kind", "part"), [("control", "memory"), ("operations", "operations"), ("power", "power")])
def test_a_part_that_fails_costs_no_other(subject: Subject, kind: str, part: str) -> None:
    tables = measure(ScriptedAgent(subject, rails=("0-0041/VDD_IN",), failing=[kind]), subject, HOST, QUICK)
    told = {key: why for key, why in facts(tables).items() if key.endswith("/unavailable")}
    assert told.keys() == {f"{part}/unavailable"}
    assert told[f"{part}/unavailable"].endswith(": the worker was ended by signal 9")
    assert tables["latency"].groupby(["variant", "arithmetic"])["process"].nunique().tolist() == [2] * 4
    assert len(tables["operations"]) == (0 if part == "operations" else 4)
    assert len(tables["windows"]) == (0 if part == "power" else 4 * 5 * 3)


def test_a_device_that_is_gone_after_its_times_costs_what_was_not_measured(subject: Subject) -> None:
    agent = ScriptedAgent(subject, rails=("0-0041/VDD_IN",), cut="operations")
    tables = measure(agent, subject, HOST, QUICK)
    told = {key: why for key, why in facts(tables).items() if key.endswith("/unavailable")}
    assert told == dict.fromkeys(
        ["operations/unavailable", "power/unavailable", "end/unavailable"], "agent: no answer for 120 s"
    )
    assert set(tables["latency"].groupby(["variant", "arithmetic", "process"]).size()) == {40}
    assert len(agent.commands) == 2 * 5 + 3


def test_moving_clocks_refuse_a_session_that_wants_them_locked(subject: Subject) -> None:
    locked = HOST.model_copy(update={"clocks": "locked"})
    with pytest.raises(StudyError, match=r"^benchmark of tiny: the clocks of cpu0 are not locked; "):
        measure(ScriptedAgent(subject), subject, locked, QUICK)


def test_other_outputs_than_the_reference_refuse_the_session(subject: Subject, tmp_path: Path) -> None:
    with LocalAgent(tmp_path / "agent.log") as agent:
        expected = outputs_of(agent, subject, HOST, QUICK)
        expected["q8"] = {name: 1.01 * output for name, output in expected["q8"].items()}
        with pytest.raises(StudyError, match=r"^benchmark of tiny: q8: computes something else than this machine"):
            measure(agent, subject, HOST, QUICK, reference=expected)


def test_power_is_sampled_where_there_is_a_sensor(subject: Subject) -> None:
    agent = ScriptedAgent(subject, rails=("0-0041/VDD_IN", "0-0041/VDD_SYS_CPU"))
    tables = measure(agent, subject, HOST, QUICK)
    assert set(tables["windows"].groupby(["variant", "arithmetic", "process"]).size()) == {3}
    assert len(tables["windows"]) == 4 * 5 * 3
    assert set(tables["power"]["rail"]) == {"0-0041/VDD_IN"}
    assert "power/unavailable" not in facts(tables)


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
    measure(agent, subject, HOST.model_copy(update=changes), settings)
    blocks = [command for command in agent.commands if command["kind"] == "power"]
    assert len(blocks) == 1 + 4 * 5  # the sensors' warm-up before
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
    tables = measure(ScriptedAgent(subject), subject, HOST.model_copy(update={"meter": str(meter)}), QUICK)
    assert "power/unavailable" not in facts(tables)
    assert set(tables["power"]["rail"]) == {"meter"} and set(tables["power"]["watt"]) == {12.5}
    assert set(tables["power"].groupby(["variant", "arithmetic", "process"]).size()) <= {41, 42}
    assert tables["power"].groupby(["variant", "arithmetic", "process"]).ngroups == 4 * 5


def test_a_meter_that_has_not_written_the_last_readings_is_waited_for(
    subject: Subject, meter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_readings(meter, now := time.time(), 2)
    monkeypatch.setattr("tocompress.measurement.session.time.sleep", lambda _: write_readings(meter, now, 60))
    tables = measure(ScriptedAgent(subject), subject, HOST.model_copy(update={"meter": str(meter)}), QUICK)
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

    tables = measure(Failing(subject), subject, HOST.model_copy(update={"meter": str(meter)}), QUICK)
    assert set(tables["latency"].groupby(["variant", "arithmetic", "process"]).size()) == {40}
    assert len(tables["operations"]) == 4 and len(tables["windows"]) == 4 * 5 * 3
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

    tables = measure(Going(subject), subject, HOST.model_copy(update={"meter": str(meter)}), QUICK)
    assert "end/unavailable" in facts(tables) and "power/unavailable" not in facts(tables)
    assert set(tables["power"]["watt"]) == {12.5} and len(tables["latency"]) == 8 * 40


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
        measure(agent, subject, HOST.model_copy(update={"meter": str(meter)}), QUICK)
    assert agent.commands == []


def test_a_clock_that_is_set_meanwhile_parts_a_meters_times_from_the_blocks(
    subject: Subject, meter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    times = iter([now, now, now, now - 3600.0, now - 3600.0])  # around the device's state, before and after
    monkeypatch.setattr("tocompress.measurement.session.time.time", lambda: next(times))
    tables = measure(ScriptedAgent(subject), subject, HOST.model_copy(update={"meter": str(meter)}), QUICK)
    assert "clock was set by -36" in facts(tables)["power/unavailable"]
    assert len(tables["latency"]) == 8 * 40


def test_without_a_sensor_the_session_says_so_and_samples_no_power(subject: Subject) -> None:
    agent = ScriptedAgent(subject)
    assert facts(measure(agent, subject, HOST, QUICK))["power/unavailable"] == "no power sensor"
    assert "power" not in {command["kind"] for command in agent.commands}
    unknown = ScriptedAgent(subject, rails=("1-0040/VDD_MYSTERY",))
    assert "VDD_MYSTERY" in facts(measure(unknown, subject, HOST, QUICK))["power/unavailable"]
    chosen = HOST.model_copy(update={"rails": ("VDD_OTHER",)})
    with pytest.raises(StudyError, match="VDD_OTHER"):
        measure(unknown, subject, chosen, QUICK)


def test_an_absent_artifact_is_found_before_anything_runs(subject: Subject, tmp_path: Path) -> None:
    absent = replace(subject, artifacts={**subject.artifacts, "q6": tmp_path / "q6.pb"})
    with pytest.raises(StudyError, match=r"q6\.pb: tiny's artifact/q6 is not readable"):
        measure(ScriptedAgent(subject), absent, HOST, QUICK)
