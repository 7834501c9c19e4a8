"""The agent as the host sees it: commands in, records out, over one real process and a tiny graph."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import pwd
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from processes import children, end

from tocompress.devices.agent import worker
from tocompress.devices.agent.generation import Room
from tocompress.devices.agent.host import Host, HostGone
from tocompress.devices.agent.lock import take_lock
from tocompress.devices.agent.server import Server
from tocompress.devices.local import LocalAgent
from tocompress.devices.program import AGENT
from tocompress.errors import StudyError
from tocompress.measurement.verification import values
from tocompress.runtimes.tensorflow.operations import base_type

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")

WEIGHTS = np.arange(12, dtype=np.uint8).reshape(4, 3)
SCALE = np.float32(0.5)
FILES = ("network.pb", "translation.pb", "broken.pb", "images.npz", "sentences.npz")
IMAGES = ["image0", "image1", "image2"]


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
        "kind": "outputs",
        "artifact": sha256(folder / "network.pb"),
        "inputs": sha256(folder / "images.npz"),
        "input_ids": IMAGES,
        "dequantization": "every_inference",
        "processor": "cpu",
        "threads": 1,
        "inter_op_threads": 1,
        "warmup_runs": 2,
        "warmup_seconds": 0.0,
        "seconds": 0.0,
        "minimum_runs": 4,
        "profiled_runs": 2,
        "rails": [],
        "idle_seconds": 0.1,
        "tail_seconds": 0.05,
        "timeout_seconds": 60,
    }
    return command | changes


def generation(folder: Path, *members: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a command for residents of these blocks, which take turns with all images."""
    command = {
        "command": "generation",
        "members": [block(folder, kind="resident") | member for member in members],
        "batches": [IMAGES],
        "memory_share": 1.0,
        "slice_seconds": 0.0,
        "slice_runs": 4,
        "timeout_seconds": 60,
    }
    return command | changes


Turns = Sequence[Sequence[int]]


def orders(rounds: Sequence[Turns]) -> list[dict[str, Any]]:
    """Return the orders of a generation with these rounds of turns."""
    numbered = [{"command": "round", "number": number, "turns": turns} for number, turns in enumerate(rounds, 1)]
    return [*numbered, {"command": "finish"}]


def all_once(command: dict[str, Any]) -> list[list[int]]:
    """Return a round in which every member has a turn with the first batch."""
    return [[member, 0] for member in range(len(command["members"]))]


def answers(
    agent: LocalAgent, command: dict[str, Any], rounds: Sequence[Turns] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the records of a command. A generation has these rounds, or three in which all members take turns."""
    given = iter(orders([all_once(command)] * 3 if rounds is None else rounds)) if "members" in command else iter(())
    for record in agent.run(command):
        yield record
        if record["record"] in ("loaded", "round"):
            agent.order(next(given))


def records(
    agent: LocalAgent, command: dict[str, Any], kind: str, rounds: Sequence[Turns] | None = None
) -> list[dict[str, Any]]:
    answer = list(answers(agent, command, rounds))
    assert answer[-1]["record"] == "end", answer[-1]
    return [record for record in answer if record["record"] == kind]


def test_hello_says_what_machine_and_runtime_it_is(agent: LocalAgent) -> None:
    assert agent.hello["cores"] == os.cpu_count()
    assert agent.hello["tensorflow"].startswith(("1.", "2."))
    assert {"python", "numpy", "kernel", "machine", "processor_name", "boot_id", "rails"} <= agent.hello.keys()
    assert agent.hello["agent_sha256"] == hashlib.sha256(AGENT).hexdigest()
    assert agent.hello["process"] == agent.process


def rows(samples: dict[str, Any]) -> list[SimpleNamespace]:
    """Return the timed runs of a member's record."""
    columns = {name: column for name, column in samples.items() if isinstance(column, list)}
    return [SimpleNamespace(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def test_every_member_runs_a_slice_in_each_round_in_the_order_of_the_turns(agent: LocalAgent, folder: Path) -> None:
    random = np.random.default_rng(1)
    turns = [random.permutation([[member, batch] for member in range(3) for batch in range(2)]).tolist() for _ in "123"]
    command = generation(folder, {}, {}, {}, batches=[IMAGES[:2], IMAGES[2:]])
    members = {record["member"]: rows(record) for record in records(agent, command, "samples", turns)}
    runs = sorted(((run, member) for member, found in members.items() for run in found), key=lambda one: one[0].start_s)
    slices = dict.fromkeys((run.round, run.order, member, run.batch) for run, member in runs if run.round)
    assert list(slices) == [
        (number, order, member, batch)
        for number, chosen in enumerate(turns, 1)
        for order, (member, batch) in enumerate(chosen)
    ]
    for number, _, member, batch in slices:
        ran = [run for run in members[member] if (run.round, run.batch) == (number, batch)]
        timed = [run.input_id for run in ran if not run.warmup]
        assert timed == [IMAGES[:2] * 2, IMAGES[2:] * 4][batch]  # whole rotations, of 4 runs at least
        assert [run.warmup for run in ran] == [True] * (len(ran) - 4) + [False] * 4
        assert len(ran) > 4  # a process that has waited settles first
    loading = [run for run, _ in runs if not run.round]
    assert len(loading) == 3 * 2
    assert all(run.warmup for run in loading)
    assert all(run.duration_s > 0 and run.processor_s > 0 and run.tokens is None for run, _ in runs)


def test_each_process_and_dequantization_gives_the_same_outputs(agent: LocalAgent, folder: Path) -> None:
    members = [{"dequantization": mode} for mode in ("every_inference", "every_inference", "once")]
    answers = [record["digests"] for record in records(agent, generation(folder, *members), "outputs")]
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0].values())) == 3


