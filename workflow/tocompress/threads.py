"""How many threads TensorFlow computes in."""

from __future__ import annotations

import os


def use_threads(count: int) -> None:
    """Have TensorFlow compute in so many threads: sums depend on their number, and jobs run beside each other."""
    os.environ |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(count))


def threads() -> int:
    """How many `use_threads` said."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
