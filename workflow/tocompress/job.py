"""Run the script of a rule: its log, its record, its errors and its end."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

from tocompress.errors import StudyError
from tocompress.files import unmet
from tocompress.provenance.record import write_record


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Send all output to the job's log, also from compiled libraries, and record how the results were made.

    End with one line where input is bad, or where the disk is full or not writable. End in good order on a signal.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: sys.exit(1))
    console = os.dup(2)
    started = datetime.now(UTC)
    try:
        _write_to(str(snakemake.log[0]))
        yield
        write_record(snakemake, started)
    except StudyError as error:
        _complain(str(error), console)
    except OSError as error:
        _complain(f"{error.filename}: {unmet(error)}" if error.filename else unmet(error), console)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def _write_to(log: str) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _complain(problem: str, console: int) -> NoReturn:
    try:
        print(f"Error: {problem}", file=sys.stderr, flush=True)
    except OSError:  # the log is on the disk that is full
        os.write(console, f"Error: {problem}\n".encode())
    sys.exit(1)


def terminal() -> Callable[[str], None]:
    """Return a function that writes a line to the terminal and to the log. Call `terminal` before the job begins."""
    original = os.dup(2)

    def tell(line: str) -> None:
        os.write(original, f"{line}\n".encode())
        print(line, flush=True)

    return tell
