"""The config's `sensitivity`: how the layers of a model are scanned for what each alone can lose; on request only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tocompress.settings.base import Count, Settings
from tocompress.settings.data import DataSettings
from tocompress.settings.model import ModelSettings


class Sensitivity(Settings):
    """What goes first, and on how much data accuracy is judged."""

    criterion: Literal["l1", "l2", "taylor", "random"] = Field("l1", description="ranks a layer's filters or units")
    examples: Count = Field(1000, description="how many of the calibration set, drawn at random")
    seed: int = Field(1, ge=0, description="of the draw, and of the criterion 'random'")


class SensitivityInputs(Settings):
    """What one job scans: a model, on its dataset."""

    model: ModelSettings
    data: DataSettings
    sensitivity: Sensitivity
