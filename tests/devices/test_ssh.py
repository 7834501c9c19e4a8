"""The agent over a real OpenSSH, whose server runs here; an empty TensorFlow mostly stands for the real one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import alive, children, end
from sshd import Server, server
from stand_in import executable, interpreter

from tocompress.devices import ConnectionLost, Record, connection, ssh
from tocompress.devices.program import AGENT, FOLDER, program
from tocompress.devices.ssh import SshAgent
from tocompress.errors import StudyError
from tocompress.measurement.verification import values
from tocompress.runtimes.tensorflow.protocol_buffers import DT_FLOAT, GraphDef
from tocompress.settings.device import SshDevice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")

WORKFLOW = Path(__file__).parents[2] / "workflow"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock that no study on this machine holds."""
    path = tmp_path / "lock"
    monkeypatch.setattr(ssh, "_LOCK", str(path))
    return path


@pytest.fixture
def device(board: Server, tmp_path: Path) -> SshDevice:
    """A board whose TensorFlow is a stand-in."""
    return SshDevice(
        transport="ssh",
        host="board",
        threads=1,
        interpreter=str(interpreter(tmp_path)),
        folder=str(tmp_path / "on the board"),
        ssh_config=str(board.config),
    )


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """The product of its input, a matrix, with itself."""
    graph = GraphDef()
    graph.node.add(name="input", op="Placeholder").attr["dtype"].type = DT_FLOAT
    graph.node.add(name="output", op="MatMul", input=["input", "input"]).attr["T"].type = DT_FLOAT
    path = tmp_path / "network.pb"
    path.write_bytes(graph.SerializeToString())
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "inputs.npz"
    np.savez(path, **{"image0/input": np.array([[1, 2], [3, 4]], np.float32)})
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def block(artifact: Path, inputs: Path) -> Callable[..., Record]:
    """Commands of blocks, for an agent that has the files of `send_files`."""

    def command(**changes: Any) -> Record:
        return {
            "command": "block",
            "kind": "outputs",
            "artifact": sha256(artifact),
            "inputs": sha256(inputs),
            "input_ids": ["image0"],
            "dequantization": "once",
            "processor": "cpu",
            "threads": 1,
            "inter_op_threads": 1,
            "warmup_runs": 1,
            "warmup_seconds": 0,
            "seconds": 0,
            "minimum_runs": 1,
            "profiled_runs": 1,
            "rails": [],
            "idle_seconds": 0,
            "tail_seconds": 0,
            "timeout_seconds": 60,
        } | changes

    return command


@pytest.fixture
def lasting(block: Callable[..., Record]) -> Record:
    """A command for one resident, whose slice lasts long."""
    return {
        "command": "generation",
        "members": [block(kind="resident")],
        "batches": [["image0"]],
        "memory_share": 1.0,
        "slice_seconds": 50,
        "slice_runs": 1,
        "timeout_seconds": 60,
    }


ROUND: Record = {"command": "round", "number": 1, "turns": [[0, 0]]}


def begun(agent: SshAgent, generation: Record) -> Iterator[Record]:
    """Yield the records of a generation whose first round is ordered."""
    for record in agent.run(generation):
        if record["record"] == "loaded":
            agent.order(ROUND)
        yield record


def send_files(agent: SshAgent, *files: Path) -> None:
    for file in files:
        agent.send(file, sha256(file))


def processes(agent: SshAgent) -> list[int]:
    """The agent's process and its workers; the "board" is this machine."""
    agent_process = agent.hello["process"]
    return [agent_process, *children(agent_process)]


def free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def altered_agent(folder: Path, silence: float) -> bytes:
    """An agent that misses its host sooner."""
    path = shutil.copytree(FOLDER, folder / "agent") / "host.py"
    path.write_text(path.read_text().replace("SILENCE = 120.0", f"SILENCE = {silence}"))
    altered = program(path.parent)
    assert altered != AGENT
    return altered


