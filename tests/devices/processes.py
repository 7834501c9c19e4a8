"""What processes there are."""

from __future__ import annotations

import time
from pathlib import Path


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended may stay in the table until its parent looks."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status


def end(*processes: int, seconds: float = 10.0) -> bool:
    """Whether all processes end within some seconds."""
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def children(process: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
