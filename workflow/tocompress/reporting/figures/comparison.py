"""Panels of several metrics whose rows are models and whose colours are variants, all relative to fp32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import panels
from tocompress.reporting.study import BASELINE, select, variants
from tocompress.settings.reporting import Plot

# Inches: a column of fp32 values, between panels, at the edge; the key, a panel's title, its axis.
_VALUES, _GAP, _MARGIN = 0.47, 0.12, 0.05
_KEY, _TITLE, _AXIS = 0.22, 0.22, 0.38


@dataclass(frozen=True)
class Panel:
    """What a panel shows: metrics and their markers, as a multiple of fp32 or as a change from it."""

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
    """The rows of `study` that the panels show, each with its panel's letter."""
    rows = [
        select(study, *panel.markers, dequantization=plot.dequantization).assign(panel=letter)
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
    """The panels of `values` (see `table`) in lines of `columns`; a row of `pitch` inches a model."""
    colours = {variant: style.colours(study)[variant] for variant in variants(values) if variant != BASELINE}
    rows = panels.arrange(models, pitch)
    left = _MARGIN + rows.label_width
    width = (style.DOUBLE - left - columns * _VALUES - (columns - 1) * _GAP - _MARGIN) / columns
    lines = -(-len(shown) // columns)
    figure = style.figure(style.DOUBLE, _KEY + lines * (_TITLE + rows.height + _AXIS))
    panels.key(figure, left, _KEY / 2, panels.variant_entries(colours, values))
    for number, (letter, panel) in enumerate(_lettered(shown)):
        line, column = divmod(number, columns)
        place = left + column * (width + _VALUES + _GAP), _KEY + _TITLE + line * (_TITLE + rows.height + _AXIS)
        axes = panels.panel(figure, rows, *place, width, f"({letter}) {panel.title}", names=column == 0)
        own = values[values["panel"] == letter]
        bars = [metric for metric in panel.markers if metric not in ("precision", "recall")]
        panels.ratio_dots(axes, rows, own, colours, panel.markers, change=panel.change, bars=bars)
        f1 = "f1" in panel.markers
        panels.baseline_column(axes, rows, own, ["f1", *panel.markers], "fp32 F1" if f1 else "fp32")
        if len(panel.markers) > 1 and models:
            found = set(own.loc[own["ratio"].notna(), "metric"])
            shapes = [
                panels.Entry(style.METRIC_NAMES[name], shape) for name, shape in panel.markers.items() if name in found
            ]
            panels.key(figure, place[0] + 0.02, place[1] + rows.headings[0][0], shapes)
    return figure


def _lettered(shown: Sequence[Panel]) -> list[tuple[str, Panel]]:
    return list(zip("abcdef", shown, strict=False))
