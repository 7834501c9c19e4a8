"""Run the agent as a process on this machine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tocompress.devices import SHARED, Record
from tocompress.devices.connection import Connection
from tocompress.devices.program import AGENT

#: Agents of this machine hold this lock while they measure.
LOCK = SHARED / "tocompress.lock"


class LocalAgent:
    """A running agent as a context manager. Its exit ends the agent and its worker.

    The stderr of the agent and the runtime is appended to `log`. A `lock` excludes other agents with the same lock. The
    agent waits for another holder of the lock, at most `patience` seconds. `root` holds sys/, proc/ and etc/.
    """

    hello: Record

    def __init__(
        self,
        log: Path | None = None,
        interpreter: str | Path = sys.executable,
        *,
        name: str = "agent",
        lock: Path | None = None,
        patience: float = 0.0,
        root: str | Path = "/",
        runtime: str = "tensorflow",
    ) -> None:
        self._log = log
        self._name = name
        self._interpreter = str(interpreter)
        self._arguments = ["--root", str(root), "--runtime", runtime]
        if lock:
            self._arguments += ["--lock", str(lock), "--patience", str(patience)]

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tocompress-")
        try:
            self._program.write_bytes(AGENT)
            self._connect()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close(error)
        self._folder.cleanup()

    def send(self, file: Path, sha256: str) -> None:
        """Link to the file. The agent runs on the machine of the file, so no copy is needed."""
        link = Path(self._folder.name, "files", sha256)
        link.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(file.resolve())

    def run(self, command: Record) -> Iterator[Record]:
        return self._connection.run(command)

    def order(self, order: Record) -> None:
        self._connection.order(order)

    def reconnect(self) -> None:
        self._connection.kill()
        self._connect()

    @property
    def process(self) -> int:
        """Return the id of the agent's process."""
        return self._connection.process.pid

    @property
    def _program(self) -> Path:
        return Path(self._folder.name, "agent.zip")

    def _connect(self) -> None:
        # Neither this folder nor PYTHONPATH may shadow a module of the runtime, so Python gets -I.
        command = [self._interpreter, "-I", str(self._program), "--folder", self._folder.name, *self._arguments]
        self._connection = Connection(self._name, command, self._log)
        self.hello = self._connection.hello
