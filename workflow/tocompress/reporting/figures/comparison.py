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
    label: str = ""  # of the x axis, in place of the usual one


@dataclass(frozen=True)
class Line:
    """Panels beside each other, by their letters. They share rows of `pitch` inches, and with `alike` their axis."""

    panels: Mapping[str, Panel]
    models: Sequence[style.ShownModel]
    pitch: float
    alike: bool = False


SIZE = Panel("file size", {"size": "o"})
LATENCY = Panel("inference time", {"latency": "o"})
ACCURACY = Panel("accuracy", {"top1": "o", "bleu": "s", "top5": "^"}, change=True)
POWER = Panel("peak power", {"power_peak": "o"})
ENERGY = Panel("energy", {"energy": "o"})
F1 = Panel("precision, recall, F1", {"precision": "<", "f1": "D", "recall": ">"}, change=True)
#: The panels of the paper's Figures 13 and 20.
ALL = (SIZE, LATENCY, ACCURACY, POWER, ENERGY, F1)


def table(study: pd.DataFrame, shown: Sequence[Panel], plot: Plot) -> pd.DataFrame:
    """Return the rows of `study` that the panels show, each with its panel's letter."""
    rows = [
        select(study, *panel.markers, arithmetic=plot.arithmetic).assign(panel=letter)
        for letter, panel in lettered(shown).items()
    ]
    return pd.concat(rows, ignore_index=True)


def lettered(shown: Sequence[Panel]) -> dict[str, Panel]:
    """Return the panels by their letters."""
    return dict(zip("abcdefghi", shown, strict=False))


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
    all_panels = list(lettered(shown).items())
    starts = range(0, len(all_panels), columns)
    return draw_lines(
        study, values, [Line(dict(all_panels[start : start + columns]), models, pitch) for start in starts]
    )


def draw_lines(study: pd.DataFrame, values: pd.DataFrame, lines: Sequence[Line]) -> Figure:
    """Draw lines of panels of `values`, whose column `panel` holds letters. A line without ratios takes little room."""
    colours = {variant: style.colours(study)[variant] for variant in variants(values) if variant != BASELINE}
    arranged = [_arranged(line, values) for line in lines]
    left = _MARGIN + max(rows.label_width for rows in arranged)
    heights = [_height(rows) for rows in arranged]
    entries = panels.wrap(panels.variant_entries(colours, values), style.DOUBLE - left - _MARGIN)
    figure = style.figure(style.DOUBLE, _KEY * len(entries) + sum(heights))
    for number, of_line in enumerate(entries):
        panels.key(figure, left, (number + 0.5) * _KEY, of_line)
    top = _KEY * len(entries)
    for line, rows, height in zip(lines, arranged, heights, strict=True):
        _draw_line(figure, line, rows, (left, top + _TITLE), values, colours)
        top += height
    return figure


def height(line: Line) -> float:
    """Return the height of a line of panels with ratios, in inches."""
    return _height(panels.arrange(line.models, line.pitch))


def _height(rows: panels.Rows) -> float:
    return _TITLE + rows.height + (_AXIS if rows.models else _GAP)


def _arranged(line: Line, values: pd.DataFrame) -> panels.Rows:
    """Return the rows of a line, none if none of its panels has a ratio."""
    compared = values[values["ratio"].notna() & values["variant"].ne(BASELINE)]
    return panels.arrange(line.models if compared["panel"].isin(list(line.panels)).any() else [], line.pitch)


def _draw_line(
    figure: Figure,
    line: Line,
    rows: panels.Rows,
    place: tuple[float, float],
    values: pd.DataFrame,
    colours: Mapping[str, str],
) -> None:
    """Draw the panels of a line from `place`, its upper left corner in inches."""
    (left, top), number = place, len(line.panels)
    width = (style.DOUBLE - left - number * _VALUES - (number - 1) * _GAP - _MARGIN) / number
    drawn = []
    for column, (letter, panel) in enumerate(line.panels.items()):
        corner = left + column * (width + _VALUES + _GAP), top
        axes = panels.panel(figure, rows, *corner, width, f"({letter}) {panel.title}", names=column == 0)
        own = values[values["panel"] == letter]
        shown = {variant: colours[variant] for variant in variants(own) if variant in colours}
        _fill(figure, axes, corner, rows, own, panel, shown if line.alike else colours)
        if panel.label and axes.get_xlabel():
            axes.set_xlabel(panel.label)
        drawn.append(axes)
    if line.alike:
        panels.make_alike(drawn)


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