def test_tokens_are_the_length_of_an_integer_output(agent: LocalAgent, folder: Path) -> None:
    translation = {
        "artifact": sha256(folder / "translation.pb"),
        "inputs": sha256(folder / "sentences.npz"),
        "input_ids": ["s2", "s5"],
    }
    (samples,) = records(agent, generation(folder, translation, batches=[["s2", "s5"]]), "samples")
    assert {(run.input_id, run.tokens) for run in rows(samples)} == {("s2", 2), ("s5", 5)}


def test_memory_is_told_at_each_phase_and_a_worker_without_a_model_holds_less(agent: LocalAgent, folder: Path) -> None:
    control = records(agent, block(folder, kind="control", artifact=None, dequantization=None), "memory")
    model = records(agent, generation(folder, {}), "memory")
    assert [record["phase"] for record in control] == ["start", "loaded", "first", "last"]
    assert [record["phase"] for record in model] == ["start", "loaded", "first", "last"]
    for record in control + model:
        assert record["vm_hwm"] is None or record["vm_hwm"] >= record["rss"] > 1 << 20
    assert model[-1]["rss"] > control[-1]["rss"] + (1 << 20)


def test_what_the_loading_takes_is_told_of_each_member(agent: LocalAgent, folder: Path) -> None:
    loading = records(agent, generation(folder, {}, {}), "loading")
    assert sorted(record["member"] for record in loading) == [0, 1]
    assert all(record["duration_s"] > 0 and record["processor_s"] > 0 for record in loading)


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
        (
            {"command": "dance"},
            "malformed command: 'command' is one of block, generation, has, put, state, modes, mode, clean, quit",
        ),
        ({"command": "block"}, "malformed command: the block lacks 'kind'"),
        ({"command": "has", "sha256": ["../../etc/passwd"]}, "malformed command: '../../etc/passwd' is not a SHA-256"),
        ({"command": "has", "sha256": 5}, "malformed command: 'int' object is not iterable"),
        ({"command": "put", "sha256": "0" * 64, "bytes": -1}, "malformed command: 'bytes' cannot be -1"),
    ],
)
def test_a_malformed_command_is_one_line_and_not_the_end(agent: LocalAgent, command: Any, message: str) -> None:
    (answer,) = agent.run(command)
    assert (answer["record"], answer["error"], answer.get("member")) == ("error", message, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": "two"}, "'threads' cannot be 'two'"),
        ({"threads": True}, "'threads' cannot be True"),
        ({"kind": "resident"}, "'kind' is one of"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": []}, "'members' is empty"),
        ({"members": {}}, "'members' cannot be {}"),
        ({"members": [5]}, ""),
        ({"members": [{"kind": "resident"}]}, "the block lacks 'artifact'"),
        ({"slice_runs": True}, "'slice_runs' cannot be True"),
        ({"slice_seconds": -1}, "'slice_seconds' cannot be -1"),
        *(({"batches": batches}, "") for batches in ([5], [[]], [["image9"]], [[["image0"]]], [None])),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_malformed_generation_is_one_line_before_anything_is_loaded(
    agent: LocalAgent, folder: Path, changes: Any, message: str
) -> None:
    (answer,) = agent.run(generation(folder, {}, {}) | changes)
    assert answer["record"] == "error"
    assert answer["error"].startswith(f"malformed command: {message}")
    assert "\n" not in answer["error"]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("finish", "a generation takes 'round' and 'finish' only"),
        ({"command": "state"}, "a generation takes 'round' and 'finish' only"),
        ({"command": "round", "turns": []}, "the round lacks 'number'"),
        ({"command": "round", "number": 1.5, "turns": []}, "'number' cannot be 1.5"),
        ({"command": "round", "number": -1, "turns": []}, "'number' cannot be -1"),
        ({"command": "round", "number": 1, "turns": None}, "'turns' cannot be None"),
        *(
            ({"command": "round", "number": 1, "turns": [[0, 0], turn]}, "'turns' holds pairs of the places")
            for turn in (
                5, [], [1], [1, 2, 3], ["a", 0], "a0", [1.5, 0], [1.0, 0], [True, 0], [0, True], [2, 0], [-1, 0],
                [0, 1], [None, 0], {"a": 0, "b": 0}, None,
            )
        ),
    ],
    ids=lambda value: str(value)[-40:],
)  # fmt: skip
def test_a_malformed_order_is_one_line_and_ends_the_generation(
    agent: LocalAgent, folder: Path, order: Any, message: str
) -> None:
    answer = []
    for record in agent.run(generation(folder, {}, {})):
        answer.append(record)
        if record["record"] == "loaded":
            agent.order(order)
    assert answer[-1]["error"].startswith(f"malformed command: {message}")
    assert not {"round", "samples"} & {record["record"] for record in answer}
    assert children(agent.process) == []


