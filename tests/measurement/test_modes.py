"""A session in each power mode of a device: their order, the wait, the return, on a simulated Jetson."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_modes import REBOOT, Jetson, jetson, on_path

from tocompress.devices import Agent, ConnectionLost, Record, reach
from tocompress.errors import StudyError
from tocompress.measurement import generations, modes
from tocompress.measurement.benchmark import benchmark
from tocompress.measurement.modes import in_each_mode
from tocompress.measurement.subject import Subject
from tocompress.runtimes.tensorflow.graph import add_constant, write_graph
from tocompress.runtimes.tensorflow.protocol_buffers import DT_FLOAT, GraphDef
from tocompress.schemas.benchmark import TABLES
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.device import LocalDevice
from tocompress.settings.jobs import BenchmarkJob, Condition
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import FLOAT

FP32 = Condition("tensorflow", "fp32", FLOAT)
MODES = ("15W", "25W", "MAXN")
QUICK = Benchmark(
    generations=2,
    maximum_generations=2,
    rounds=2,
    slice_seconds=0.001,
    warmup_seconds=0.0,
    profiled_runs=1,
    settling_seconds=0.0,
)


def job(**changes: Any) -> BenchmarkJob:
    device = LocalDevice(transport="local", threads=1, modes=MODES)
    return BenchmarkJob(name="orin", device=device, benchmark=QUICK, conditions=(FP32,)).model_copy(update=changes)


class Board:
    """An agent of a board that takes every mode. It keeps the order of events, in `journal`."""

    def __init__(self, cores: Mapping[str, int] | None = None, *, lost: bool = False) -> None:
        self.hello: Record = {"power_mode": "NV Power Mode: 25W; 1"}
        self.journal: list[Any] = []
        self._cores = cores or {}
        self._lost = lost

    def run(self, command: Record) -> Iterator[Record]:
        match command:
            case {"command": "modes"}:
                yield {"record": "modes", "modes": [*MODES], "mode": "25W", "refusal": None}
            case {"command": "mode", "name": None} if self._lost:
                raise ConnectionLost("orin: no answer for 120 s")
            case {"command": "mode", "name": name}:
                self.journal.append(name)
                cores = self._cores.get(name, 8)
                yield {"record": "mode", "mode": name or "25W", "cores": cores, "cores_online": f"0-{cores - 1}"}
        yield {"record": "end"}

    def reconnect(self) -> None:
        self.journal.append("connection")

    def send(self, file: Path, sha256: str) -> None: ...

    def order(self, order: Record) -> None: ...


def measured_on(
    board: Board, session: BenchmarkJob, monkeypatch: pytest.MonkeyPatch, *, cut: bool = False
) -> dict[str, Any]:
    """Return the facts of the session in each mode. With `cut`, its connection is made again."""
    monkeypatch.setattr(modes.time, "sleep", lambda seconds: board.journal.append(seconds))

    def measured(agents: Mapping[str, Agent]) -> dict[str, pd.DataFrame]:
        assert list(agents) == ["tensorflow", "litert"] and agents["litert"] is other
        if cut:
            agents["tensorflow"].reconnect()
        board.journal.append("measured")
        mode = agents["tensorflow"].hello["power_mode"]
        return {"session": pd.DataFrame({"key": ["device/power_mode"], "value": [mode]})}

    other = Board()
    tables = in_each_mode({"tensorflow": board, "litert": other}, session, measured)
    assert other.journal == []
    return {
        name: dict(zip(own["session"]["key"], own["session"]["value"], strict=True)) for name, own in tables.items()
    }


def test_each_mode_is_tried_and_then_measured_in_random_order_after_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = set()
    for seed in range(8):
        session = job(benchmark=QUICK.model_copy(update={"seed": seed, "settling_seconds": 30.0}))
        board = Board()
        facts = measured_on(board, session, monkeypatch)
        tried, then = board.journal[:3], board.journal[3:]
        assert tried == list(MODES)
        assert [*then[1::3], *then[2::3]] == [30.0] * 3 + ["measured"] * 3
        order = then[:-1:3]
        assert sorted(order) == sorted(MODES) and then[-1] is None
        assert list(facts) == [f"orin@{mode}" for mode in order]
        for mode in MODES:
            assert facts[f"orin@{mode}"] == {
                "device/power_mode": mode,
                "mode/found": "25W",
                "mode/set": mode,
                "mode/order": "; ".join(order),
                "mode/restored": "25W",
            }
        orders.add(tuple(order))
    assert len(orders) > 2


def test_a_new_connection_begins_in_the_mode_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    one = job(device=job().device.model_copy(update={"modes": ("15W",)}))
    measured_on(board, one, monkeypatch, cut=True)
    assert board.journal == ["15W", "15W", 0.0, "connection", "15W", 0.0, "measured", None]


def test_a_mode_with_too_few_processors_is_refused_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    board, device = Board({"15W": 4}), job().device.model_copy(update={"threads": 6})
    message = r"^devices.orin.modes: '15W' leaves 4 cores for the device's 6 threads; leave it out$"
    with pytest.raises(StudyError, match=message):
        measured_on(board, job(device=device), monkeypatch)
    assert "measured" not in board.journal


def test_a_board_that_is_gone_at_the_end_costs_no_times(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = measured_on(Board(lost=True), job(), monkeypatch)
    assert {own["mode/restored"] for own in facts.values()} == {"unknown: orin: no answer for 120 s"}


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jetson:
    if sys.platform != "linux":
        pytest.skip("the agent reads /proc")
    monkeypatch.setattr(reach, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(generations, "_MOST_ROUNDS", 2)
    return on_path(jetson(tmp_path / "board"), monkeypatch)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    graph = GraphDef()
    graph.node.add(name="input", op="Placeholder").attr["dtype"].type = DT_FLOAT
    weights = add_constant(graph, "weights", np.eye(4, dtype=np.float32))
    graph.node.add(name="output", op="MatMul", input=["input", weights]).attr["T"].type = DT_FLOAT
    write_graph(tmp_path / "fp32.pb", graph)
    np.savez(tmp_path / "inputs.npz", **{"i0/input": np.ones((1, 4), np.float32)})
    return Subject("tiny", {("tensorflow", "fp32"): tmp_path / "fp32.pb"}, tmp_path / "inputs.npz", [FP32])


def on(board: Jetson, *names: str) -> BenchmarkJob:
    return job(device=LocalDevice(transport="local", threads=1, root=str(board.root), modes=names))


def test_a_mode_that_cannot_be_set_is_refused_before_anything_is_measured(
    board: Jetson, subject: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StudyError, match=rf"^devices.orin.modes: .*{REBOOT} cannot be set: ") as refused:
        benchmark(subject, on(board, "MAXN", REBOOT))
    assert "\n" not in str(refused.value) and "generation" not in capsys.readouterr().out
    deadline = time.monotonic() + 10
    while board.mode != "15W" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert board.mode == "15W"


@pytest.mark.long
def test_an_agent_that_is_killed_costs_a_generation_and_no_mode(
    board: Jetson, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is killed in the second mode. Its guardian restores the found mode, and the session sets its own."""
    (tmp_path / "progress").touch()

    def is_late() -> bool:
        of_modes = (tmp_path / "progress").read_text().split("power mode ")[1:]
        return len(of_modes) == 2 and "generation 2" in of_modes[1]

    def kill() -> None:
        while not is_late():
            time.sleep(0.01)
        holder = int((tmp_path / "lock").read_text().split("process ")[1].split(",")[0])
        os.kill(holder, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with (tmp_path / "progress").open("w", buffering=1) as progress, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", progress)
        tables = benchmark(subject, on(board, "MAXN", "25W"))
    killer.join()

    for name, schema in TABLES.items():
        write_table(tmp_path / f"{name}.parquet", schema, tables[name])
    facts = tables["session"].set_index(["device", "key"])["value"]
    first, second = facts["orin@MAXN", "mode/order"].split("; ")
    assert [facts[f"orin@{mode}", "reconnections"] for mode in (first, second)] == ["0", "1"]
    assert board.changes == ["MAXN", "25W", first, second, "15W", second, "15W"]
    taken = tables["latency"].groupby("device")["generation"].nunique()
    assert taken.to_dict() == {"orin@MAXN": 2, "orin@25W": 2}
    assert set(tables["memory"]["device"]) == set(tables["operations"]["device"]) == set(taken.index)