def test_blocks_run_in_the_runtime_of_the_board(
    device: SshDevice, artifact: Path, inputs: Path, block: Callable[..., Record]
) -> None:
    real = device.model_copy(update={"interpreter": sys.executable})
    with SshAgent(real, name="tx2") as agent:
        assert agent.hello["tensorflow"].startswith(("1.", "2."))
        send_files(agent, artifact, inputs)
        output = values(agent.run(block(kind="outputs")))["image0"]
    np.testing.assert_array_equal(output, [[7, 10], [15, 22]])
    assert not alive(agent.hello["process"])


def test_a_long_folder_for_temporary_files_is_no_hindrance(
    device: SshDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "100% temporary" / ("t" * 90)
    place.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with SshAgent(device, name="board") as agent:
        assert agent.hello["record"] == "hello"


def test_files_are_sent_once_and_again_when_they_are_damaged(device: SshDevice, inputs: Path) -> None:
    folder = Path(device.folder)

    def stored() -> dict[str, tuple[int, int]]:
        with SshAgent(device, name="tx2") as agent:
            send_files(agent, inputs)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    first = stored()
    assert stored() == first
    assert {*first} == {sha256(inputs), f"agent-{hashlib.sha256(AGENT).hexdigest()[:16]}.zip"}
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])
    assert stored().keys() == first.keys()
    assert sha256(folder / "files" / sha256(inputs)) == sha256(inputs)


def test_all_that_was_sent_is_removed_and_nothing_else(device: SshDevice, inputs: Path) -> None:
    folder = Path(device.folder)
    with SshAgent(device, name="tx2") as agent:
        send_files(agent, inputs)
        (folder / "files/mine.txt").touch()
        agent.clean()
        assert [path.name for path in folder.rglob("*")] == ["files", "mine.txt"]
        (folder / "files/mine.txt").unlink()
        agent.clean()
    assert not folder.exists()


