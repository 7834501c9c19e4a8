"""What a run shows in a terminal. The workflow is a tiny one of shell commands, the terminal a pseudo terminal."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from snakemake.logging import DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_progress import LogHandler, Run, clock

WORKFLOW = """
rule all:
    input: "second"

rule first:
    output: "first"
    message: "Making [the] first"
    shell: "sleep 0.2; echo said by the job >&2; touch {output}"

rule second:
    input: "first"
    output: "second"
    log: "logs/second.log"
    shell: "[ ! -e bad ] || {{ echo 'Error: what is bad' > {log}; exit 1; }}; touch {output}"
"""
ENDS = re.compile(r"\x1b\[2K|\n")  # what is erased is a line as well: it has been seen
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")
REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    return tmp_path


def snakemake(folder: Path, *arguments: str) -> str:
    """All that a run writes to a terminal of its own."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "progress", "--show-failed-logs"]
    variables = os.environ | {"TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(REPOSITORY / "workflow")}
    reading, writing = pty.openpty()
    process = subprocess.Popen([*command, *arguments], cwd=folder, env=variables, stderr=writing)
    os.close(writing)
    written = b""
    try:
        while block := os.read(reading, 1 << 16):
            written += block
    except OSError:  # how a pseudo terminal ends
        pass
    os.close(reading)
    assert process.wait() == (folder / "bad").exists()
    return written.decode()


def lines(written: str) -> list[str]:
    """The lines that stood on the terminal, those that were drawn over too."""
    return [line for line in (CONTROL.sub("", line).rstrip() for line in ENDS.split(written)) if line]


def test_what_runs_is_shown_with_its_message_and_what_is_done_is_counted(folder: Path) -> None:
    written = snakemake(folder)
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back
    shown = lines(written)
    assert any(re.search(r"0 of 3 jobs  0 %  \d:\d\d  time left unknown", line) for line in shown)
    assert any(re.search(r"1 of 3 jobs  33 %  \d:\d\d  ", line) for line in shown)
    assert any(re.fullmatch(r" +\d:\d\d  Making \[the\] first", line) for line in shown)
    assert "said by the job" in shown
    assert re.fullmatch(r"3 jobs in \d:\d\d", shown[-1])

    assert any(line.startswith("Nothing to be done") for line in lines(snakemake(folder)))


def test_what_a_failed_job_says_stays(folder: Path) -> None:
    (folder / "bad").touch()
    shown = lines(snakemake(folder))
    assert "Error in rule second:" in shown
    assert "    log: logs/second.log (check log file(s) for error details)" in shown
    assert "Error: what is bad" in shown
    assert re.fullmatch(r"1 of 3 jobs in \d:\d\d, 1 failed", shown[-1])


def test_quiet_is_quiet_about_all_but_errors(folder: Path) -> None:
    (folder / "bad").touch()
    written = snakemake(folder, "--quiet")
    assert written.startswith("said by the job\r\n")
    assert "Error: what is bad" in written
    assert not re.search(r"\x1b|Making|jobs|of 3", written)


@pytest.mark.parametrize("quiet", [{Quietness.ALL}, {Quietness.PROGRESS}, {Quietness.RULES}])
def test_every_form_of_quiet_lets_errors_alone_through(quiet: set[Quietness]) -> None:
    handler = LogHandler(OutputSettings(quiet=quiet), None)
    levels = (logging.INFO, logging.WARNING, logging.ERROR)
    assert [handler.filter(logging.makeLogRecord({"levelno": level})) for level in levels] == [False, False, True]


def test_a_file_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogHandler(OutputSettings(quiet={Quietness.HOST, Quietness.REASON}), None)
    handler.setFormatter(DefaultFormatter())
    handler.handle(event(LogEvent.PROGRESS, done=1, total=4))
    handler.close()
    assert capsys.readouterr().err == "1 of 4 steps (25%) done\n"


def event(event: LogEvent, **facts: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"levelno": logging.INFO, "event": event, **facts})


def start(run: Run, number: int, rule: str) -> None:
    run.note(event(LogEvent.JOB_INFO, jobid=number, rule_name=rule, rule_msg=None))


def end(run: Run, number: int) -> None:
    run.note(event(LogEvent.JOB_FINISHED, job_id=number))


@pytest.fixture
def run() -> Run:
    """Four short jobs and two long ones are due."""
    run = Run(0)
    run.note(event(LogEvent.RUN_INFO, stats={"short": 4, "long": 2, "total": 6}))
    return run


def test_before_a_job_has_run_the_time_left_is_unknown(run: Run) -> None:
    run.advance(10)
    assert run.left() == "time left unknown"


def test_jobs_beside_each_other_share_the_time(run: Run) -> None:
    for number in (1, 2):
        start(run, number, "short")
    run.advance(60)
    for number in (1, 2):
        end(run, number)
    assert run.left() == "at least about 60 s left"  # two of 30 s; how long a long one takes is not known


def test_each_rule_is_weighed_by_what_it_took(run: Run) -> None:
    start(run, 1, "short")
    run.advance(10)
    end(run, 1)
    start(run, 2, "long")
    run.advance(310)
    end(run, 2)
    start(run, 3, "long")
    run.advance(500)
    assert run.left() == "about 2 min left"  # three short jobs of 10 s, and 110 s of the second long one


def test_a_rule_takes_as_long_as_its_first_job_has_been_running(run: Run) -> None:
    start(run, 1, "long")
    run.advance(600)
    assert run.left() == "at least about 10 min left"


def test_of_a_last_job_that_takes_longer_than_any_the_time_left_is_unknown() -> None:
    run = Run(0)
    run.note(event(LogEvent.RUN_INFO, stats={"short": 2, "total": 2}))
    start(run, 1, "short")
    run.advance(10)
    end(run, 1)
    start(run, 2, "short")
    run.advance(15)
    assert run.left() == "about 10 s left"
    run.advance(25)
    assert run.left() == "time left unknown"


def test_a_duration_has_hours_only_where_it_needs_them() -> None:
    assert [clock(seconds) for seconds in (0, 61.9, 3599, 3600, 36_061)] == [
        "0:00",
        "1:01",
        "59:59",
        "1:00:00",
        "10:01:01",
    ]
