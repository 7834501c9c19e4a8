"""Draw panels of several metrics relative to fp32, with models as rows and variants as colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import panels
from tocompress.reporting.study import select, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.variants import BASELINE

# Inches: a column of fp32 values, the gap between panels, the edge. Then the key, a panel's title, its axis.
_VALUES, _GAP, _MARGIN = 0.47, 0.12, 0.05
_KEY, _TITLE, _AXIS = 0.22, 0.22, 0.38


@dataclass(frozen=True)
class Panel:
    """A panel of metrics and their markers, as multiples of fp32 or as changes from it."""

    title: str
    markers: Mapping[str, str]
    change: bool = False


SIZE = Panel("file size", {"size": "o"})
LATENCY = Panel("inference time", {"latency": "o"})
ACCURACY = Panel("accuracy", {"top1": "o", "bleu": "s", "top5": "^"}, change=True)
ENERGY = Panel("energy", {"energy": "o"})
#: The panels of the paper's Figures 13 and 20.
ALL = (
    SIZE,
    LATENCY,
    ACCURACY,
    Panel("peak power", {"power_peak": "o"}),
    ENERGY,
    Panel("precision, recall, F1", {"precision": "<", "f1": "D", "recall": ">"}, change=True),
)


def table(study: pd.DataFrame, shown: Sequence[Panel], plot: Plot) -> pd.DataFrame:
    """Return the rows of `study` that the panels show, each with its panel's letter."""
    rows = [
        select(study, *panel.markers, arithmetic=plot.arithmetic).assign(panel=letter)
        for letter, panel in _lettered(shown)
    ]
    return pd.concat(rows, ignore_index=True)


def draw(
    study: pd.DataFrame,
    values: pd.DataFrame,
    shown: Sequence[Panel],
    models: Sequence[style.ShownModel],
    *,
    pitch: float,
    columns: int,
) -> Figure:
    """Draw the panels of `values` (see `table`) in lines of `columns`, with a row of `pitch` inches per model."""
    colours = {variant: style.colours(study)[variant] for variant in variants(values) if variant != BASELINE}
    rows = panels.arrange(models, pitch)
    left = _MARGIN + rows.label_width
    width = (style.DOUBLE - left - columns * _VALUES - (columns - 1) * _GAP - _MARGIN) / columns
    compared = values[values["ratio"].notna() & values["variant"].ne(BASELINE)]
    panels_by_line = [_lettered(shown)[start : start + columns] for start in range(0, len(shown), columns)]
    empty = panels.arrange([], pitch)
    rows_by_line = [
        rows if compared["panel"].isin([letter for letter, _ in line]).any() else empty for line in panels_by_line
    ]
    heights = [_TITLE + of_line.height + (_AXIS if of_line is rows else _GAP) for of_line in rows_by_line]
    figure = style.figure(style.DOUBLE, _KEY + sum(heights))
    panels.key(figure, left, _KEY / 2, panels.variant_entries(colours, values))
    top = _KEY
    for line, of_line, height in zip(panels_by_line, rows_by_line, heights, strict=True):
        for column, (letter, panel) in enumerate(line):
            place = left + column * (width + _VALUES + _GAP), top + _TITLE
            axes = panels.panel(figure, of_line, *place, width, f"({letter}) {panel.title}", names=column == 0)
            _fill(figure, axes, place, of_line, values[values["panel"] == letter], panel, colours)
        top += height
    return figure


def _fill(
    figure: Figure,
    axes: Axes,
    place: tuple[float, float],
    rows: panels.Rows,
    own: pd.DataFrame,
    panel: Panel,
    colours: Mapping[str, str],
) -> None:
    """Draw dots and the values of fp32, and a key of markers if there are several metrics."""
    bars = [metric for metric in panel.markers if metric not in ("precision", "recall")]
    panels.ratio_dots(axes, rows, own, colours, panel.markers, change=panel.change, bars=bars)
    f1 = "f1" in panel.markers
    panels.baseline_column(axes, rows, own, ["f1", *panel.markers], "fp32 F1" if f1 else "fp32")
    if len(panel.markers) > 1 and rows.models:
        found = set(own.loc[own["ratio"].notna(), "metric"])
        shapes = [panels.Entry(METRICS[name].title, shape) for name, shape in panel.markers.items() if name in found]
        panels.key(figure, place[0] + 0.02, place[1] + rows.headings[0][0], shapes)


def _lettered(shown: Sequence[Panel]) -> list[tuple[str, Panel]]:
    return list(zip("abcdef", shown, strict=False))
