"""Keep one run at a time in a folder, and clear up after a killed run."""

from __future__ import annotations

import atexit
import fcntl
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from tocompress.running import HEAD, JOBS_LOCK, LOOK_S, RUN_LOCK, SNAKEMAKE, WITHIN, end_with, stop

_RESULTS = Path("results")
_PATIENCE_S = 0.5  # another command may be looking at the lock
_PAUSE_S = 0.05
#: The end of the line of a head whose jobs run on other machines.
_ELSEWHERE = ", with jobs on nodes"


def clear() -> None:
    """End the jobs of a killed run, remove its remains, and bring results back from the future.

    While a run is at work, do nothing.
    """
    # Without locks, a run may be at work.
    with suppress(OSError), open(RUN_LOCK, "a+") as lock:
        if not _taken(lock.fileno()):
            return
        _end_jobs(lock.fileno())
        _remove("locks", "scripts")
        _bring_back()


def begin(elsewhere: bool) -> None:
    """Take the folder for this run, as long as its process lives. Its jobs may run `elsewhere`, on nodes of a cluster.

    A run within a job of another run ends with this job. Exit with one line where another run is at work, or where
    results cannot be written.
    """
    if job := os.environ.pop(WITHIN, None):
        end_with(int(job))
        return
    os.environ.pop(HEAD, None)
    with suppress(OSError):  # without locks, Snakemake's own must do
        _take(os.open(RUN_LOCK, os.O_RDWR | os.O_CREAT, 0o666), elsewhere)
        # Our lock does the work of Snakemake's, which would stay behind if this process were killed.
        _remove("locks")
    if not os.access(_RESULTS if _RESULTS.exists() else ".", os.W_OK):
        stop(f"{_RESULTS.resolve()}: cannot be written to; it is where all that a run makes goes")


def _take(lock: int, elsewhere: bool) -> None:
    """Write the line of this head into the lock, and into the environment of its jobs."""
    deadline = time.monotonic() + _PATIENCE_S
    while not _taken(lock):
        if time.monotonic() > deadline:
            stop(f"another run is at work in this folder ({_line(lock)}); wait for it, or stop it")
        time.sleep(_PAUSE_S)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    line = f"process {os.getpid()} on {os.uname().nodename} since {since}{_ELSEWHERE if elsewhere else ''}"
    _write(lock, line)
    os.environ[HEAD] = line
    # A run that is killed leaves its line.
    atexit.register(_write, lock, "")


def _end_jobs(lock: int) -> None:
    """Wait until no job of an earlier run is left. Tell them first that their run has lost the folder."""
    killed = _line(lock)
    if killed:
        _write(lock, f"jobs end of {killed}")
    with open(JOBS_LOCK, "a+") as jobs:
        at_work = not _taken(jobs.fileno())
        if at_work or killed.endswith(_ELSEWHERE):
            print(f"Waiting for the jobs of a run that was killed to end ({killed})", file=sys.stderr, flush=True)
        # A node may not tell this machine of its locks, so its jobs get time to look.
        if killed.endswith(_ELSEWHERE):
            time.sleep(2 * LOOK_S)
        while not _taken(jobs.fileno()):
            time.sleep(_PAUSE_S)
    _write(lock, "")


def _bring_back() -> None:
    """Give results that are newer than now the newest times so far, in their order.

    A clock that was set back leaves them. Snakemake takes results that are newer than all to come for an error.
    """
    files = [Path(folder, name) for folder, _, names in os.walk(_RESULTS) for name in names]
    modified = {file: file.lstat().st_mtime_ns for file in files}
    now = time.time_ns()
    future = sorted({moment for moment in modified.values() if moment > now}, reverse=True)
    brought_back = {moment: now - age * 1_000_000 for age, moment in enumerate(future)}
    for file, moment in modified.items():
        if moment in brought_back:
            os.utime(file, ns=(now, brought_back[moment]), follow_symlinks=False)


def _line(lock: int) -> str:
    return os.pread(lock, 1000, 0).decode(errors="replace").strip()


def _write(lock: int, line: str) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{line}\n".encode(), 0)
    os.fsync(lock)  # or a node might not see it yet


def _taken(lock: int) -> bool:
    """Return whether this process has got the lock. POSIX locks end with the process, and work between machines."""
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _remove(*folders: str) -> None:
    """Remove the files but not the folders, since a Snakemake that is starting may be about to write there."""
    for folder in folders:
        for file in (SNAKEMAKE / folder).glob("*"):
            with suppress(FileNotFoundError):
                file.unlink()
