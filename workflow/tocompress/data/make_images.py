"""Make a split of a set of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tocompress.data import glyphs
from tocompress.files import replace_on_success
from tocompress.settings.data import Glyphs, Split


def write_split(path: str | Path, settings: Glyphs, split: Split) -> None:
    """Render a split and write it to the .npz `path`, whole or not at all."""
    number: int = getattr(settings, split)
    images, labels = glyphs.render(split, number, size=settings.size, seed=settings.seed)
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, labels=labels)
