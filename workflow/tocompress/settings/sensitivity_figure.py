"""What the figure of a sensitivity scan says beyond its table; apart, so that a plot setting scans nothing again."""

from __future__ import annotations

from tocompress.settings.base import Name, Settings
from tocompress.settings.reporting import Plot


class SensitivityFigure(Settings):
    """The model that was scanned, on which dataset, and how the figure is drawn."""

    model: Name
    network: str
    data: Name
    criterion: str
    plot: Plot
