"""Keep one run at a time in a folder, clear up after a killed run, and end each job with its run."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

_RESULTS = Path("results")
_SNAKEMAKE = Path(".snakemake")
#: A run's process holds this lock until it ends, however it ends. Snakemake's own locks may stay behind.
_LOCK = _SNAKEMAKE / "run.lock"
_PATIENCE_S = 0.5  # another command may be looking at the lock
#: The environment variable of a job that holds the process of its Snakemake.
_RUN = "TOCOMPRESS_RUN"
_GRACE_S = 1  # for a job to end in good order
#: The environment variable of a run within a job of another run, which holds the process of the job.
WITHIN = "TOCOMPRESS_WITHIN"


def announce() -> None:
    """Tell the jobs of this process that they belong to it."""
    os.environ[_RUN] = str(os.getpid())


def clear() -> None:
    """Remove the remains of a killed run, and bring results back from the future, unless a run is at work.

    A clock that was set back leaves results that are newer than all to come, which Snakemake takes for an error. They
    become the newest so far, in their order.
    """
    # Without locks, a run may be at work.
    with suppress(OSError), open(_LOCK, "a") as lock:
        if not _taken(lock.fileno()):
            return
        _remove("locks", "scripts")
        files = [Path(folder, name) for folder, _, names in os.walk(_RESULTS) for name in names]
        modified = {file: file.lstat().st_mtime_ns for file in files}
        now = time.time_ns()
        future = sorted({moment for moment in modified.values() if moment > now}, reverse=True)
        brought_back = {moment: now - age * 1_000_000 for age, moment in enumerate(future)}
        for file, moment in modified.items():
            if moment in brought_back:
                os.utime(file, ns=(now, brought_back[moment]), follow_symlinks=False)


def begin() -> None:
    """Take the folder for this run, as long as its process lives.

    A run within a job of another run ends with this job. Exit with one line where another run is at work, or where
    results cannot be written.
    """
    if job := os.environ.pop(WITHIN, None):
        threading.Thread(target=_outlive_not, args=[int(job)], daemon=True).start()
        return
    with suppress(OSError):  # without locks, Snakemake's own must do
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        deadline = time.monotonic() + _PATIENCE_S
        while not _taken(lock):
            if time.monotonic() > deadline:
                holder = os.pread(lock, 200, 0).decode(errors="replace").strip()
                _stop(f"another run is at work in this folder ({holder}); wait for it, or stop it")
            time.sleep(0.05)
        os.ftruncate(lock, 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        os.pwrite(lock, f"process {os.getpid()} on {os.uname().nodename} since {since}\n".encode(), 0)
        # Our lock does the work of Snakemake's, which would stay behind if this process were killed.
        _remove("locks")
    if not os.access(_RESULTS if _RESULTS.exists() else ".", os.W_OK):
        _stop(f"{_RESULTS.resolve()}: cannot be written to; it is where all that a run makes goes")


def end_with_run() -> None:
    """Make this process end, with all that it has started, as soon as its run has ended."""
    if run := os.environ.get(_RUN):
        # Before a job has begun, Ctrl-C must end it without a traceback.
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        threading.Thread(target=_outlive_not, args=[int(run)], daemon=True).start()


def _outlive_not(run: int) -> None:
    _wait_for_end(run)
    # Compiled code ignores the signal that ends a job in good order, but nothing survives the alarm.
    signal.alarm(_GRACE_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_end(process: int) -> None:
    """Sleep until a process has ended, without waking up in between where the system can tell."""
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        try:
            descriptor = os.pidfd_open(process)
        except (AttributeError, OSError):  # not Linux, an old one, or a container that forbids it
            while True:
                time.sleep(1)
                os.kill(process, 0)
        select.select([descriptor], [], [])


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
        for file in (_SNAKEMAKE / folder).glob("*"):
            with suppress(FileNotFoundError):
                file.unlink()


def _stop(problem: str) -> NoReturn:
    print(f"Error: {problem}", file=sys.stderr)
    sys.exit(1)
