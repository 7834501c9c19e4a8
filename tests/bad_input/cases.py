"""Run the script of a rule on bad input, as Snakemake would, and see that it ends as it should."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tocompress.errors import StudyError

REPOSITORY = Path(__file__).parents[2]
EARLIER = b"an earlier result"

Files = Mapping[str, str | Path | Sequence[str | Path]]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: its exit status (negative: the signal that ended it), its log, and what it said beside it."""

    status: int
    log: str
    console: str


class Jobs:
    """Runs jobs one after the other, in forks of a process that has imported `modules`."""

    def __init__(self, *modules: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow"), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("server.py"), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def close(self) -> None:
        self._server.communicate()

    def run(
        self,
        script: str,
        folder: Path,
        *,
        input: Files,
        output: Files,
        params: Mapping[str, str] | None = None,
        wildcards: Mapping[str, str] | None = None,
        threads: int = 1,
        limit_s: int = 60,
    ) -> Outcome:
        """Run `script` of workflow/scripts in `folder`; names of inputs and outputs are in the order of the rule."""
        log, console = folder / "job.log", folder / "job.console"
        job = {
            "script": str(REPOSITORY / "workflow/scripts" / script),
            "folder": str(folder),
            "input": _texts(input),
            "output": _texts(output),
            "params": dict(params or {}),
            "wildcards": dict(wildcards or {}),
            "threads": threads,
            "limit_s": limit_s,
            "log": str(log),
            "console": str(console),
        }
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return Outcome(status, said, console.read_text(encoding="utf-8", errors="replace"))

    def refused(self, script: str, folder: Path, *, output: Files, **job: Any) -> str:
        """The one line with which a job refuses its input, without `Error: `; all else is as it was before."""
        results = [folder / name for names in _texts(output).values() for name in _several(names)]
        for result in results:
            result.parent.mkdir(parents=True, exist_ok=True)
            result.write_bytes(EARLIER)
        before = contents(folder)
        outcome = self.run(script, folder, output=output, **job)
        message = problem(outcome)
        assert contents(folder) == before, "earlier results have changed, or something was left behind"
        return message


@dataclass(frozen=True)
class Step:
    """What a rule gives its script."""

    script: str
    input: Files
    output: Files
    settings: str = ""
    wildcards: Mapping[str, str] = field(default_factory=dict)

    def run(self, jobs: Jobs, folder: Path) -> Outcome:
        return jobs.run(self.script, folder, **self._names)

    def refusal(self, jobs: Jobs, folder: Path) -> str:
        """As `Jobs.refused`."""
        return jobs.refused(self.script, folder, **self._names)

    @property
    def _names(self) -> dict[str, Any]:
        params = {"settings": self.settings}
        return {"input": self.input, "output": self.output, "params": params, "wildcards": self.wildcards}


def problem(outcome: Outcome) -> str:
    """What was wrong, where a job has ended with one line that says so."""
    everything = outcome.log + outcome.console
    assert outcome.status == 1, f"exit status {outcome.status}: {everything}"
    assert "Traceback" not in everything, everything
    assert outcome.console == "", outcome.console
    lines = outcome.log.splitlines()
    problems = [line for line in lines if line.startswith("Error: ")]
    assert len(problems) == 1 and lines[-1] == problems[0], outcome.log
    assert len(problems[0]) < 600, problems[0]
    return problems[0].removeprefix("Error: ")


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file in a folder, but for what a job says."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("job.log", "job.console")
    }


def _texts(files: Files) -> dict[str, str | list[str]]:
    return {name: str(value) if isinstance(value, str | Path) else [*map(str, value)] for name, value in files.items()}


def _several(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def refusal(call: Callable[[], object]) -> str:
    """The one line with which a call refuses its input."""
    with pytest.raises(StudyError) as raised:
        call()
    message = str(raised.value)
    assert "\n" not in message and len(message) < 600, message
    return message


@contextmanager
def serving(answer: Callable[[str], tuple[int, Mapping[str, str], bytes]]) -> Iterator[str]:
    """The address of a server on this machine that has a status, headers and content for each path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
