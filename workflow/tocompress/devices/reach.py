"""Reach a device by its transport."""

from __future__ import annotations

import sys
from pathlib import Path

from tocompress.devices.local import LOCK, LocalAgent
from tocompress.devices.ssh import SshAgent
from tocompress.settings.device import LocalDevice, SshDevice


def reach(
    name: str, device: LocalDevice | SshDevice, log: Path | None = None, patience: float = 3600.0
) -> LocalAgent | SshAgent:
    """Return the agent of a device as a context manager. No other study measures on the device within it.

    The agent's stderr is appended to `log`. The agent waits for another study, at most `patience` seconds.
    """
    match device:
        case LocalDevice():
            interpreter = device.interpreter or sys.executable
            return LocalAgent(
                log, interpreter, name=name, lock=LOCK, patience=patience, root=device.root, runtime=device.runtime
            )
        case SshDevice():
            return SshAgent(device, name=name, log=log, patience=patience)
