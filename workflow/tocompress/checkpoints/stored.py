"""A variable that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Stored:
    """Its shape, the file that holds its values, and what maps these from there; that raises `table.DAMAGE`."""

    shape: tuple[int, ...]
    file: Path
    read: Callable[[], np.ndarray]
