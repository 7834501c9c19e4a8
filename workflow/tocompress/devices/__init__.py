"""The machines that are measured: the agent that runs there, and the ways to reach it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

Record = dict[str, Any]


class Agent(Protocol):
    """A running agent, however it is reached. Paths inside a command are paths on its machine."""

    #: The record the agent sent on start: what its machine and runtime are.
    hello: Record

    def run(self, command: Record) -> Iterator[Record]:
        """The records of one command, closed by one `end` or `error`."""
        ...
