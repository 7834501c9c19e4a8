"""The machines that are measured: the agent that runs there, and the ways to reach it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tocompress.errors import StudyError
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, ONCE

Record = dict[str, Any]

#: For what processes of this machine share: whatever TMPDIR each has, where they can.
SHARED = Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())  # noqa: S108


class ConnectionLost(StudyError):
    """The agent or the way to it has ended, or nothing is heard of it; a new connection may work."""


class AgentFailed(StudyError):
    """The agent could not carry out a command, or its answer is not understood; the way to it stands."""


def answered(records: Iterable[Record], where: str = "") -> list[Record]:
    """All records of a command that ended well; raises AgentFailed, which begins with `where`, for one that did not."""
    answer = list(records)
    if answer[-1]["record"] == "error":
        raise AgentFailed(f"{where}{answer[-1]['error']}")
    return answer


@contextmanager
def understood(where: str) -> Iterator[None]:
    """What is made of records in the block is as the agent means it: else AgentFailed, which begins with `where`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AgentFailed(
            f"{where}: the agent's answer is not the one to this command ({type(error).__name__}: {str(error)[:200]});"
            " run the same command again"
        ) from error


#: Arithmetics in the words of the agent's protocol.
DEQUANTIZATIONS = {EVERY_INFERENCE: "every_inference", ONCE: "once"}


class Agent(Protocol):
    """A running agent, however it is reached."""

    #: The record the agent sent on start: what its machine and runtime are.
    hello: Record

    def send(self, file: Path, sha256: str) -> None:
        """Make the file available on the agent's machine, where blocks name it by its digest."""
        ...

    def run(self, command: Record) -> Iterator[Record]:
        """The records of one command, closed by one `end` or `error`. Raises ConnectionLost."""
        ...

    def reconnect(self) -> None:
        """Start anew on the same machine; raises StudyError where that is not possible or it is not the same."""
        ...
