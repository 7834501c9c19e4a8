"""What names the rows of the study's table, and how raw samples become intervals."""

from __future__ import annotations

from tocompress.settings.base import Settings


class StudyModel(Settings):
    """What every row of a model says about it."""

    name: str
    network: str
    build: str
    data: str
    trained: bool
    benchmarked: bool
    variants: tuple[str, ...]
    pruned: tuple[str, ...]  # those of them that have lost filters or units


class StudyDevice(Settings):
    """What every row that was measured on a device says about it."""

    name: str
    processor: str
    runtime: str
    rails: tuple[str, ...] | None = None


class Aggregation(Settings):
    """All that the table is put together from, but for the files, which come in the order of these lists."""

    models: tuple[StudyModel, ...]
    devices: tuple[StudyDevice, ...]
    level: float
    target: float