def test_a_member_that_cannot_be_loaded_names_itself_and_ends_the_others(agent: LocalAgent, folder: Path) -> None:
    last = list(answers(agent, generation(folder, {}, {"artifact": sha256(folder / "broken.pb")}, {})))[-1]
    assert (last["record"], last["member"]) == ("error", 1)
    assert children(agent.process) == []


@pytest.mark.parametrize("victim", [0, 2])
def test_a_member_that_dies_names_itself_even_where_it_waited(agent: LocalAgent, folder: Path, victim: int) -> None:
    answer = []
    for record in answers(agent, generation(folder, {}, {}, {}, slice_seconds=0.1), [[[1, 0]]] * 3):
        answer.append(record)
        if record["record"] == "loaded":
            os.kill(sorted(children(agent.process))[victim], signal.SIGKILL)
    assert answer[-1] == {"record": "error", "error": "the worker was ended by signal 9", "member": victim}
    assert children(agent.process) == []


def test_a_worker_that_hangs_is_reported_and_the_agent_lives_on(agent: LocalAgent, folder: Path) -> None:
    (late,) = agent.run(block(folder, kind="power", seconds=50, timeout_seconds=1.5))
    assert (late["record"], late["error"]) == ("error", "the worker ran past its time limit")

    late = list(answers(agent, generation(folder, {}, {}, slice_seconds=50, timeout_seconds=2), [[[1, 0]]]))[-1]
    assert late == {"record": "error", "error": "the worker ran past its time limit", "member": 1}
    assert children(agent.process) == []

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
    assert [answer["error"] for answer in refused] == [f"a file came with the SHA-256 {digest}, not {other}"]
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


@pytest.mark.parametrize("gone", ["the host", "the agent"])
def test_residents_end_with_their_agent_and_it_with_its_host(agent: LocalAgent, folder: Path, gone: str) -> None:
    left = []
    for record in agent.run(generation(folder, {}, {}, {}, slice_seconds=50)):
        if record["record"] == "loaded":
            agent.order(orders([[[0, 0], [1, 0], [2, 0]]])[0])
            left = [agent.process, *children(agent.process)]
            if gone == "the agent":
                os.kill(agent.process, signal.SIGKILL)
            else:
                assert agent._connection.process.stdin
                agent._connection.process.stdin.close()
            break
    assert len(left) == 4
    agent._connection.process.wait(10)
    assert end(*left)
    agent.reconnect()
    assert list(agent.run(block(folder)))[-1]["record"] == "end"


# --- many residents, in an agent within this process ------------------------------------------------------------------


class _Product:
    """A network that needs no runtime."""

    def __init__(self, command: Any, feeds: Any) -> None: ...

    def run(self, input_id: str) -> np.ndarray:
        return np.zeros((1, 1), np.float32)


