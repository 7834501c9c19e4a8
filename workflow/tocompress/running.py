"""One run at a time in a folder; nothing left in the way by a run that was killed; no job that outlives its run."""

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
#: Held as long as a run's process lives, however it ends: what Snakemake's own locks are not.
_LOCK = _SNAKEMAKE / "run.lock"
_PATIENCE_S = 0.5  # another command may be looking at the lock
#: In the environment of a job: the process of the Snakemake that runs it.
_RUN = "TOCOMPRESS_RUN"
_GRACE_S = 1  # for a job to end in good order


def announce() -> None:
    """Tell the jobs of this process whose they are."""
    os.environ[_RUN] = str(os.getpid())


def clear() -> None:
    """Unless a run is at work: remove what a killed one left in `.snakemake`, and bring results back from the future.

    A clock that was set back leaves results that are newer than anything to come, which Snakemake takes for an error;
    they become the newest so far, in their order.
    """
    # Where locks cannot be had, a run may be at work.
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

    Exits with one line where another run is at work, or results cannot be written.
    """
    with suppress(OSError):  # where locks cannot be had, Snakemake's have to do
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
        # From here on ours does their work, and they would stay behind where this process is killed.
        _remove("locks")
    if not os.access(_RESULTS if _RESULTS.exists() else ".", os.W_OK):
        _stop(f"{_RESULTS.resolve()}: cannot be written to; it is where all that a run makes goes")


def end_with_run() -> None:
    """Have this process end, with all it has started, as soon as the run whose job it is has ended."""
    if run := os.environ.get(_RUN):
        # Ctrl-C ends a job that has not begun without a word.
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        threading.Thread(target=_outlive_not, args=[int(run)], daemon=True).start()


def _outlive_not(run: int) -> None:
    _wait_for_end(run)
    # Compiled code does not listen to the signal that ends a job in good order, but nothing outlives this one.
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
    """Whether this process has got the lock: one of POSIX, which ends with the process, and works between machines."""
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _remove(*folders: str) -> None:
    """The files, not the folders, in which a Snakemake that is starting may be about to write."""
    for folder in folders:
        for file in (_SNAKEMAKE / folder).glob("*"):
            with suppress(FileNotFoundError):
                file.unlink()


def _stop(problem: str) -> NoReturn:
    print(f"Error: {problem}", file=sys.stderr)
    sys.exit(1)
