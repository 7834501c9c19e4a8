"""The agent as a process on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tocompress.devices import Record
from tocompress.errors import StudyError

AGENT = Path(__file__).with_name("agent.py")

_SECONDS_TO_QUIT = 10


class LocalAgent:
    """A running agent; a context manager, on whose exit the agent and its worker are gone.

    `log` receives what the agent and the runtime write to stderr (appended). Raises StudyError when the agent dies.
    """

    hello: Record

    def __init__(self, log: Path | None = None, interpreter: str | Path = sys.executable) -> None:
        self._log_path = log
        self._interpreter = str(interpreter)

    def __enter__(self) -> Self:
        self._log: IO[bytes] = self._log_path.open("ab+") if self._log_path else tempfile.TemporaryFile()
        self._log_start = self._log.seek(0, os.SEEK_END)
        try:
            # -I: neither this folder nor PYTHONPATH may shadow a module of the runtime.
            self._process = subprocess.Popen(
                [self._interpreter, "-I", str(AGENT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise StudyError(f"agent: cannot start {self._interpreter}: {error.strerror}") from error
        try:
            self.hello = self._read()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._write({"command": "quit"})
                self._process.wait(_SECONDS_TO_QUIT)
        self._stop()

    def run(self, command: Record) -> Iterator[Record]:
        """The records of one command, closed by one `end` or `error`."""
        try:
            self._write(command)
        except OSError:
            raise self._death() from None
        while True:
            record = self._read()
            yield record
            if record["record"] in ("end", "error"):
                return

    def _write(self, command: Record) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _read(self) -> Record:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._death()
        record: Record = json.loads(line)
        return record

    def _death(self) -> StudyError:
        code = self._process.wait()
        self._log.seek(self._log_start)
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing on stderr")
        return StudyError(f"agent: {self._interpreter} ended with exit code {code}: {last}")

    def _stop(self) -> None:
        """End the agent and any worker: they share a process group of their own."""
        if self._process.poll() != 0:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            assert stream
            with suppress(OSError):
                stream.close()
