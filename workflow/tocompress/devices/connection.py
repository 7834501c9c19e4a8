"""Talk to an agent over the stdin and stdout of a process: the agent itself, or a shell on its machine."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from tocompress.devices import ConnectionLost, Record
from tocompress.errors import StudyError

_HEARTBEAT = 20.0  # seconds
_SECONDS_TO_START = 180.0  # importing TensorFlow from the flash memory of a board takes its time
_SECONDS_TO_ANSWER = 120.0
_SECONDS_TO_QUIT = 10.0
_SLOWEST_TRANSFER = 100_000  # bytes a second

_LONGEST_RECORD = 1 << 28  # bytes. Hours of ten sensors take less
_MOST_LINES_OF_A_LOGIN = 1000
_LAST_WORDS = 1 << 16  # bytes

#: The key of a record that messages or the end of a process need, and its type.
_NEEDED = {"hello": ("process", int), "busy": ("holder", str), "error": ("error", str)}


class _NoRecord(ConnectionLost):
    """A line from another program than the agent."""


class Connection:
    """Commands to an agent and records from it, over the pipes of one process.

    `name` is the device in messages. The stderr of the process is appended to `log`. Without `environment` the process
    has ours. It raises ConnectionLost when the process ends or is silent for too long, and StudyError when the agent
    reports an error on its start.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path | None = None,
        *,
        heartbeat: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._log: IO[bytes] = log.open("ab+") if log else tempfile.TemporaryFile()  # noqa: SIM115
        self._log_start = self._log.seek(0, os.SEEK_END)
        self._pending = bytearray()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                start_new_session=True,
                env=environment,
            )
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            self._log.close()
            raise StudyError(f"{name}: cannot start {command[0]}: {getattr(error, 'strerror', error)}") from error
        assert self.process.stdin
        os.set_blocking(self.process.stdin.fileno(), False)  # writing to a machine that hangs must not block
        if heartbeat:  # before the greeting, because the agent may wait long for another study
            threading.Thread(target=self._beat, daemon=True).start()
        try:
            self.hello = self._greeting()
        except BaseException:
            self.kill()
            raise

    def run(self, command: Record, payload: Path | None = None) -> Iterator[Record]:
        """Yield the records of one command, closed by one `end` or `error`. The file `payload` follows the command."""
        size = payload.stat().st_size if payload else 0
        patience = _SECONDS_TO_ANSWER + command.get("timeout_seconds", 0.0) + size / _SLOWEST_TRANSFER
        try:
            self._write(command, payload)
        except OSError:
            raise self._death() from None
        while True:
            record = self._read(patience)
            yield record
            if record["record"] in ("end", "error"):
                return

    def order(self, order: Record) -> None:
        """Send an order within the command that is running."""
        try:
            self._write(order)
        except OSError:
            raise self._death() from None

    def close(self, error: BaseException | None) -> None:
        """End the agent in good order, or at once after an error."""
        if error is None:
            self.quit()
        else:
            self.kill()

    def quit(self) -> None:
        """End the agent in good order, or kill it."""
        with suppress(OSError, ValueError, ConnectionLost, subprocess.TimeoutExpired):  # ValueError: closed already
            self._write({"command": "quit"})
            self.process.wait(_SECONDS_TO_QUIT)
        self.kill()

    def kill(self) -> None:
        """End the process and its children on this machine, which share its process group."""
        self._closed.set()
        if self.process.poll() != 0:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            assert stream
            with suppress(OSError):
                stream.close()

    def _greeting(self) -> Record:
        """Return the agent's `hello`. Start-up files of a login shell may print lines before it."""
        holder, others = None, 0
        while True:
            try:
                record = self._read(_SECONDS_TO_START)
            except _NoRecord as problem:
                print(problem, flush=True)
                others += 1
                if others > _MOST_LINES_OF_A_LOGIN:
                    raise
                continue
            match record["record"]:
                case "hello":
                    return record
                case "busy":
                    if holder != record["holder"]:
                        holder = record["holder"]
                        print(f"{self._name}: waiting for {holder}", flush=True)
                case "error":
                    raise StudyError(f"{self._name}: {record['error']}")

    def _write(self, command: Record, payload: Path | None = None) -> None:
        with self._writing:
            self._write_all(json.dumps(command).encode() + b"\n")
            if payload:
                with payload.open("rb") as file:
                    while piece := file.read(1 << 20):
                        self._write_all(piece)

    def _write_all(self, content: bytes) -> None:
        assert self.process.stdin
        view = memoryview(content)
        while view:
            _, ready, _ = select.select([], [self.process.stdin], [], _SECONDS_TO_ANSWER)
            if not ready:
                raise self._silence(_SECONDS_TO_ANSWER)
            view = view[self.process.stdin.write(view) or 0 :]

    def _beat(self) -> None:
        """Tell the agent regularly that the host is alive."""
        while not self._closed.wait(_HEARTBEAT):
            with suppress(OSError, ValueError, ConnectionLost), self._writing:
                self._write_all(b"\n")

    def _read(self, patience: float) -> Record:
        deadline = time.monotonic() + patience
        assert self.process.stdout
        seen = 0
        while (end := self._pending.find(b"\n", seen)) < 0:
            seen = len(self._pending)
            if seen > _LONGEST_RECORD:
                raise ConnectionLost(
                    f"{self._name}: a record of more than {_LONGEST_RECORD} bytes, which no agent sends"
                )
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._silence(patience)
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                raise self._death()
            self._pending += chunk
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        shown = line[:60].decode(errors="replace")
        try:
            record: Record = json.loads(line, parse_constant=_no_number)
            key, kind = _NEEDED.get(record["record"], ("record", str))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _NoRecord(
                f"{self._name}: not a record of the agent: {shown!r}; nothing else may print, neither a start-up file"
                " of the shell nor the interpreter"
            ) from None
        if not isinstance(record.get(key), kind):
            raise ConnectionLost(f"{self._name}: not a record of this agent, but of another version: {shown!r}")
        return record

    def _silence(self, patience: float) -> ConnectionLost:
        return ConnectionLost(f"{self._name}: no answer for {patience:.0f} s; is the machine still running?")

    def _death(self) -> ConnectionLost:
        """Return the error of an ended process, with the last line of its stderr."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_SECONDS_TO_QUIT)
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log_start, end - _LAST_WORDS))
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip()[:200] for line in reversed(lines) if line.strip()), "nothing on stderr")
        return ConnectionLost(f"{self._name}: ended with exit code {self.process.returncode}: {last}")


def _no_number(text: str) -> None:
    """Raise ValueError for NaN and infinity, because JSON does not have them."""
    raise ValueError(text)
