"""Make a split of a dataset that needs no files from elsewhere."""

from __future__ import annotations

import importlib
from pathlib import Path

from tocompress.settings.data import DataSettings, Split


def write_split(path: str | Path, data: DataSettings, split: Split) -> None:
    """Write a split to `path`. Its kind's module is imported by name: a job depends on its own kind only."""
    assert data.module is not None  # by the rule's constraint
    importlib.import_module(data.module).write_split(path, data, split)
