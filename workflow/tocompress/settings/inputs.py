"""The fixed inputs of a benchmark: the settings of a job, put together from several sections of the config."""

from __future__ import annotations

from tocompress.settings.base import Count, Settings
from tocompress.settings.data import DataSettings
from tocompress.settings.model import ModelSettings


class BenchmarkInputs(Settings):
    """Which inputs a model is timed on."""

    model: ModelSettings
    data: DataSettings
    count: Count
