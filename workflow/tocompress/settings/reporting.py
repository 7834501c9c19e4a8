"""The config's `plot` and `report`: what people look at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tocompress.settings.base import Settings


class Plot(Settings):
    """How figures are drawn."""

    dpi: int = Field(200, ge=50, le=1200, description="dots per inch of the PNG files")
    dequantization: Literal["every_inference", "once"] = Field(
        "every_inference", description="the one that figures show where they show just one"
    )


class Report(Settings):
    """The HTML report."""

    title: str = Field("To compress, or not to compress", description="over the page")
