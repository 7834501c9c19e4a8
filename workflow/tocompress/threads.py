"""Set the number of threads that TensorFlow computes in."""

from __future__ import annotations

import os


def use_threads(count: int) -> None:
    """Make TensorFlow compute in `count` threads, since sums depend on their number and jobs run beside each other."""
    os.environ |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(count))


def threads() -> int:
    """Return the number of threads that `use_threads` has set."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
