"""Two boards measure side by side: both behind ssh, and both this machine."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest
from small_study import SmallStudy
from sshd import Server, server

STUDY = {
    "study": {"name": "boards", "models": ["mobilenet_v1"], "variants": {"mobilenet_v1": ["q8"]}, "figures": []},
    "benchmark": {
        "inputs": {"images": 2},
        "generations": 3,
        "maximum_generations": 3,
        "rounds": 2,
        "slice_seconds": 0.5,
        "profiled_runs": 1,
    },
}
SESSION = "results/boards/benchmarks/{}/mobilenet_v1/session.parquet"


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[dict[str, Server]]:
    """The servers of two boards."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(server(_made(tmp_path / name))) for name in ("one", "two")}


@pytest.fixture
def study(tmp_path: Path, boards: dict[str, Server]) -> Iterator[SmallStudy]:
    """A study on the two boards, each of which has a lock of its own."""
    study = SmallStudy(_made(tmp_path / "study"))
    devices = {
        name: {
            "transport": "ssh",
            "host": "board",
            "threads": 1,
            "interpreter": sys.executable,
            "folder": str(tmp_path / f"on {name}"),
            "ssh_config": str(board.config),
        }
        for name, board in boards.items()
    }
    (study.folder / "study.yaml").write_text(
        json.dumps({**STUDY, "devices": devices, "study": {**STUDY["study"], "devices": list(boards)}})
    )
    module = study.folder / "workflow/tocompress/devices/ssh.py"
    source = module.read_text()
    edited = source.replace('"--lock", _LOCK', '"--lock", f"{device.folder}.lock"').replace(
        "(5.0, 30.0, 90.0)", "(0.1, 0.1, 0.1)"
    )
    assert source.count("_LOCK") == edited.count("_LOCK") + 1
    module.write_text(edited)
    yield study
    study.stop()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _span(session: Path) -> tuple[float, float]:
    """Return the first and the last second of a session."""
    told = pd.read_parquet(session).set_index("key")["value"]
    return float(told["begin/unix_s"]), float(told["end/unix_s"])


@pytest.mark.long
def test_two_boards_measure_at_the_same_time_and_a_cut_connection_touches_its_own_alone(
    study: SmallStudy, boards: dict[str, Server]
) -> None:
    sessions = [SESSION.format(name) for name in boards]
    logs = [study.results / f"boards/logs/benchmark/{name}/mobilenet_v1.log" for name in boards]
    both = study.run(*sessions)
    assert both.end() == 0, both.text
    (begun, ended), (other_begun, other_ended) = (_span(study.folder / session) for session in sessions)
    assert max(begun, other_begun) < min(ended, other_ended)

    for session in sessions:
        (study.folder / session).unlink()
    for log in logs:
        log.unlink()
    cut = study.start(*sessions)
    cut.until(lambda: all(log.exists() and board.sessions for log, board in zip(logs, boards.values(), strict=True)))
    one = boards["one"]
    one.config.write_text(one.config.read_text().replace(f"Port {one.port}", "Port 1"))  # where nobody listens
    for session in one.sessions:
        os.kill(session, signal.SIGKILL)
    assert cut.end() == 1
    assert "one: " in cut.text and "two: " not in cut.text
    assert [(study.folder / session).exists() for session in sessions] == [False, True]
