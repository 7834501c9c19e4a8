"""The config's `evaluation`, `sensitivity` and `quantization_sensitivity`: how accuracy is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tocompress.settings.base import ONCE, Count, Settings


class Prediction(Settings):
    """How an artifact runs over the test set, or over other examples that judge it."""

    split: Literal["test", "calibration"] = Field("test", description="split of the dataset that accuracy is judged on")
    examples: Count | None = Field(None, description="number of its examples, drawn at random (null: all)")
    batch_size: Count = Field(100, description="images per batch")
    sentences: Count = Field(32, description="sentences per batch, in the order of the test set")
    shards: int = Field(1, ge=1, le=8, description="jobs that share a test set, each with whole batches")


class Scores(Settings):
    """How predictions become scores."""

    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of intervals")
    resamples: int = Field(1000, ge=100, description="resamples of the bootstrap")
    seed: int = Field(1, ge=0, description="seed of the bootstrap")


class Evaluation(Settings):
    """How accuracy is judged. The two halves are apart, so another interval does not run the networks again."""

    prediction: Prediction = Field(Prediction(), description="how networks are run")
    scores: Scores = Field(Scores(), description="how predictions become scores")


class Sensitivity(Settings):
    """Which filters and units are removed first, and on how much data accuracy is judged."""

    criterion: Literal["l1", "l2", "taylor", "random"] = Field("l1", description="ranks a layer's filters or units")
    examples: Count = Field(1000, description="number of calibration examples, drawn at random")
    seed: int = Field(1, ge=0, description="seed of the draw and of the criterion 'random'")


class QuantizationSensitivity(Settings):
    """The grids that each kernel alone is put on, and on how much data accuracy is judged."""

    bits: Annotated[tuple[Annotated[int, Field(ge=2, le=16)], ...], ONCE] = Field(
        (2, 3, 4, 5, 6, 8), min_length=1, description="bits of a weight, of which a budget of bits takes those up to 8"
    )
    granularity: Literal["tensor", "channel"] = Field(
        "channel", description="one grid per tensor or per output channel"
    )
    examples: Count = Field(1000, description="number of calibration examples, drawn at random")
    seed: int = Field(1, ge=0, description="seed of the draw")
