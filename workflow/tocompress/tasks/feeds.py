"""Choose inputs that represent a whole set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tocompress.errors import StudyError


def spread(total: int, count: int, split: str | Path) -> np.ndarray:
    """Return `count` different places of `total`, evenly spread and with both ends."""
    if count > total:
        raise StudyError(f"{split}: holds {total} examples, the benchmark wants {count} inputs")
    return np.arange(count) * (total - 1) // max(count - 1, 1)


def batches(chosen: np.ndarray, sizes: Iterable[int], letter: str) -> dict[str, np.ndarray]:
    """Return the examples of each input by its name: `i00`, ... of one example, `i00x8`, ... of eight.

    The batches of a size hold every chosen example, in their order. The last one begins again with the first.
    """
    return {
        f"{letter}{number:02d}{f'x{size}' if size > 1 else ''}": np.take(chosen, start + np.arange(size), mode="wrap")
        for size in sizes
        for number, start in enumerate(range(0, len(chosen), size))
    }
