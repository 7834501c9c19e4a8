"""The way to a device, by its transport."""

from __future__ import annotations

import sys
from pathlib import Path

from tocompress.devices.local import LOCK, LocalAgent
from tocompress.devices.ssh import SshAgent
from tocompress.settings.device import LocalDevice, SshDevice


def reach(
    name: str, device: LocalDevice | SshDevice, log: Path | None = None, patience: float = 3600.0
) -> LocalAgent | SshAgent:
    """The agent of a device that nobody else measures on, to be entered as a context.

    `log` receives what the agent writes to stderr (appended); another study is waited for, `patience` seconds at most.
    """
    match device:
        case LocalDevice():
            interpreter = device.interpreter or sys.executable
            return LocalAgent(
                log, interpreter, name=name, lock=LOCK, patience=patience, root=device.root, runtime=device.runtime
            )
        case SshDevice():
            return SshAgent(device, name=name, log=log, patience=patience)