def serve(folder: Path, board: Path, silence: float | None, *commands: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an agent on a board answers to these commands of a host that stays, silent once all are loaded."""
    (board / "files").mkdir(parents=True)
    for name in FILES:
        (board / "files" / sha256(folder / name)).symlink_to(folder / name)
    reader, writer = os.pipe()
    answered, ended = board / "answers", threading.Event()

    def show_life() -> None:
        while '"loaded"' not in answered.read_text() and not ended.wait(0.1):
            os.write(writer, b"\n")

    with answered.open("w") as output, ThreadPoolExecutor(1) as host_of_board:
        os.write(writer, b"".join(json.dumps(command).encode() + b"\n" for command in commands))
        alive = host_of_board.submit(show_life)
        try:
            with suppress(HostGone):
                Server(Host(reader, output, silence), str(board), str(board), SimpleNamespace(Network=_Product)).serve()
        finally:
            ended.set()
            alive.result()
            os.close(reader)
            os.close(writer)
    return [json.loads(line) for line in answered.read_text().splitlines()]


@pytest.mark.parametrize("rounds", [[], [[[0, 0], [1, 0]] * 1000]], ids=["before a round", "amid short slices"])
def test_a_silent_host_is_noticed(folder: Path, tmp_path: Path, rounds: list[Turns]) -> None:
    before = children(os.getpid())
    command = generation(folder, {}, {}, slice_seconds=0.01)
    told = serve(folder, tmp_path / "board", 3.0, command, *orders(rounds)[:-1])
    assert "loaded" in {answer["record"] for answer in told}
    assert not {"round", "samples", "end"} & {answer["record"] for answer in told}
    assert children(os.getpid()) == before


@pytest.mark.parametrize("cores", [1, 16])
@pytest.mark.parametrize(("available", "loaded"), [(1, [0, 1]), (10**9, [0, 1, 2, 3])])
def test_members_that_memory_does_not_hold_are_left_out_but_for_the_first_two(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, available: int, loaded: list[int]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(cores))
    board = tmp_path / "board"
    (board / "proc").mkdir(parents=True)
    (board / "proc/meminfo").write_text(f"MemAvailable: {available} kB\n")
    command = generation(folder, {}, {}, {}, {})
    told = serve(folder, board, None, command, *orders([all_once(command)] * 3), {"command": "quit"})
    (members,) = (answer["members"] for answer in told if answer["record"] == "loaded")
    assert members == loaded
    assert sorted(answer["member"] for answer in told if answer["record"] == "samples") == loaded
    assert told[-1]["record"] == "end"


def test_room_is_left_for_the_peaks_of_those_that_load(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemAvailable: 1000 kB\n")
    room = Room(str(tmp_path), 1.0)
    start, peak, after = ({"vm_hwm": 1024 * hwm, "rss": 1024 * 50, "nvmap": None, "uss": 1024 * uss} for hwm, uss in (
        (50, 0), (350, 100), (200, 200),
    ))  # fmt: skip
    room.add([start, peak, after])  # holds 200 kB, has grown by 300 kB
    assert [room.holds(more) for more in (1, 2, 3)] == [True, True, False]  # of 900 kB


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_residents_that_wait_do_not_change_the_time_of_one(agent: LocalAgent, folder: Path, tmp_path: Path) -> None:
    import tensorflow.compat.v1 as tf

    weights = np.random.default_rng(1).normal(size=(256, 256)).astype(np.float32)
    with tf.Graph().as_default() as graph:  # about a millisecond
        tf.matmul(tf.placeholder(tf.float32, [None, 256], "input"), weights, name="output")
    (tmp_path / "product.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.savez(tmp_path / "matrix.npz", **{"image0/input": weights})
    for name in ("product.pb", "matrix.npz"):
        agent.send(tmp_path / name, sha256(tmp_path / name))
    member = {"artifact": sha256(tmp_path / "product.pb"), "inputs": sha256(tmp_path / "matrix.npz")}
    member |= {"input_ids": ["image0"]}

    def tenth_percentile(residents: int) -> float:
        command = generation(folder, *[member] * residents, batches=[["image0"]], slice_seconds=0.02)
        samples, *_ = records(agent, command, "samples", [all_once(command)] * 8)
        return float(np.quantile([run.duration_s for run in rows(samples) if not run.warmup], 0.1))

    alone, crowded = zip(*((tenth_percentile(1), tenth_percentile(18)) for _ in range(3)), strict=True)
    assert min(crowded) == pytest.approx(min(alone), rel=0.25)
