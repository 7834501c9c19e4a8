"""One head at a time has a folder, and the jobs of a killed head end before another begins."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
HEAD = "from tocompress import head; head.clear(); head.begin(elsewhere={elsewhere})"
#: A Snakemake on a node, whose looks are frequent. It tells when it begins to work.
NODE = """
import pathlib, time
from tocompress import running
running.LOOK_S = 0.2
running.end_with_head()
pathlib.Path('at_work').touch()
time.sleep(60)
"""


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that runs code in a folder of a study."""
    (tmp_path / ".snakemake/scripts").mkdir(parents=True)
    started: list[subprocess.Popen[str]] = []
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOCOMPRESS")}

    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        surroundings = {**kept, "PYTHONPATH": str(REPOSITORY / "workflow"), **environment}
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", code]
        started.append(subprocess.Popen(command, cwd=tmp_path, env=surroundings, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def line(folder: Path) -> str:
    lock = folder / ".snakemake/run.lock"
    return lock.read_text().strip() if lock.exists() else ""


def killed_head(folder: Path, python: Callable[..., subprocess.Popen[str]], elsewhere: bool = True) -> str:
    """Return the line of a head that was killed."""
    head = python(f"{HEAD.format(elsewhere=elsewhere)}; import time; time.sleep(60)")
    until(lambda: str(head.pid) in line(folder))
    head.kill()
    head.wait()
    return line(folder)


def at_work(folder: Path, python: Callable[..., subprocess.Popen[str]], **environment: str) -> subprocess.Popen[str]:
    """Return the Snakemake of a job on a node, at work."""
    job = python(NODE, **environment)
    until((folder / "at_work").exists)
    return job


def test_the_next_head_waits_until_the_jobs_of_a_killed_head_have_ended(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    job = at_work(tmp_path, python, TOCOMPRESS_HEAD=killed_head(tmp_path, python))
    (tmp_path / ".snakemake/scripts/of_the_job.py").touch()
    later = python("from tocompress import head; head.LOOK_S = 0; head.clear(); head.begin(False)")
    _, said = later.communicate()
    assert (job.poll(), later.returncode) == (-9, 0)
    assert said.startswith("Waiting for the jobs of a run that was killed to end (process ") and said.count("\n") == 1
    assert not list((tmp_path / ".snakemake/scripts").iterdir())


def test_a_job_that_does_not_hear_of_its_head_is_waited_for(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    killed_head(tmp_path, python, elsewhere=False)
    run = str(os.getpid())
    job = python(
        "import tocompress, pathlib, time; pathlib.Path('at_work').touch(); time.sleep(60)", TOCOMPRESS_RUN=run
    )
    until((tmp_path / "at_work").exists)
    later = python(HEAD.format(elsewhere=False))
    assert later.stderr and later.stderr.readline().startswith("Waiting for the jobs")
    assert job.poll() is None and later.poll() is None
    job.kill()
    assert later.wait(30) == 0


def test_a_job_that_begins_late_ends_at_once(tmp_path: Path, python: Callable[..., subprocess.Popen[str]]) -> None:
    killed = killed_head(tmp_path, python)
    python("from tocompress import head; head.LOOK_S = 0; head.clear()").wait()
    late = python(NODE, TOCOMPRESS_HEAD=killed)
    _, said = late.communicate()
    assert late.returncode == 1 and killed in said and said.count("\n") == 1
    assert not (tmp_path / "at_work").exists()


def test_the_jobs_of_a_head_at_work_go_on(tmp_path: Path, python: Callable[..., subprocess.Popen[str]]) -> None:
    head = python(f"{HEAD.format(elsewhere=True)}; import time; time.sleep(60)")
    until(lambda: str(head.pid) in line(tmp_path))
    job = at_work(tmp_path, python, TOCOMPRESS_HEAD=line(tmp_path))
    # Another command looks at the folder, and a second run is refused.
    assert python("from tocompress import head; head.clear()").wait() == 0
    assert python(HEAD.format(elsewhere=True)).wait() == 1
    time.sleep(0.5)
    assert job.poll() is None


def test_a_run_that_ends_by_itself_leaves_nothing_to_wait_for(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    assert python(f"{HEAD.format(elsewhere=True)}; raise SystemExit(1)").wait() == 1
    assert not line(tmp_path)
    _, said = python(HEAD.format(elsewhere=True)).communicate()
    assert not said
