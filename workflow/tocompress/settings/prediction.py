"""The first half of the config's `evaluation`: how predictions are made."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Count, Settings
from tocompress.settings.data import DataSettings
from tocompress.settings.model import ModelSettings


class Prediction(Settings):
    """How the test set is run through an artifact."""

    batch_size: Count = Field(100, description="images at once")
    sentences: Count = Field(32, description="sentences at once, in the set's order")
    shards: int = Field(1, ge=1, le=8, description="jobs that a test set is shared out among; each has whole batches")


class PredictionInputs(Settings):
    """What one job runs: a model over its test set."""

    model: ModelSettings
    data: DataSettings
    prediction: Prediction
