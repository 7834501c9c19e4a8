"""Draw a technique's effect on time against memory and accuracy, as bubbles with a model's size as their area."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocompress.reporting import style
from tocompress.reporting.figures import panels
from tocompress.reporting.figures.labels import Label, place
from tocompress.reporting.study import select, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.variants import BASELINE

SMALLEST = 3.0  # points, a diameter
_LARGEST = 22.0
_METRICS = ("parameters", "latency", "memory", *JUDGES)
_LINES = (
    ("memory relative to fp32", ("memory",), False),
    ("accuracy change from fp32 (%)", JUDGES, True),
)
_WIDE = 3  # panels in a line still have room for everything
# Inches: the left axis, the edges, the gap between panels. Then the key, a row's titles, panels (empty), axis.
_LEFT, _MARGIN, _RIGHT, _GAP = 0.56, 0.08, 0.16, 0.12
_KEY, _TITLE, _HEIGHT, _EMPTY, _AXIS = 0.2, 0.2, 2.1, 0.5, 0.42


@dataclass(frozen=True)
class _Bubble:
    """A model under one variant: ratios to fp32 with their intervals, or changes in percent."""

    name: str
    trained: bool
    parameters: float
    x: tuple[float, float, float]
    y: tuple[float, float, float]

    def diameter(self, largest: float) -> float:
        """Return the diameter in points. The area is in proportion to the parameters."""
        return max(_LARGEST * math.sqrt(self.parameters / largest), SMALLEST)


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows behind the bubbles."""
    return select(study, *_METRICS, arithmetic=plot.arithmetic).reset_index(drop=True)


def draw(study: pd.DataFrame, values: pd.DataFrame, models: Sequence[style.ShownModel]) -> Figure:
    """Draw a column per variant of `values`: inference time against memory above, against accuracy below.

    Accuracy has trained models only. A bubble's area is in proportion to the uncompressed model's parameters.
    """
    compared = [variant for variant in variants(values) if variant != BASELINE]
    names = style.short_names(models)
    bubbles = {
        title: {variant: _bubbles(names, values, variant, metrics, change) for variant in compared}
        for title, metrics, change in _LINES
    }
    heights = [(_HEIGHT, _AXIS) if any(bubbles[title].values()) else (_EMPTY, _MARGIN) for title, _, _ in _LINES]
    full_width = style.DOUBLE if len(compared) > 1 else style.SINGLE
    figure = style.figure(full_width, _KEY + sum(_TITLE + height + axis for height, axis in heights))
    builds = dict.fromkeys((model.group, model.trained) for model in models)
    panels.key(figure, _LEFT, _KEY / 2, [panels.Entry(group, hollow=not trained) for group, trained in builds])
    top = _KEY
    for (height, axis), (title, metrics, change) in zip(heights, _LINES, strict=True):
        shown = [bubble for some in bubbles[title].values() for bubble in some]
        row = _row_of_axes(figure, top + _TITLE, len(compared) if shown else 1, height)
        below = top + _TITLE + height
        top = below + axis
        if not shown:
            row[0].set_title(title, loc="left", pad=3)
            row[0].set_yticks([])
            panels.explain(row[0], _why_none(values, metrics))
            continue
        style.write(figure, _MARGIN, below - height / 2, title, rotation=90, va="center", ha="left")
        largest = max(bubble.parameters for bubble in shown)
        _name_axes(row, largest, below + 0.27)
        _set_limits(row, shown, change)
        for axes, variant in zip(row, compared, strict=True):
            colour = style.colours(study)[variant]
            axes.set_title(variant, loc="left", fontweight="bold", color=colour, pad=3)
            _draw_bubbles(axes, bubbles[title][variant], largest, colour)
    return figure


