"""The agent as the host sees it: commands in, records out, over one real process and a tiny graph."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from processes import children, end

from tocompress.devices.agent import worker
from tocompress.devices.agent.host import Host
from tocompress.devices.agent.lock import take_lock
from tocompress.devices.local import LocalAgent
from tocompress.devices.program import AGENT
from tocompress.errors import StudyError
from tocompress.measurement.verification import values
from tocompress.runtimes.tensorflow.operations import base_type

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")

WEIGHTS = np.arange(12, dtype=np.uint8).reshape(4, 3)
SCALE = np.float32(0.5)
FILES = ("network.pb", "translation.pb", "broken.pb", "images.npz", "sentences.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`network.pb`: input times dequantized weights; `translation.pb`: as many tokens as `maximum_length` says."""
    import tensorflow.compat.v1 as tf

    folder = tmp_path_factory.mktemp("agent")
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, [None, 4], "input")
        with tf.name_scope("dequantize/weights/"):
            weights = tf.cast(tf.constant(WEIGHTS), tf.float32) * SCALE
        tf.identity(tf.matmul(image, weights), "output")
    (folder / "network.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with tf.Graph().as_default() as graph:
        tf.fill([1, tf.placeholder(tf.int32, [], "maximum_length")], 7, "output")
    (folder / "translation.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "broken.pb").write_bytes(b"not a graph")
    images = {f"image{i}/input": np.full((1, 4), i, np.float32) for i in range(3)}
    np.savez(folder / "images.npz", **images)
    np.savez(folder / "sentences.npz", **{f"s{n}/maximum_length": np.int32(n) for n in (2, 5)})
    return folder


@pytest.fixture(scope="module")
def agent(folder: Path) -> Iterator[LocalAgent]:
    with LocalAgent(folder / "agent.log") as agent:
        for name in FILES:
            agent.send(folder / name, sha256(folder / name))
        yield agent


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def block(folder: Path, **changes: Any) -> dict[str, Any]:
    command = {
        "command": "block",
        "kind": "latency",
        "artifact": sha256(folder / "network.pb"),
        "inputs": sha256(folder / "images.npz"),
        "input_ids": ["image0", "image1", "image2"],
        "dequantization": "every_inference",
        "processor": "cpu",
        "threads": 1,
        "warmup_runs": 2,
        "warmup_seconds": 0.0,
        "seconds": 0.0,
        "minimum_runs": 4,
        "maximum_runs": 100,
        "profiled_runs": 2,
        "rails": [],
        "idle_seconds": 0.1,
        "tail_seconds": 0.05,
        "timeout_seconds": 60,
    }
    return command | changes


def records(agent: LocalAgent, command: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    answer = list(agent.run(command))
    assert answer[-1]["record"] == "end", answer[-1]
    return [record for record in answer if record["record"] == kind]


def test_hello_says_what_machine_and_runtime_it_is(agent: LocalAgent) -> None:
    assert agent.hello["cores"] == os.cpu_count()
    assert agent.hello["tensorflow"].startswith(("1.", "2."))
    assert {"python", "numpy", "kernel", "machine", "processor_name", "boot_id", "rails"} <= agent.hello.keys()
    assert agent.hello["agent_sha256"] == hashlib.sha256(AGENT).hexdigest()
    assert agent.hello["process"] == agent.process


def test_every_input_is_timed_equally_often_in_whole_rotations(agent: LocalAgent, folder: Path) -> None:
    (samples,) = records(agent, block(folder), "samples")
    timed = [name for name, warmup in zip(samples["input_id"], samples["warmup"], strict=True) if not warmup]
    assert timed == ["image0", "image1", "image2"] * 2  # 4 runs at least
    assert samples["warmup"] == [True] * 2 + [False] * 6
    assert all(duration > 0 for duration in samples["duration_s"])
    assert samples["start_s"] == sorted(samples["start_s"])
    assert set(samples["tokens"]) == {None}


def test_a_block_stops_at_its_most_runs_but_runs_one_rotation(agent: LocalAgent, folder: Path) -> None:
    (samples,) = records(agent, block(folder, seconds=50, maximum_runs=2), "samples")
    assert samples["warmup"].count(False) == 3


def test_each_process_and_dequantization_gives_the_same_outputs(agent: LocalAgent, folder: Path) -> None:
    modes = ("every_inference", "every_inference", "once")
    answers = [records(agent, block(folder, dequantization=mode), "outputs")[0]["digests"] for mode in modes]
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0].values())) == 3


