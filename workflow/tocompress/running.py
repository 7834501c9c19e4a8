"""End each job with its run, on this machine and on the nodes of a cluster."""

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

SNAKEMAKE = Path(".snakemake")
#: The head of a run holds this lock until it ends, however it ends, and writes the line that names it into the file.
RUN_LOCK = SNAKEMAKE / "run.lock"
#: All jobs share this lock until they end.
JOBS_LOCK = SNAKEMAKE / "jobs.lock"
#: The environment variable of a job that holds the process of its Snakemake.
_RUN = "TOCOMPRESS_RUN"
#: The environment variable of a job that holds the line of its head.
HEAD = "TOCOMPRESS_HEAD"
#: The environment variable of a run within a job of another run, which holds the process of the job.
WITHIN = "TOCOMPRESS_WITHIN"
LOOK_S = 5.0
_GRACE_S = 1  # for a job to end in good order


def announce() -> None:
    """Tell the jobs of this process that they belong to it."""
    os.environ[_RUN] = str(os.getpid())


def end_with_run() -> None:
    """Make this process end, with all that it has started, as soon as its run has ended."""
    if run := os.environ.get(_RUN):
        # Before a job has begun, Ctrl-C must end it without a traceback.
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        _share_lock()
        end_with(int(run))


def end_with(process: int) -> None:
    """Make this process end as soon as another process of this machine has ended."""
    threading.Thread(target=_outlive_not, args=[process], daemon=True).start()


def end_with_head() -> None:
    """Make the Snakemake of a job on a node end as soon as another run has the folder. Exit if one has it already.

    The head may be killed while its jobs run, or wait in a queue. The next head waits for the lock of the jobs, and
    the content of the run's lock tells them to end. Locks of one machine may be unknown to another, so a free lock
    tells nothing.
    """
    if head := os.environ.get(HEAD):
        _share_lock()
        if has_lost_folder(head):
            stop(f"the run of this job ({head}) was killed, and its folder cleared; nothing is left to do")
        threading.Thread(target=_end_at_once, args=[head], daemon=True).start()


def has_lost_folder(head: str) -> bool:
    """Return whether the line in the run's lock is not the line of a head. A file that cannot be read tells nothing."""
    with suppress(OSError):
        return RUN_LOCK.read_text(encoding="utf-8").strip() != head
    return False


def stop(problem: str) -> NoReturn:
    """End this program with one line."""
    print(f"Error: {problem}", file=sys.stderr)
    sys.exit(1)


def _share_lock() -> None:
    # The descriptor stays open: the lock would end with it.
    with suppress(OSError):
        fcntl.lockf(os.open(JOBS_LOCK, os.O_RDWR | os.O_CREAT, 0o666), fcntl.LOCK_SH)


def _end_at_once(head: str) -> None:
    while not has_lost_folder(head):
        time.sleep(LOOK_S)
    # In good order, Snakemake would wait for its job, or remove its output. Its script ends with it.
    os.kill(os.getpid(), signal.SIGKILL)


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
