"""An agent for each runtime of a device, of which the first keeps other studies away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tocompress.devices import reach as module
from tocompress.devices.local import LOCK
from tocompress.devices.reach import reach
from tocompress.errors import StudyError
from tocompress.settings.device import LocalDevice, SshDevice

BOTH = ("tensorflow", "litert")
LOG = Path("job.log")


class Started:
    """Stands for an agent. It keeps what it was made with, and in which order agents begin and end."""

    journal: list[str]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options

    def __enter__(self) -> Started:
        if self.options["runtime"] == "none":
            raise StudyError("board: cannot import none")
        self.journal.append(f"begin {self.options['runtime']}")
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.append(f"end {self.options['runtime']}")


@pytest.fixture(autouse=True)
def journal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    journal: list[str] = []
    monkeypatch.setattr(Started, "journal", journal, raising=False)
    monkeypatch.setattr(module, "LocalAgent", Started)
    monkeypatch.setattr(module, "SshAgent", Started)
    return journal


def test_the_first_agent_of_this_machine_takes_the_lock_and_waits_for_it(journal: list[str]) -> None:
    device = LocalDevice(transport="local", threads=1, root="/board", interpreters={"litert": "/lite/python"})
    with reach("host", device, BOTH, LOG, patience=60.0) as agents:
        assert tuple(agents) == BOTH
        first, second = agents.values()
    assert first.arguments == (LOG, sys.executable) and second.arguments == (LOG, "/lite/python")
    shared = {"name": "host", "root": "/board"}
    assert first.options == shared | {"runtime": "tensorflow", "lock": LOCK, "patience": 60.0}
    assert second.options == shared | {"runtime": "litert", "lock": None, "patience": 0.0}
    assert journal == ["begin tensorflow", "begin litert", "end litert", "end tensorflow"]


def test_the_first_agent_of_a_board_takes_the_lock_even_where_it_does_not_wait() -> None:
    device = SshDevice(transport="ssh", host="board", threads=1)
    with reach("tx2", device, BOTH, patience=0.0) as agents:
        first, second = agents.values()
    assert first.arguments == second.arguments == (device,)
    assert (first.options["lock"], second.options["lock"]) == (True, False)
    assert [agent.options["runtime"] for agent in (first, second)] == list(BOTH)


def test_an_agent_that_does_not_start_ends_the_others(journal: list[str]) -> None:
    device = LocalDevice(transport="local", threads=1)
    with pytest.raises(StudyError, match="cannot import none"), reach("board", device, ("tensorflow", "none")):
        pass
    assert journal == ["begin tensorflow", "end tensorflow"]
