"""The power modes of a simulated board: listed, set, refused, and always given back."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import children, end
from simulated_modes import FORBIDDEN, MODES, REBOOT, Jetson, governors, jetson, on_path
from sshd import server

from tocompress.devices import Agent, AgentFailed, answered, ssh
from tocompress.devices.agent import modes
from tocompress.devices.local import LocalAgent
from tocompress.errors import StudyError
from tocompress.settings.device import SshDevice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jetson:
    return on_path(jetson(tmp_path), monkeypatch)


def agent_on(root: Path) -> LocalAgent:
    """Return an agent that holds the machine, or waits for it."""
    return LocalAgent(root=root, runtime="litert", lock=root.parent / "lock", patience=30.0)


def change(agent: Agent, name: str | None) -> dict[str, Any]:
    return answered(agent.run({"command": "mode", "name": name}))[0]


def test_a_board_lists_its_modes_and_is_left_in_the_one_that_it_had(board: Jetson) -> None:
    with agent_on(board.root) as agent:
        told = answered(agent.run({"command": "modes"}))[0]
        assert told == {"record": "modes", "modes": list(MODES), "mode": "15W", "refusal": None}
        cores = len(os.sched_getaffinity(0))
        for name in ("MAXN", "25W"):
            told = {"record": "mode", "mode": name, "cores": cores, "cores_online": None}
            assert change(agent, name) == told
        (guardian,) = children(agent.process)
        assert change(agent, None)["mode"] == board.mode == "15W"
        assert end(guardian)
    assert board.changes == ["MAXN", "25W", "15W"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("20W", "no power mode '20W' here; there is MAXN, 15W, 25W"),
        (REBOOT, "the power mode MAXN_SUPER cannot be set: the board would have to reboot"),
        (FORBIDDEN, "the power mode FORBIDDEN cannot be set: NVPM ERROR: Permission denied"),
    ],
)
def test_a_mode_that_cannot_be_set_is_refused_in_one_line(board: Jetson, name: str, reason: str) -> None:
    with agent_on(board.root) as agent:
        with pytest.raises(AgentFailed) as refused:
            change(agent, name)
        assert reason in str(refused.value) and "\n" not in str(refused.value)
    assert board.mode == "15W"


def test_only_the_agent_that_holds_the_machine_changes_its_mode(board: Jetson) -> None:
    with LocalAgent(root=board.root, runtime="litert") as agent, pytest.raises(AgentFailed, match="holds the machine"):
        change(agent, "MAXN")
    assert board.changes == []


def test_a_guardian_restores_the_mode_of_an_agent_that_is_killed_before_another_may_begin(board: Jetson) -> None:
    with agent_on(board.root) as agent:
        change(agent, "MAXN")
        os.kill(agent.process, signal.SIGKILL)
        agent.reconnect()
        assert board.mode == "15W"
        change(agent, "25W")
    wait_for(board, "15W")
    assert board.changes == ["MAXN", "15W", "25W", "15W"]


def test_the_next_agent_restores_the_mode_where_the_guardian_was_killed_too(board: Jetson) -> None:
    with agent_on(board.root) as agent:
        change(agent, "MAXN")
        (guardian,) = children(agent.process)
        os.kill(guardian, signal.SIGKILL)
        os.kill(agent.process, signal.SIGKILL)
        assert end(guardian)
    assert board.mode == "MAXN"
    with agent_on(board.root):
        assert board.mode == "15W"
    board.state.write_text("0\n")  # by hand
    with agent_on(board.root):
        assert board.mode == "MAXN"


def test_a_mode_that_cannot_be_restored_refuses_the_next_agent_in_one_line(board: Jetson) -> None:
    with agent_on(board.root) as agent:
        change(agent, "MAXN")
        os.kill(children(agent.process)[0], signal.SIGKILL)
    note = board.root / "var/tmp/tocompress.mode"
    note.write_text(json.dumps({"nvpmodel": str(MODES.index(FORBIDDEN))}))
    with pytest.raises(StudyError, match=r"an earlier session was cut off: .*; set it by hand$"):
        agent_on(board.root).__enter__()
    board.state.write_text(f"{MODES.index(FORBIDDEN)}\n")
    with agent_on(board.root):
        assert note.read_text() == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nvpmodel": "--force"}', '{"etc/passwd": "0"}', '{"nvpmodel": 1}'])
def test_a_note_of_somebody_else_changes_nothing(board: Jetson, text: str) -> None:
    note = board.root / "var/tmp/tocompress.mode"
    note.parent.mkdir(parents=True)
    note.write_text(text)
    modes.restore_found(str(board.root))
    assert board.changes == []


def test_without_nvpmodel_the_modes_are_governors_and_each_policy_gets_its_own_back(tmp_path: Path) -> None:
    files = governors(tmp_path / "root", ["schedutil", "powersave"])
    with agent_on(tmp_path / "root") as agent:
        told = answered(agent.run({"command": "modes"}))[0]
        assert told["modes"] == ["performance", "powersave", "schedutil"]
        assert told["mode"] == "powersave, schedutil"
        change(agent, "performance")
        assert [file.read_text() for file in files] == ["performance", "performance"]
        change(agent, None)
    assert [file.read_text() for file in files] == ["schedutil", "powersave"]


def test_a_machine_without_knobs_has_no_modes(tmp_path: Path) -> None:
    with agent_on(tmp_path / "root") as agent:
        told = answered(agent.run({"command": "modes"}))[0]
        assert told["modes"] == [] and told["refusal"] == "it has neither nvpmodel nor governors"
        with pytest.raises(AgentFailed, match="no power mode 'MAXN' here; there is none"):
            change(agent, "MAXN")


def test_a_user_who_is_not_root_needs_sudo_without_a_password(board: Jetson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sudo = board.programs / "sudo"
    sudo.write_text('#!/bin/sh\necho "sudo: a password is required" >&2; exit 1\n')
    sudo.chmod(0o755)
    assert str(modes.refusal(str(board.root))).endswith("sudo: a password is required")
    sudo.write_text('#!/bin/sh\n[ "$1" = -n ] && shift\n[ "$1" = -l ] && exit 0\nexec "$@"\n')
    assert modes.refusal(str(board.root)) is None
    assert board.changes == []
    modes._change(str(board.root), {"nvpmodel": "2"})
    assert board.mode == "25W"


def test_a_cut_connection_costs_a_board_no_mode(board: Jetson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(ssh, "_PAUSES", (0.1, 0.1, 0.1))
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nPATH={board.programs}:$PATH exec {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    (tmp_path / "sshd").mkdir()
    with server(tmp_path / "sshd") as running:
        device = SshDevice(
            transport="ssh", host="board", threads=1, interpreter=str(interpreter), folder=str(tmp_path / "cache"),
            root=str(board.root), ssh_config=str(running.config),
        )  # fmt: skip
        with ssh.SshAgent(device, name="board", patience=30.0, runtime="litert") as agent:
            change(agent, "MAXN")
            for process in running.sessions:
                os.kill(process, signal.SIGKILL)
            agent.reconnect()
            assert board.mode == "15W"
            change(agent, "25W")
        wait_for(board, "15W")
    assert board.changes == ["MAXN", "15W", "25W", "15W"]


def wait_for(board: Jetson, mode: str) -> None:
    deadline = time.monotonic() + 10
    while board.mode != mode and time.monotonic() < deadline:
        time.sleep(0.05)
    assert board.mode == mode