@pytest.mark.parametrize("cut", ["server", "client", "agent"])
def test_a_cut_connection_leaves_nothing_behind_and_can_be_made_again(
    board: Server, device: SshDevice, artifact: Path, inputs: Path, block: Callable[..., Record], lasting: Record,
    lock: Path, cut: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(ssh, "_PAUSES", (0.0, 0.5, 1.0))
    with SshAgent(device, name="tx2") as agent:
        send_files(agent, artifact, inputs)
        left = []
        with pytest.raises(ConnectionLost, match="tx2: ended with exit code"):
            for record in begun(agent, lasting):
                if record["record"] == "loaded":
                    left = processes(agent)
                    victims = {
                        "server": board.sessions,
                        "client": [agent._connection.process.pid],
                        "agent": [agent.hello["process"]],
                    }
                    for process in victims[cut]:
                        os.kill(process, signal.SIGKILL)
        assert len(left) == 2
        assert end(*left)
        assert free(lock)
        agent.reconnect()
        assert list(agent.run(block()))[-1]["record"] == "end"


def test_a_board_that_hangs_is_given_up_and_its_agent_ended(
    device: SshDevice, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_PAUSES", (0.0,))
    monkeypatch.setattr(connection, "_SECONDS_TO_ANSWER", 1.0)
    with SshAgent(device, name="tx2") as agent:
        hanging = agent.hello["process"]
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(ConnectionLost, match=r"tx2: no answer for 1 s"):
            list(agent.run({"command": "state"}))
        agent.reconnect()
        assert end(hanging)
        assert not free(lock)


def test_a_board_that_stops_taking_a_file_is_given_up_and_its_agent_ended(
    device: SshDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SECONDS_TO_ANSWER", 1.0)
    large = tmp_path / "large"
    large.write_bytes(bytes(20_000_000))
    with pytest.raises(ConnectionLost, match=r"tx2: no answer for 1 s"), SshAgent(device, name="tx2") as agent:
        os.kill(agent.hello["process"], signal.SIGSTOP)
        list(agent._connection.run({"command": "put", "sha256": sha256(large), "bytes": 20_000_000}, large))
    assert end(agent.hello["process"])


def test_a_board_that_has_rebooted_ends_the_session(
    device: SshDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_PAUSES", (0.0,))
    boot_id = tmp_path / "root/proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("first\n")
    with SshAgent(device.model_copy(update={"root": str(tmp_path / "root")}), name="tx2") as agent:
        boot_id.write_text("second\n")
        with pytest.raises(StudyError, match="tx2: rebooted in the middle of the session"):
            agent.reconnect()


def test_a_board_that_stays_away_is_given_up(
    board: Server, device: SshDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_PAUSES", (0.0, 0.0, 0.0))
    config = tmp_path / "config"
    config.write_text(board.config.read_text())
    with SshAgent(device.model_copy(update={"ssh_config": str(config)}), name="tx2") as agent:
        config.write_text(board.config.read_text().replace(f"Port {board.port}", "Port 1"))
        with pytest.raises(StudyError, match=r"tx2: board cannot be reached.*given up after 3 tries"):
            agent.reconnect()


def test_an_agent_ends_when_its_host_is_killed(
    device: SshDevice, artifact: Path, inputs: Path, lasting: Record, lock: Path
) -> None:
    program = f"""
import json, pathlib
from tocompress.devices import ssh
from tocompress.settings.device import SshDevice
ssh._LOCK = {str(lock)!r}
with ssh.SshAgent(SshDevice.model_validate_json({device.model_dump_json()!r}), name="tx2") as agent:
    agent.send(pathlib.Path({str(artifact)!r}), {sha256(artifact)!r})
    agent.send(pathlib.Path({str(inputs)!r}), {sha256(inputs)!r})
    print(agent.hello["process"], flush=True)
    for record in agent.run({lasting!r}):
        if record["record"] == "loaded":
            agent.order({ROUND!r})
        print(record["record"], flush=True)
"""
    command = [sys.executable, "-c", program]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(WORKFLOW)})
    assert host.stdout
    agent_process = int(host.stdout.readline())
    while host.stdout.readline().strip() != "loaded":
        pass
    left = [agent_process, *children(agent_process)]
    host.kill()
    host.communicate()
    assert len(left) == 2
    assert end(*left)
    assert free(lock)


def test_an_agent_ends_when_it_hears_nothing_of_its_host(
    device: SshDevice, artifact: Path, inputs: Path, lasting: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "AGENT", altered_agent(tmp_path, silence=2.0))
    with SshAgent(device, name="tx2") as agent:
        send_files(agent, artifact, inputs)
        with pytest.raises(ConnectionLost, match="exit code 1"):
            list(begun(agent, lasting))
    assert end(agent.hello["process"])


def test_a_second_study_waits_for_the_first_or_says_who_holds_the_board(
    device: SshDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The wait is longer than the silence that an agent bears.
    monkeypatch.setattr(ssh, "AGENT", altered_agent(tmp_path, silence=2.0))
    monkeypatch.setattr(connection, "_HEARTBEAT", 0.5)
    first = SshAgent(device, name="tx2")
    with first:
        holder = rf"in use by \w+ \(process {first.hello['process']}, since "
        with pytest.raises(StudyError, match=holder), SshAgent(device, name="tx2"):
            pass
        timer = threading.Timer(4.0, first._connection.quit)
        timer.start()
        with SshAgent(device, name="tx2", patience=60.0) as second:
            timer.join()
            assert list(second.run({"command": "state"}))[-1]["record"] == "end"
    waited = [line for line in capsys.readouterr().out.splitlines() if "waiting for" in line]
    assert waited[0].startswith("tx2: waiting for ")
    assert f"process {first.hello['process']}" in waited[0]


@pytest.mark.parametrize(
    ("trusted", "message"),
    [
        ("other_host_key.pub", r"tx2: board shows another host key than before: .*ssh-keygen -R"),
        (None, r"tx2: board has no known host key: connect once by hand, `ssh board`"),
    ],
)
def test_a_host_key_must_be_the_known_one(
    board: Server, device: SshDevice, tmp_path: Path, trusted: str | None, message: str
) -> None:
    careless = tmp_path / "config"
    careless.write_text(board.config.read_text() + "  StrictHostKeyChecking no\n")
    device = device.model_copy(update={"ssh_config": str(careless)})
    try:
        if trusted:
            board.trust(board.folder / trusted)
        else:
            board.known_hosts.write_text("")
        with pytest.raises(StudyError, match=message), SshAgent(device, name="tx2"):
            pass
    finally:
        board.trust(board.folder / "host_key.pub")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("user_key", "other_host_key"), r"tx2: board does not let us in without a password"),
        (
            ("HostName 127.0.0.1", "HostName nowhere.invalid"),
            r"tx2: board cannot be reached; .*Could not resolve hostname",
        ),
        (("Port ", "Port 1\n#"), r"tx2: board cannot be reached; is it on, and its address right\? .*refused"),
        (("IdentitiesOnly", "Identities"), r"tx2: board cannot be reached by this configuration of ssh"),
    ],
)
def test_a_board_that_ssh_cannot_reach_is_told_in_one_line(
    board: Server, device: SshDevice, tmp_path: Path, line: tuple[str, str], message: str
) -> None:
    config = tmp_path / "config"
    config.write_text(board.config.read_text().replace(*line))
    unreachable = device.model_copy(update={"ssh_config": str(config)})
    with pytest.raises(StudyError, match=message) as caught, SshAgent(unreachable, name="tx2"):
        pass
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def jump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("jump")) as running:
        yield running


