"""The config's `calibration`: the examples that quantization learns from."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Count, Settings


class Calibration(Settings):
    """The numbers of examples of the calibration set that quantization learns from."""

    examples: Count = Field(
        100, description="number of images that show how large activations become, spread over the set"
    )
    learning: Count = Field(
        512,
        description="number of examples at most, drawn at random, for rounding, biases and batch norm's statistics",
    )
    seed: int = Field(1, ge=0, description="seed of that draw")
