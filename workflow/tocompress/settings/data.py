"""The config's `data`: the sets that models are evaluated on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tocompress.settings.base import Count, Settings


class Glyphs(Settings):
    """Characters rendered from fonts under random distortion; made here."""

    kind: Literal["glyphs"]
    seed: int = Field(1, ge=0)
    size: int = Field(32, ge=16, le=512, description="height and width, pixels")
    train: Count = 40_000
    calibration: Count = 2_000
    test: Count = 2_000


class NumberPhrases(Settings):
    """English number, date, price and time phrases and their German translation; made here."""

    kind: Literal["number_phrases"]
    seed: int = Field(1, ge=0)
    train: Count = 60_000
    calibration: Count = 1_000
    test: Count = 600
    codes: str = Field(description="file of byte pair encodings")
    source_vocabulary: str = Field(description="file of source subwords, one a line")
    target_vocabulary: str = Field(description="file of target subwords, one a line")


DataSettings = Annotated[Glyphs | NumberPhrases, Field(discriminator="kind")]
