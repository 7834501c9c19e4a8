"""The config's `evaluation`: how accuracy is judged."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Settings
from tocompress.settings.prediction import Prediction


class Scores(Settings):
    """How predictions become scores."""

    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of intervals")
    resamples: int = Field(1000, ge=100, description="of the bootstrap")
    seed: int = Field(1, ge=0, description="of the bootstrap")


class ScoreInputs(Settings):
    """What one job scores by."""

    scores: Scores
    language: str | None = Field(description="of translations that are Moses' tokens; null: they are plain text")


class Evaluation(Settings):
    """Both halves of the stage, so that another interval does not run the networks again."""

    prediction: Prediction = Field(Prediction(), description="how networks are run")
    scores: Scores = Field(Scores(), description="how accuracy is judged")