def test_tokens_are_the_length_of_an_integer_output(agent: LocalAgent, folder: Path) -> None:
    command = block(
        folder,
        artifact=sha256(folder / "translation.pb"),
        inputs=sha256(folder / "sentences.npz"),
        input_ids=["s2", "s5"],
        warmup_runs=1,
        minimum_runs=2,
    )
    (samples,) = records(agent, command, "samples")
    assert samples["tokens"] == [2, 2, 5]


def test_memory_is_told_at_each_phase_and_a_worker_without_a_model_holds_less(agent: LocalAgent, folder: Path) -> None:
    control = records(agent, block(folder, kind="control", artifact=None, dequantization=None), "memory")
    model = records(agent, block(folder), "memory")
    assert [record["phase"] for record in control] == ["start", "loaded", "first", "last"]
    assert [record["phase"] for record in model] == ["start", "loaded", "first", "last"]
    for record in control + model:
        assert record["vm_hwm"] is None or record["vm_hwm"] >= record["rss"] > 1 << 20
    assert model[-1]["rss"] > control[-1]["rss"] + (1 << 20)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [(1, "5"), (2, "09"), (5, "02479"), (10, "0123456789"), (12, "012234567789")],
)
def test_profiled_runs_are_spread_over_the_inputs(runs: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences come in the order of their lengths; the first traced run is not reported."""
    seen: list[str] = []

    class Network:
        def __init__(self, command: Any, feeds: Any) -> None: ...

        def profile(self, input_id: str) -> dict[str, Any]:
            seen.append(input_id)
            return {}

    monkeypatch.setattr(worker, "_feeds", lambda command: {})
    command = {"input_ids": list("0123456789"), "profiled_runs": runs, "warmup_runs": 0, "warmup_seconds": 0.0}
    sent: list[dict[str, Any]] = []
    worker._operations(SimpleNamespace(Network=Network), command, sent.append)
    assert "".join(seen[1:]) == expected
    assert [record["run"] for record in sent] == list(range(1, runs + 1))


def test_dequantization_runs_in_every_inference_or_once(agent: LocalAgent, folder: Path) -> None:
    def dequantizing(mode: str) -> list[set[str]]:
        runs = records(agent, block(folder, kind="operations", dequantization=mode), "operations")
        assert [run["run"] for run in runs] == [1, 2]
        assert all("MatMul" in map(base_type, run["type"]) and min(run["duration_s"]) >= 0 for run in runs)
        return [
            {kind for name, kind in zip(run["operation"], run["type"], strict=True) if name.startswith("dequantize/")}
            for run in runs
        ]

    assert all({"Cast", "Mul"} <= kinds for kinds in dequantizing("every_inference"))
    assert all(kinds <= {"Const"} for kinds in dequantizing("once"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ({"command": "dance"}, "malformed command: 'command' is one of block, has, put, state, clean, quit"),
        ({"command": "block"}, "malformed command: the block lacks 'kind'"),
        ({"command": "has", "sha256": ["../../etc/passwd"]}, "malformed command: '../../etc/passwd' is not a SHA-256"),
        ({"command": "has", "sha256": 5}, "malformed command: 'int' object is not iterable"),
        ({"command": "put", "sha256": "0" * 64, "bytes": -1}, "malformed command: 'bytes' cannot be -1"),
    ],
)
def test_a_malformed_command_is_one_line_and_not_the_end(agent: LocalAgent, command: Any, message: str) -> None:
    assert list(agent.run(command)) == [{"record": "error", "error": message}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": "two"}, "'threads' cannot be 'two'"),
        ({"kind": "guess"}, "'kind' is one of"),
        ({"dequantization": None}, "'dequantization' is one of"),
        ({"input_ids": ["image9"]}, "has no input image9"),
        ({"artifact": "0" * 64}, "the artifact 0000000000000000... is not on this machine: put it first"),
        ({"artifact": "/etc/passwd"}, "'/etc/passwd' is not a SHA-256"),
        ({"processor": "gpu"}, "this TensorFlow finds no GPU; set the device's processor to cpu"),
    ],
)
def test_a_block_that_cannot_run_says_why(agent: LocalAgent, folder: Path, changes: Any, message: str) -> None:
    last = list(agent.run(block(folder, **changes)))[-1]
    assert last["record"] == "error"
    assert message in last["error"]


def test_a_file_that_is_no_graph_is_one_line(agent: LocalAgent, folder: Path) -> None:
    last = list(agent.run(block(folder, artifact=sha256(folder / "broken.pb"))))[-1]
    assert last["record"] == "error"
    assert "\n" not in last["error"]


def test_a_worker_that_dies_or_hangs_is_reported_and_the_agent_lives_on(agent: LocalAgent, folder: Path) -> None:
    answer = []
    for record in agent.run(block(folder, seconds=50, maximum_runs=10**9)):
        answer.append(record)
        if record.get("phase") == "first":
            (worker,) = children(agent.process)
            os.kill(worker, signal.SIGKILL)
    assert answer[-1] == {"record": "error", "error": "the worker was ended by signal 9"}

    late = list(agent.run(block(folder, seconds=50, maximum_runs=10**9, timeout_seconds=1.5)))
    assert late[-1] == {"record": "error", "error": "the worker ran past its time limit"}

    assert list(agent.run(block(folder)))[-1]["record"] == "end"


def test_outputs_are_told_in_full(agent: LocalAgent, folder: Path) -> None:
    found = values(agent.run(block(folder, kind="outputs")))
    assert list(found) == ["image0", "image1", "image2"]
    np.testing.assert_array_equal(found["image2"], np.full((1, 4), 2, np.float32) @ (WEIGHTS * SCALE))


def test_a_power_block_idles_before_and_after_its_inferences(agent: LocalAgent, folder: Path) -> None:
    (windows,) = records(agent, block(folder, kind="power", seconds=0.2), "windows")
    assert windows["runs"] % 3 == 0
    (idle_begin, idle_end), (begin, end_), (tail_begin, tail_end) = (
        windows[phase] for phase in ("idle_before", "block", "idle_after")
    )
    assert idle_end - idle_begin >= 0.1
    assert idle_end <= begin
    assert end_ - begin >= 0.2
    assert tail_begin - end_ >= 0.05
    assert tail_end - tail_begin >= 0.1


def test_a_state_tells_what_may_change(agent: LocalAgent) -> None:
    state, _ = agent.run({"command": "state"})
    assert state["disk_free"] > 0
    assert state["memory_available"] > 0
    assert {"load", "unix_s", "monotonic_s", "clock", "celsius", "cooling", "sensor"} <= state.keys()


def test_files_are_kept_by_their_digest_and_only_whole(agent: LocalAgent, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content\n" * 1000)
    digest, other = sha256(file), "0" * 64
    put = {"command": "put", "bytes": file.stat().st_size}
    connection = agent._connection

    def has(*digests: str) -> list[str]:
        answer, _ = agent.run({"command": "has", "sha256": digests})
        return answer["sha256"]

    assert has(digest) == []
    refused = list(connection.run(put | {"sha256": other}, file))
    assert refused == [{"record": "error", "error": f"a file came with the SHA-256 {digest}, not {other}"}]
    assert list(connection.run(put | {"sha256": digest}, file))[-1]["record"] == "end"
    assert has(other, digest) == [digest]


def test_a_lock_that_is_held_keeps_an_agent_away(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("a+") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        holder.write("somebody (process 1)")
        holder.flush()
        with pytest.raises(StudyError, match=r"in use by somebody \(process 1\)"), LocalAgent(lock=lock):
            pass


def test_an_agent_whose_user_has_no_name_takes_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    os.close(take_lock(str(tmp_path / "lock"), 0.0, Host(0, io.StringIO(), None)))
    assert (tmp_path / "lock").read_text().startswith(f"user {os.getuid()} (process {os.getpid()}")


def test_an_agent_and_its_worker_end_with_their_host(agent: LocalAgent, folder: Path) -> None:
    left = []
    for record in agent.run(block(folder, seconds=50, maximum_runs=10**9)):
        if record.get("phase") == "first":
            left = [agent.process, *children(agent.process)]
            assert agent._connection.process.stdin
            agent._connection.process.stdin.close()
            break
    assert len(left) == 2
    agent._connection.process.wait(10)
    assert end(*left)
    agent.reconnect()
    assert list(agent.run(block(folder)))[-1]["record"] == "end"
