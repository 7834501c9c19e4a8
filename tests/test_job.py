"""What surrounds each script's call: its log, one line for what was wrong, and an end with its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import alive, end

REPOSITORY = Path(__file__).parents[1]


def script(folder: Path, body: str, log: str = "job.log") -> list[str]:
    """The command of a job that does `body`, in `folder`."""
    file = folder / "script.py"
    lines = ["from types import SimpleNamespace", "from tocompress.job import job"]
    lines += [f"with job(SimpleNamespace(log=[{log!r}])):", *(f"    {line}" for line in body.splitlines())]
    file.write_text("\n".join(lines) + "\n")
    return [sys.executable, str(file)]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "TOCOMPRESS_RUN"}
    return {**kept, "PYTHONPATH": str(REPOSITORY / "workflow"), **more}


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("open('/dev/full', 'wb', 0).write(b'x')", "No space left on device"),
        ("open('missing/file', 'wb')", "missing/file: No such file or directory"),
        ("import os; raise OSError(30, os.strerror(30), 'a')", "a: Read-only file system"),
        ("import os; raise PermissionError(13, os.strerror(13), 'a')", "a: Permission denied"),
        (
            "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))\n"
            "files = [open('script.py') for _ in range(9)]",
            "script.py: Too many open files",
        ),
        ("from tocompress.errors import StudyError\nraise StudyError('a.b: 3; at most 2')", "a.b: 3; at most 2"),
    ],
)
def test_what_the_system_refuses_is_one_line(tmp_path: Path, body: str, line: str) -> None:
    finished = subprocess.run(script(tmp_path, body), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert finished.returncode == 1
    (said,) = (tmp_path / "job.log").read_text().splitlines()
    assert said.startswith(f"Error: {line}")


@pytest.mark.parametrize("log", ["/dev/full", "missing/job.log"])
def test_without_a_log_the_line_goes_to_the_terminal(tmp_path: Path, log: str) -> None:
    command = script(tmp_path, "print('hello')", log)
    finished = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert finished.returncode != 0
    (said,) = [line for line in finished.stderr.splitlines() if "Error" in line and "ignored" not in line]
    assert said.startswith("Error: ") and "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "work",
    [
        "import time; time.sleep(60)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep(60)",
    ],
    ids=["listening", "deaf"],
)
def test_a_job_ends_with_its_run_and_so_does_its_agent(tmp_path: Path, work: str) -> None:
    # Like an agent, in a session of its own, and gone when its input ends.
    body = (
        "import subprocess\n"
        "agent = subprocess.Popen(['cat'], stdin=subprocess.PIPE, start_new_session=True)\n"
        f"open('agent', 'w').write(str(agent.pid))\n{work}"
    )
    run = subprocess.Popen(["sleep", "60"])
    job = subprocess.Popen(script(tmp_path, body), cwd=tmp_path, env=environment(TOCOMPRESS_RUN=str(run.pid)))
    deadline = time.monotonic() + 30
    while not (tmp_path / "agent").exists() or not (agent := (tmp_path / "agent").read_text()):
        assert job.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    assert alive(job.pid) and alive(int(agent))
    run.kill()
    run.wait()
    killed = time.monotonic()
    job.wait(10)
    assert time.monotonic() - killed < 2
    assert end(int(agent), seconds=1)


def test_a_job_whose_run_has_ended_already_does_not_begin(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = script(tmp_path, "import time; time.sleep(60)")
    finished = subprocess.run(command, cwd=tmp_path, env=environment(TOCOMPRESS_RUN=str(gone.pid)), timeout=30)
    assert finished.returncode != 0


def test_a_job_that_is_told_to_end_leaves_no_half_written_file(tmp_path: Path) -> None:
    body = (
        "import time\nfrom tocompress.files import replace_on_success\n"
        "with replace_on_success('table.csv') as temporary:\n"
        "    temporary.write_text('half'); time.sleep(60)"
    )
    job = subprocess.Popen(script(tmp_path, body), cwd=tmp_path, env=environment())
    while not (tmp_path / ".table.partial.csv").exists():
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    assert job.wait(10) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"script.py", "job.log"}
