"""The config's `plot` and `report`: the figures and the page of a study."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Settings
from tocompress.settings.benchmark import Arithmetic
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE


class Plot(Settings):
    """How figures are drawn."""

    dpi: int = Field(200, ge=50, le=1200, description="dots per inch of the PNG files")
    arithmetic: Arithmetic = Field(EVERY_INFERENCE, description="arithmetic of figures that show only one")


class Report(Settings):
    """The HTML report."""

    title: str = Field("To compress, or not to compress", description="title of the page")
