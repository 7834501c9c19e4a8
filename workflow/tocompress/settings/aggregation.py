"""What names the rows of the study's table, and how raw samples become intervals."""

from __future__ import annotations

from tocompress.settings.base import Settings
from tocompress.settings.benchmark import Device


class StudyModel(Settings):
    """What every row of a model says about it."""

    network: str
    build: str
    data: str
    trained: bool
    variants: tuple[str, ...]


class Aggregation(Settings):
    """All that the table is put together from, but for the files."""

    models: dict[str, StudyModel]
    devices: dict[str, Device]
    level: float
    target: float
