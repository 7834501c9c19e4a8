"""The config's `evaluation` and `sensitivity`: how accuracy is judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tocompress.settings.base import Count, Settings


class Prediction(Settings):
    """How the test set is run through an artifact."""

    batch_size: Count = Field(100, description="images at once")
    sentences: Count = Field(32, description="sentences at once, in the set's order")
    shards: int = Field(1, ge=1, le=8, description="jobs that a test set is shared out among; each has whole batches")


class Scores(Settings):
    """How predictions become scores."""

    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of intervals")
    resamples: int = Field(1000, ge=100, description="of the bootstrap")
    seed: int = Field(1, ge=0, description="of the bootstrap")


class Evaluation(Settings):
    """Both halves of the stage, so that another interval does not run the networks again."""

    prediction: Prediction = Field(Prediction(), description="how networks are run")
    scores: Scores = Field(Scores(), description="how accuracy is judged")


class Sensitivity(Settings):
    """What goes first, and on how much data accuracy is judged."""

    criterion: Literal["l1", "l2", "taylor", "random"] = Field("l1", description="ranks a layer's filters or units")
    examples: Count = Field(1000, description="how many of the calibration set, drawn at random")
    seed: int = Field(1, ge=0, description="of the draw, and of the criterion 'random'")
