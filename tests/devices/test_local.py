"""Starting and ending the agent's process, with small stand-ins for the interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from processes import alive, end

from tocompress.devices import ConnectionLost, connection
from tocompress.devices.local import LocalAgent
from tocompress.errors import StudyError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs /bin/sh")


def interpreter(folder: Path, script: str) -> Path:
    path = folder / "interpreter"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_an_agent_that_dies_is_told_by_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("what the job wrote before\n")
    dying = interpreter(tmp_path, "echo traceback >&2; echo 'no module named tensorflow' >&2; echo >&2; exit 3")
    with (
        pytest.raises(StudyError, match=r"ended with exit code 3: no module named tensorflow$"),
        LocalAgent(log, dying),
    ):
        pass
    assert log.read_text().startswith("what the job wrote before\ntraceback\n")


def test_an_agent_that_dies_amid_a_command_is_an_error(tmp_path: Path) -> None:
    dying = interpreter(tmp_path, """echo '{"record": "hello", "process": 1}'; read command; echo gone >&2; exit 4""")
    with pytest.raises(StudyError, match="exit code 4: gone"), LocalAgent(interpreter=dying) as agent:
        list(agent.run({"command": "block"}))


def test_an_interpreter_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot start .*nowhere"), LocalAgent(interpreter=tmp_path / "nowhere"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_of_the_agent_is_left_after_an_error(tmp_path: Path) -> None:
    lasting = interpreter(
        tmp_path, """sleep 600 & echo "{\\"record\\": \\"hello\\", \\"process\\": 1, \\"worker\\": $!}"; wait"""
    )
    with pytest.raises(KeyboardInterrupt), LocalAgent(interpreter=lasting) as agent:
        assert alive(agent.hello["worker"])
        raise KeyboardInterrupt
    assert end(agent.hello["worker"], agent.process)


def test_what_a_shells_start_up_file_prints_is_told_and_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    greeted = interpreter(tmp_path, """echo Welcome; echo '{"record": "hello", "process": 1}'; read command""")
    with LocalAgent(interpreter=greeted) as agent:
        assert agent.hello["process"] == 1
    assert "not a record of the agent: 'Welcome'; nothing else may print" in capsys.readouterr().out


def test_an_agent_that_hangs_is_waited_for_no_longer_than_it_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SECONDS_TO_ANSWER", 0.1)
    hanging = interpreter(tmp_path, """echo '{"record": "hello", "process": 1}'; sleep 600""")
    with (
        pytest.raises(ConnectionLost, match="no answer for 0 s; is the machine still running"),
        LocalAgent(interpreter=hanging) as agent,
    ):
        list(agent.run({"command": "state"}))
    assert not alive(agent.process)


def test_a_connection_is_made_again_by_another_process(tmp_path: Path) -> None:
    dying = interpreter(
        tmp_path, """echo '{"record": "hello", "process": 1}'; read command; echo '{"record": "end"}'"""
    )
    with LocalAgent(interpreter=dying) as agent:
        first = agent.process
        assert list(agent.run({"command": "state"})) == [{"record": "end"}]
        with pytest.raises(ConnectionLost):
            list(agent.run({"command": "state"}))
        agent.reconnect()
        assert agent.process != first
        assert list(agent.run({"command": "state"})) == [{"record": "end"}]
