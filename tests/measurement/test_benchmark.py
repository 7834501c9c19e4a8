"""A whole benchmark of a board: through a real ssh, with simulated sensors, the connection cut in between."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_ina3221 import Chip, SimulatedIna3221
from sshd import Server, server

from tocompress.devices import ssh
from tocompress.measurement import benchmark as module
from tocompress.measurement.benchmark import benchmark, write_session
from tocompress.measurement.energy import power_rows
from tocompress.measurement.power import total_rails
from tocompress.measurement.subject import Subject
from tocompress.measurement.summary import time_rows
from tocompress.runtimes.tensorflow.graph import add_constant, write_graph
from tocompress.runtimes.tensorflow.protocol_buffers import DT_FLOAT, GraphDef
from tocompress.schemas.benchmark import RECORDED, SESSION, TABLES
from tocompress.settings.benchmark import Benchmark, PowerBlocks
from tocompress.settings.device import Device, LocalDevice, SshDevice
from tocompress.settings.jobs import BenchmarkJob, Condition
from tocompress.tables import read_table
from tocompress.vocabulary.arithmetic import FLOAT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")

#: The board's Python: another runtime than ours where there is one.
INTERPRETER = os.environ.get("TENSORFLOW_1_15", sys.executable)

FP32 = Condition("tensorflow", "fp32", FLOAT)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def sensors(tmp_path: Path) -> Iterator[Path]:
    """A fake tree of files whose input rail takes 4 W, and a rail behind it that takes 1 W."""

    rails = {"VDD_IN": lambda moment: 4 + 0.2 * math.sin(50 * moment), "VDD_SYS_CPU": lambda moment: 1.0}
    with SimulatedIna3221(tmp_path / "root", [Chip("0-0041", rails)]):
        yield tmp_path / "root"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    graph = GraphDef()
    graph.node.add(name="input", op="Placeholder").attr["dtype"].type = DT_FLOAT
    weights = add_constant(graph, "weights", np.eye(64, dtype=np.float32))
    graph.node.add(name="output", op="MatMul", input=["input", weights]).attr["T"].type = DT_FLOAT
    write_graph(tmp_path / "fp32.pb", graph)
    np.savez(tmp_path / "inputs.npz", **{f"i{i}/input": np.full((1, 64), i, np.float32) for i in range(2)})
    return Subject("tiny", {("tensorflow", "fp32"): tmp_path / "fp32.pb"}, tmp_path / "inputs.npz", [FP32])


@pytest.mark.long
def test_a_board_is_measured_through_a_connection_that_breaks(
    board: Server,
    sensors: Path,
    subject: Subject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssh, "_LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(ssh, "_PAUSES", (0.1, 0.1, 0.1))
    device = SshDevice(
        transport="ssh", host="board", threads=1, interpreter=INTERPRETER, folder=str(tmp_path / "cache"),
        root=str(sensors), ssh_config=str(board.config),
    )  # fmt: skip
    settings = Benchmark(
        generations=3,
        maximum_generations=3,
        warmup_seconds=0.0,
        power=PowerBlocks(processes=2, idle_seconds=0.3, tail_seconds=0.1, block_seconds=0.5),
    )

    def cut() -> None:
        while "generation 2" not in (tmp_path / "progress").read_text():
            time.sleep(0.05)
        for process in board.sessions:
            os.kill(process, signal.SIGKILL)

    (tmp_path / "progress").touch()
    cutter = threading.Thread(target=cut, daemon=True)
    cutter.start()
    with (tmp_path / "progress").open("w", buffering=1) as progress, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", progress)
        tables = benchmark(subject, BenchmarkJob(name="board", device=device, benchmark=settings, conditions=(FP32,)))
    cutter.join()

    facts = tables["session"].set_index("key")["value"].to_dict()
    assert facts["reconnections"] == "1"
    assert float(facts["difference/tensorflow/fp32"]) < 1e-6
    assert float(facts["sampling/0-0041/VDD_IN/rate_hz"]) > 300
    counts = tables["latency"].groupby("generation")["process"].nunique()
    assert counts.to_dict() == {1: 2, 2: 2, 3: 2}  # of fp32
    assert (time_rows(tables["latency"], tables["loading"], quantile=0.5)["value"] > 0).all()
    assert set(tables["latency"]["runtime"]) == {"tensorflow"}
    rails = total_rails(tables["power"]["rail"].unique())
    assert rails == ["0-0041/VDD_IN"]
    mean = power_rows(tables["power"], tables["windows"], rails).set_index("metric").loc["power_mean"]
    assert mean["basis"] == "measured"
    assert abs(mean["value"]) < 0.5  # busy or not, it takes 4 W
    assert tables["power"].groupby("rail")["watt"].mean()["0-0041/VDD_IN"] == pytest.approx(4, abs=0.2)


def tables_of(variant: str) -> dict[str, pd.DataFrame]:
    tables = {name: schema.empty_table().to_pandas() for name, schema in TABLES.items()}
    return tables | {
        "session": pd.DataFrame({"key": ["variants"], "value": [variant]}).assign(device="tx2", model="vgg")
    }


def test_a_session_that_is_kept_is_overwritten_by_no_later_one(tmp_path: Path) -> None:
    files = {name: tmp_path / "benchmarks" / f"{name}.parquet" for name in TABLES}
    folder = files["session"].parent
    (folder / ".session.partial").mkdir(parents=True)  # of a session that was killed while it wrote
    (folder / ".session.partial" / "rest.parquet").touch()

    def read(where: Path) -> str:
        return str(read_table(where / "session.parquet", SESSION)["value"].item())

    write_session(tables_of("first"), files, keep=False)
    assert {path.name for path in folder.glob("*.parquet")} == {f"{name}.parquet" for name in TABLES}
    for variant in ("second", "third", "fourth"):  # within a second or two
        write_session(tables_of(variant), files, keep=True)
        assert read(folder) == variant
    kept = [path for path in folder.iterdir() if path.is_dir()]
    assert sorted(map(read, kept)) == ["fourth", "second", "third"]
    assert {file.name for path in kept for file in path.iterdir()} == {f"{name}.parquet" for name in TABLES}


@pytest.mark.parametrize(
    ("device", "compared"),
    [
        (LocalDevice(transport="local", threads=1), False),
        (LocalDevice(transport="local", threads=1, interpreter=sys.executable), True),
        (LocalDevice(transport="local", threads=1, interpreters={"litert": sys.executable}), True),
        (LocalDevice(transport="local", threads=1, processor="gpu"), True),
        (SshDevice(transport="ssh", host="board", threads=1), True),
    ],
    ids=["this machine", "another runtime", "another Python of one runtime", "its graphics card", "a board"],
)
def test_what_other_than_this_runtime_computes_is_compared_with_it(
    device: Device, compared: bool, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each runtime is compared with itself on this machine."""
    runtimes = ("tensorflow", "litert")
    both = replace(subject, conditions=[FP32, FP32._replace(runtime="litert")])
    expected = {(runtime, "fp32"): {"i0": np.ones(1)} for runtime in runtimes}
    references = []

    def measured(agents: object, *arguments: Any) -> dict[str, pd.DataFrame]:
        references.append((agents, *arguments[4:]))
        return {name: schema.empty_table().to_pandas() for name, schema in RECORDED.items()}

    def computed(agents: object, subject: Subject, device: Device, settings: Benchmark) -> object:
        assert (agents, device.processor) == ({runtime: f"{runtime} here" for runtime in runtimes}, "cpu")
        return expected

    def reached(name: str, device: Device, asked: tuple[str, ...], log: Path | None) -> object:
        assert (name, asked) == ("device", runtimes)
        return nullcontext("agents")

    monkeypatch.setattr(module, "reach", reached)
    monkeypatch.setattr(module, "LocalAgent", lambda log, name, runtime: nullcontext(f"{runtime} here"))
    monkeypatch.setattr(module, "measure", measured)
    monkeypatch.setattr(module, "outputs_of", computed)
    job = BenchmarkJob(name="device", device=device, benchmark=Benchmark(), conditions=tuple(both.conditions))
    assert list(benchmark(both, job)) == list(TABLES)
    assert references == [("agents", expected if compared else None)]
