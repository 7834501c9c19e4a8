"""A worker's process, as the agent that has forked it sees it."""

import json
import os
import select
import signal
import time
from contextlib import suppress
from typing import Any, Iterator, Optional

from tocompress.devices.agent.host import SILENCE, AgentError, Host, Record
from tocompress.devices.agent.worker import be_worker


class WorkerProcess:
    """A forked worker as a context manager, with pipes to and from it. Its exit ends the process."""

    def __init__(self, host: Host, runtime: Any, command: Record) -> None:
        self._host = host
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._pending = b""
        self._status: Optional[int] = None
        self._process = os.fork()
        if self._process == 0:
            os.close(self._orders)
            os.close(self._answers)
            # An open copy here would keep the host waiting for a dead agent.
            os.close(host.output.fileno())
            os.close(host.descriptor)
            be_worker(runtime, command, orders, answers)
        os.close(orders)
        os.close(answers)

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._status is None:
            # Workers hold each other's pipes, so no pipe's end tells them of the end.
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        os.close(self._orders)
        os.close(self._answers)

    def order(self, order: Record) -> None:
        """Send an order to a resident. An empty one ends it. If it has died, its records tell."""
        with suppress(BrokenPipeError):
            os.write(self._orders, json.dumps(order).encode() + b"\n")

    def records(self, seconds: float) -> Iterator[Record]:
        """Yield records until one that is `ready`, or until the end of the process.

        Raise AgentError after so many seconds, for a worker that fails, and HostGone.
        """
        deadline = time.monotonic() + seconds
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                record: Record = json.loads(line.decode())
                if record["record"] == "error":
                    raise AgentError(record["error"])
                if record["record"] == "ready":
                    return
                yield record
            elif not self._read(deadline):
                return self._check_end()

    def _read(self, deadline: float) -> bool:
        """Wait for bytes of the worker. Return False when it has closed its end."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AgentError("the worker ran past its time limit")
            # The timeout lets the agent notice the host's silence. Short slices would hide it without `listen`.
            ready, _, _ = select.select([self._answers, self._host.descriptor], [], [], min(left, SILENCE / 4))
            self._host.listen()
            if self._answers in ready:
                chunk = os.read(self._answers, 1 << 16)
                self._pending += chunk
                return bool(chunk)

    def _check_end(self) -> None:
        """Wait for the process, and raise AgentError unless it ended well."""
        _, self._status = os.waitpid(self._process, 0)
        if os.WIFSIGNALED(self._status):
            raise AgentError(f"the worker was ended by signal {os.WTERMSIG(self._status)}")
        if self._status != 0:
            raise AgentError(f"the worker ended with exit code {os.WEXITSTATUS(self._status)}")
