"""The agent as a process on this machine."""

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

#: What agents of this machine hold while they measure.
LOCK = SHARED / "tocompress.lock"


class LocalAgent:
    """A running agent; a context manager, on whose exit the agent and its worker are gone.

    `log` receives what the agent and the runtime write to stderr (appended). With a `lock` no other agent that takes
    the same runs meanwhile; one that is in the way is waited for, `patience` seconds at most. `root` holds sys/, proc/
    and etc/.
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
        """Links suffice: the agent runs on the machine that holds the file."""
        link = Path(self._folder.name, "files", sha256)
        link.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(file.resolve())

    def run(self, command: Record) -> Iterator[Record]:
        return self._connection.run(command)

    def reconnect(self) -> None:
        self._connection.kill()
        self._connect()

    @property
    def process(self) -> int:
        """The agent's process."""
        return self._connection.process.pid

    @property
    def _program(self) -> Path:
        return Path(self._folder.name, "agent.zip")

    def _connect(self) -> None:
        # -I: neither this folder nor PYTHONPATH may shadow a module of the runtime.
        command = [self._interpreter, "-I", str(self._program), "--folder", self._folder.name, *self._arguments]
        self._connection = Connection(self._name, command, self._log)
        self.hello = self._connection.hello
