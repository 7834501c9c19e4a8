"""The config's `calibration`: the images from which the ranges of activations are measured."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Count, Settings


class Calibration(Settings):
    """The number of images that show how large activations become."""

    examples: Count = Field(100, description="number of images, spread over the calibration set")