@pytest.fixture
def behind(board: Server, jump: Server, device: SshDevice, tmp_path: Path) -> SshDevice:
    """The board behind a jump host, both known and both with the user's keys."""
    known = tmp_path / "known_hosts"
    known.write_text(board.known_hosts.read_text() + jump.known_hosts.read_text())
    hosts = [
        server.config.read_text().replace(f"{server.folder}/known_hosts", str(known)).replace("Host board", name)
        for name, server in (("Host board\n  ProxyJump jump", board), ("Host jump", jump))
    ]
    (tmp_path / "config").write_text("".join(hosts))
    return device.model_copy(update={"ssh_config": str(tmp_path / "config")})


def test_a_board_is_reached_through_a_jump_host(behind: SshDevice) -> None:
    with SshAgent(behind, name="tx2") as agent:
        assert agent.hello["tensorflow"]


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("known_hosts", ("[127.0.0.1]:{jump} ", "elsewhere "), "jump host jump shows a host key that is not known: .*"),
        ("known_hosts", ("[127.0.0.1]:{board} ", "elsewhere "), "has no known host key: .*No ED25519 host key"),
        ("known_hosts", ("[127.0.0.1]:{board} ", "@revoked * "), "shows a host key that known_hosts calls revoked"),
        ("config", ("{jump_folder}/user_key", "{jump_folder}/other_host_key"), "jump host jump does not let us in"),
        ("config", ("{board_folder}/user_key", "{board_folder}/other_host_key"), "does not let us in without a pass"),
        ("config", ("Port {jump}", "Port 1"), "jump host jump cannot be reached; .*port 1: Connection refused"),
        ("config", ("Port {board}", "Port 1"), "cannot be reached through its jump host jump; .*Connection refused"),
        (
            "config", ("Port {board}", "Port 1\n  RhostsRSAAuthentication yes"),
            "cannot be reached through its jump host jump; .*Connection refused",
        ),
        (
            "config", ("Port {jump}", "Port {jump}\n  HostKeyAlgorithms rsa-sha2-512"),
            "jump host jump shows no kind of host key that this ssh takes: .*no matching host key type found",
        ),
        (
            "config", ("Port {board}", "Port {board}\n  HostKeyAlgorithms rsa-sha2-512"),
            "shows no kind of host key that this ssh takes: .*no matching host key type found. Their offer",
        ),
        (
            "config", ("ProxyJump jump\n", "KexAlgorithms diffie-hellman-group1-sha1\n"),
            "and this ssh have no algorithm in common: .*no matching key exchange method found",
        ),
        ("config", ("ProxyJump jump", "ProxyCommand no-such-program"), "ProxyCommand `no-such-program` .*not found"),
        ("config", ("Port {board}", "Port none"), "cannot be reached by this configuration of ssh .*Bad port 'none'"),
    ],
    ids=[
        *("jump host's key", "board's key", "revoked key", "jump host's login", "board's login", "jump host's port"),
        *("board's port", "a warning first", "jump host's kind of key", "board's kind of key", "key exchange"),
        *("command", "configuration"),
    ],
)  # fmt: skip
def test_the_cause_is_named_and_whose_it_is(
    behind: SshDevice, board: Server, jump: Server, tmp_path: Path, file: str, line: tuple[str, str], message: str
) -> None:
    place = {"board": board.port, "jump": jump.port, "board_folder": board.folder, "jump_folder": jump.folder}
    old, new = (part.format(**place) for part in line)
    content = (tmp_path / file).read_text()
    assert old in content
    (tmp_path / file).write_text(content.replace(old, new))
    whose = "board's " if message.startswith(("jump", "ProxyC")) else "board "
    with pytest.raises(StudyError, match=f"^tx2: {whose}{message}"), SshAgent(behind, name="tx2"):
        pass


