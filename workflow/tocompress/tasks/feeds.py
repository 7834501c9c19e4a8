"""Choose inputs that represent a whole set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tocompress.errors import StudyError


def spread(total: int, count: int, split: str | Path) -> np.ndarray:
    """Return `count` different places of `total`, evenly spread and with both ends."""
    if count > total:
        raise StudyError(f"{split}: holds {total} examples, the benchmark wants {count} inputs")
    return np.arange(count) * (total - 1) // max(count - 1, 1)
