"""What every script of a rule does around its one library call."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tocompress.errors import StudyError


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Send all output to the job's log, that of compiled libraries too; end with one line where input is bad."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(str(snakemake.log[0]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        yield
    except StudyError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def terminal() -> Callable[[str], None]:
    """What a person who waits is told, beside the log; to be asked for before the job begins."""
    original = os.dup(2)

    def tell(line: str) -> None:
        os.write(original, f"{line}\n".encode())
        print(line, flush=True)

    return tell


def use_threads(count: int) -> None:
    """Have TensorFlow compute in so many threads: sums depend on their number, and jobs run beside each other."""
    os.environ |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(count))


def threads() -> int:
    """How many `use_threads` said."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