def _why_none(values: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Return why there is no bubble: one of its metrics is missing, or else the time."""
    missing = values[values["metric"].isin(metrics)]
    return panels.why_missing(values[values["metric"] == "latency"] if missing["ratio"].notna().any() else missing)


def _name_axes(row: Sequence[Axes], largest: float, below: float) -> None:
    """Write the name of the x axis and the scale of the bubbles, only once `below` the row if panels are narrow."""
    scale = f"largest: {style.quantity(largest, '1')} parameters"
    figure, title = style.figure_of(row[0]), "inference time relative to fp32"
    right = figure.get_size_inches()[0] - _RIGHT
    if len(row) <= _WIDE:
        row[-1].set_title(scale, loc="right", fontsize=style.SMALL, color=style.MUTED, pad=3)
        for axes in row:
            axes.set_xlabel(title)
    else:
        style.write(figure, (_LEFT + right) / 2, below, title, ha="center", va="center")
        style.write(figure, right, below, scale, ha="right", va="center", color=style.MUTED)


def _bubbles(
    names: Mapping[style.ShownModel, str], values: pd.DataFrame, variant: str, metrics: Sequence[str], change: bool
) -> list[_Bubble]:
    """Return one bubble per model that has both ratios, the largest first."""
    own = values[values["variant"].eq(variant) & values["ratio"].notna()].set_index(["model", "metric"])
    baselines = values[(values["metric"] == "parameters") & (values["variant"] == BASELINE)]
    parameters = baselines.set_index("model")["value"]

    def ratio(model: str, metric: str) -> tuple[float, float, float]:
        row = own.loc[(model, metric)]
        return float(row["ratio_low"]), float(row["ratio"]), float(row["ratio_high"])

    found = []
    for model, name in names.items():
        metric = next((metric for metric in metrics if (model.name, metric) in own.index), None)
        if metric is None or (model.name, "latency") not in own.index or pd.isna(parameters.get(model.name)):
            continue
        low, middle, high = ratio(model.name, metric)
        y = (100 * (low - 1), 100 * (middle - 1), 100 * (high - 1)) if change else (low, middle, high)
        found.append(_Bubble(name, model.trained, parameters[model.name], ratio(model.name, "latency"), y))
    return sorted(found, key=lambda bubble: -bubble.parameters)


def _row_of_axes(figure: Figure, top: float, number: int, height: float) -> list[Axes]:
    width = (figure.get_size_inches()[0] - _LEFT - _RIGHT - (number - 1) * _GAP) / number
    return [style.axes(figure, _LEFT + column * (width + _GAP), top, width, height) for column in range(number)]


def _set_limits(row: Sequence[Axes], shown: Sequence[_Bubble], change: bool) -> None:
    """Set the same axes for all panels of a row, with room for bubbles and names. Draw a line for fp32 if in sight."""
    for axes in row:
        for limits, bounds, line, reference in (
            (axes.set_xlim, [bubble.x for bubble in shown], axes.axvline, 1.0),
            (axes.set_ylim, [bubble.y for bubble in shown], axes.axhline, 0.0 if change else 1.0),
        ):
            lows, middles, highs = (pd.Series(edges) for edges in zip(*bounds, strict=True))
            low, high = panels.reach(lows, middles, highs, least=0.1 if reference else 3)
            margin = 0.16 * (high - low) or 0.1
            limits(max(low - margin, 0.0) if reference else low - margin, high + margin)
            if low - margin < reference < high + margin:
                line(reference, color=style.INK, linewidth=0.7)
                if len(row) <= _WIDE:  # narrow panels have no room, but a tick at fp32
                    _name_baseline(axes, reference, vertical=line == axes.axvline)
        axes.xaxis.set_major_locator(MaxNLocator(5 if len(row) <= _WIDE else 3, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(panels.multiple))
        axes.yaxis.set_major_formatter(FuncFormatter(panels.percent if change else panels.multiple))
        axes.grid()
        if axes is not row[0]:
            axes.tick_params(axis="y", labelleft=False)


def _name_baseline(axes: Axes, reference: float, *, vertical: bool) -> None:
    place, coordinates = (
        ((reference, 1), ("data", "axes fraction")) if vertical else ((1, reference), ("axes fraction", "data"))
    )
    axes.annotate(
        "fp32", place, (3, -3) if vertical else (-3, 3), xycoords=coordinates, textcoords="offset points",
        ha="left" if vertical else "right", va="top" if vertical else "bottom", color=style.MUTED,
    )  # fmt: skip


def _draw_bubbles(axes: Axes, bubbles: Sequence[_Bubble], largest: float, colour: str) -> None:
    for bubble in bubbles:
        (left, x, right), (low, y, high) = bubble.x, bubble.y
        axes.plot([left, right], [y, y], color=colour, linewidth=0.6, alpha=0.7)
        axes.plot([x, x], [low, high], color=colour, linewidth=0.6, alpha=0.7)
        axes.plot(
            x, y, "o", markersize=bubble.diameter(largest), markeredgecolor=colour, markeredgewidth=0.9,
            markerfacecolor=(colour, 0.35) if bubble.trained else ("white", 0.55), clip_on=False, zorder=3,
        )  # fmt: skip
    place(axes, [Label(bubble.name, bubble.x[1], bubble.y[1], bubble.diameter(largest) / 2) for bubble in bubbles])