@pytest.mark.skipif(not shutil.which("setsid"), reason="needs util-linux")
def test_nothing_is_asked_at_a_terminal(behind: SshDevice, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    program = f"""
from tocompress.devices.ssh import SshAgent
from tocompress.settings.device import SshDevice
SshAgent(SshDevice.model_validate_json({behind.model_dump_json()!r}), name="tx2").__enter__()
"""
    ours, theirs = os.openpty()
    command = ["setsid", "--ctty", "--wait", sys.executable, "-c", program]
    environment = os.environ | {"PYTHONPATH": str(WORKFLOW)}
    finished = subprocess.run(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True, env=environment, timeout=60
    )
    assert "board's jump host jump shows a host key that is not known" in finished.stderr
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1000)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, r"tx2: the interpreter \S+ cannot be run \(.*not found\); name another, devices.tx2.interpreter"),
        ("echo 2 7 18", r"tx2: the interpreter \S+ is Python 2.7.18; name one from 3.6 on"),
        (
            f'exec {sys.executable} -S "$@"',
            r"tx2: \S+ cannot import TensorFlow \(ModuleNotFoundError.*install it there",
        ),
    ],
    ids=["no file", "too old", "no TensorFlow"],
)
def test_a_runtime_that_is_no_use_is_told_in_one_line(
    device: SshDevice, tmp_path: Path, script: str | None, message: str
) -> None:
    path = tmp_path / "other"
    if script:
        executable(path, script)
    useless = device.model_copy(update={"interpreter": str(path)})
    with pytest.raises(StudyError, match=message), SshAgent(useless, name="tx2"):
        pass


def test_a_folder_that_cannot_be_written_is_told_in_one_line(device: SshDevice) -> None:
    nowhere = device.model_copy(update={"folder": "/dev/null/tocompress"})
    with (
        pytest.raises(StudyError, match=r"tx2: cannot write to its folder /dev/null/tocompress \(.*Not a directory\)"),
        SshAgent(nowhere, name="tx2"),
    ):
        pass


def test_without_an_ssh_nothing_is_reached(device: SshDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match=r"tx2: there is no `ssh` on this machine"), SshAgent(device, name="tx2"):
        pass


def test_a_full_disk_is_told_in_one_line_and_the_agent_lives_on(device: SshDevice, tmp_path: Path) -> None:
    disk = Path(device.folder)
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    try:
        large = tmp_path / "large"
        large.write_bytes(bytes(2_000_000))
        with SshAgent(device, name="tx2") as agent:
            with pytest.raises(StudyError, match=r"tx2: .*no room for a file of 2 MB, 1 MB are free; clean the device"):
                send_files(agent, large)
            assert list(agent.run({"command": "state"}))[-1]["record"] == "end"
    finally:
        subprocess.run(["umount", str(disk)], check=True)
