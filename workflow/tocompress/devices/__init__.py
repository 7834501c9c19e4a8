"""Reach the measured machines and the agent that runs on each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tocompress.errors import StudyError
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER, ONCE

Record = dict[str, Any]

#: The folder for files that processes of this machine share. It is the same for every TMPDIR, where possible.
SHARED = Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())  # noqa: S108


class ConnectionLost(StudyError):
    """The agent or its connection has ended or is silent. A new connection may work."""


class AgentFailed(StudyError):
    """The agent could not carry out a command, or its answer is not understood. Its connection still works."""


def answered(records: Iterable[Record], where: str = "") -> list[Record]:
    """Return all records of a command that ended well. Raise AgentFailed, which begins with `where`, otherwise."""
    answer = list(records)
    if answer[-1]["record"] == "error":
        raise AgentFailed(f"{where}{answer[-1]['error']}")
    return answer


@contextmanager
def understood(where: str) -> Iterator[None]:
    """Raise AgentFailed, which begins with `where`, if the block fails to read the agent's records."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AgentFailed(
            f"{where}: the agent's answer is not the one to this command ({type(error).__name__}: {str(error)[:200]});"
            " run the same command again"
        ) from error


#: Arithmetic -> its word in the agent's protocol. Only TensorFlow heeds it, and only for integer weights.
DEQUANTIZATIONS = {EVERY_INFERENCE: "every_inference", ONCE: "once", FLOAT: "once", INTEGER: "once"}


class Agent(Protocol):
    """A running agent, over any connection."""

    #: The agent's first record: the facts of its machine and runtime.
    hello: Record

    def send(self, file: Path, sha256: str) -> None:
        """Make the file available on the agent's machine, under its digest."""
        ...

    def run(self, command: Record) -> Iterator[Record]:
        """Yield the records of one command, closed by one `end` or `error`. Raise ConnectionLost."""
        ...

    def order(self, order: Record) -> None:
        """Send an order within the command that is running. Raise ConnectionLost."""
        ...

    def reconnect(self) -> None:
        """Start again on the same machine. Raise StudyError if that is impossible or the machine has changed."""
        ...
