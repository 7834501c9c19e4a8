"""Reach a device by its transport."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tocompress.devices import Agent
from tocompress.devices.local import LOCK, LocalAgent
from tocompress.devices.ssh import SshAgent
from tocompress.settings.device import LocalDevice, SshDevice


@contextmanager
def reach(
    name: str,
    device: LocalDevice | SshDevice,
    runtimes: tuple[str, ...],
    log: Path | None = None,
    patience: float = 3600.0,
) -> Iterator[dict[str, Agent]]:
    """Start an agent of each runtime on a device. No other study measures there meanwhile.

    A process that has imported one runtime alone tells the memory of that runtime. The first agent holds the machine's
    lock, and waits for another study, at most `patience` seconds. The stderr of the agents is appended to `log`.
    """
    with ExitStack() as stack:
        agents: dict[str, Agent] = {}
        for runtime in runtimes:
            agents[runtime] = stack.enter_context(_agent(name, device, runtime, log, None if agents else patience))
        yield agents


def _agent(
    name: str, device: LocalDevice | SshDevice, runtime: str, log: Path | None, patience: float | None
) -> AbstractContextManager[Agent]:
    """Return the agent of a runtime. It takes the lock unless `patience` is None."""
    waits = patience or 0.0
    match device:
        case LocalDevice():
            interpreter = device.interpreter_of(runtime) or sys.executable
            lock = None if patience is None else LOCK
            return LocalAgent(log, interpreter, name=name, lock=lock, patience=waits, root=device.root, runtime=runtime)
        case SshDevice():
            return SshAgent(device, name=name, log=log, lock=patience is not None, patience=waits, runtime=runtime)
