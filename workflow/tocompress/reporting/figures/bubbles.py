"""Bubbles whose area is a model's size: what a technique does to time and memory, and to time and accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocompress.reporting import style
from tocompress.reporting.figures import panels
from tocompress.reporting.study import BASELINE, select, variants
from tocompress.settings.reporting import Plot

SMALLEST = 3.0  # points, a diameter
_LARGEST = 22.0
_METRICS = ("parameters", "latency", "memory", "top1", "bleu")
_LINES = (
    ("memory relative to fp32", ("memory",), False),
    ("accuracy change from fp32 (%)", ("top1", "bleu"), True),
)
_WIDE = 3  # panels in a line that have room for everything
# Inches: the axis on the left, the edge, between panels; the key, a row's titles, its panels, their axis.
_LEFT, _MARGIN, _GAP = 0.56, 0.08, 0.12
_KEY, _TITLE, _HEIGHT, _AXIS = 0.2, 0.2, 2.1, 0.42


@dataclass(frozen=True)
class _Bubble:
    """A model under one variant: ratios to fp32 with their intervals, or changes in percent."""

    name: str
    trained: bool
    parameters: float
    x: tuple[float, float, float]
    y: tuple[float, float, float]

    def diameter(self, largest: float) -> float:
        """Points, for an area in proportion to the parameters."""
        return max(_LARGEST * math.sqrt(self.parameters / largest), SMALLEST)


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """The rows that bubbles are made of."""
    return select(study, *_METRICS, dequantization=plot.dequantization).reset_index(drop=True)


def draw(study: pd.DataFrame, values: pd.DataFrame, models: Sequence[style.ShownModel]) -> Figure:
    """A column a variant of `values`; inference time against memory for all models, against accuracy for trained ones.

    The area of a bubble is in proportion to the parameters of the uncompressed model.
    """
    compared = [variant for variant in variants(values) if variant != BASELINE]
    full_width = style.DOUBLE if len(compared) > 1 else style.SINGLE
    figure = style.figure(full_width, _KEY + 2 * (_TITLE + _HEIGHT + _AXIS))
    names = _short_names(models)
    builds = dict.fromkeys((model.group, model.trained) for model in models)
    panels.key(figure, _LEFT, _KEY / 2, [panels.Entry(group, hollow=not trained) for group, trained in builds])
    for line, (title, metrics, change) in enumerate(_LINES):
        top = _KEY + _TITLE + line * (_TITLE + _HEIGHT + _AXIS)
        row = _row_of_axes(figure, top, len(compared))
        style.write(figure, _MARGIN, top + _HEIGHT / 2, title, rotation=90, va="center", ha="left")
        bubbles = {variant: _bubbles(names, values, variant, metrics, change) for variant in compared}
        shown = [bubble for some in bubbles.values() for bubble in some]
        if not shown:
            for axes in row:
                axes.set_yticks([])
                panels.explain(axes, _why_none(values, metrics))
            continue
        largest = max(bubble.parameters for bubble in shown)
        _name_axes(row, largest, top)
        _set_limits(row, shown, change)
        for axes, variant in zip(row, compared, strict=True):
            colour = style.colours(study)[variant]
            axes.set_title(variant, loc="left", fontweight="bold", color=colour, pad=3)
            _draw_bubbles(axes, bubbles[variant], largest, colour)
    return figure


def _why_none(values: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Why there is no bubble: one of its metrics is missing, or else the time."""
    missing = values[values["metric"].isin(metrics)]
    return panels.why_missing(values[values["metric"] == "latency"] if missing["ratio"].notna().any() else missing)


def _name_axes(row: Sequence[Axes], largest: float, top: float) -> None:
    """What all panels of a row show, and the scale of their bubbles: once where they are narrow."""
    scale = f"largest: {style.quantity(largest, '1')} parameters"
    figure, title = style.figure_of(row[0]), "inference time relative to fp32"
    right = figure.get_size_inches()[0] - _MARGIN
    if len(row) <= _WIDE:
        row[-1].set_title(scale, loc="right", fontsize=style.SMALL, color=style.MUTED, pad=3)
        for axes in row:
            axes.set_xlabel(title)
    else:
        below = top + _HEIGHT + 0.27
        style.write(figure, (_LEFT + right) / 2, below, title, ha="center", va="center")
        style.write(figure, right, below, scale, ha="right", va="center", color=style.MUTED)


def _short_names(models: Sequence[style.ShownModel]) -> Mapping[style.ShownModel, str]:
    """The network's name, short, for fill tells trained from initial; the model's where that is not enough."""
    kinds = [(model.network, model.trained) for model in models]
    names = {}
    for model, kind in zip(models, kinds, strict=True):
        name = style.network_name(model.network) if kinds.count(kind) == 1 else model.label
        names[model] = name.replace("Inception", "Inc.").replace("ResNet", "Res.").replace("MobileNet", "Mobile")
    return names


def _bubbles(
    names: Mapping[style.ShownModel, str], values: pd.DataFrame, variant: str, metrics: Sequence[str], change: bool
) -> list[_Bubble]:
    """One bubble a model that has both ratios, the largest first."""
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


def _row_of_axes(figure: Figure, top: float, number: int) -> list[Axes]:
    number = max(number, 1)
    width = (figure.get_size_inches()[0] - _LEFT - _MARGIN - (number - 1) * _GAP) / number
    return [style.axes(figure, _LEFT + column * (width + _GAP), top, width, _HEIGHT) for column in range(number)]


def _set_limits(row: Sequence[Axes], shown: Sequence[_Bubble], change: bool) -> None:
    """The same axes for all panels of a row, with room for bubbles and names; a line for fp32 where it is in sight."""
    for axes in row:
        for limits, bounds, line, reference in (
            (axes.set_xlim, [bubble.x for bubble in shown], axes.axvline, 1.0),
            (axes.set_ylim, [bubble.y for bubble in shown], axes.axhline, 0.0 if change else 1.0),
        ):
            low, high = panels.reach(*(pd.Series(edges) for edges in zip(*bounds, strict=True)))
            margin = 0.16 * (high - low) or 0.1
            limits(low - margin, high + margin)
            if low - margin < reference < high + margin:
                line(reference, color=style.INK, linewidth=0.7)
                if len(row) <= _WIDE:  # narrow ones have no room, and a tick that says so
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
    _place_names(axes, bubbles, largest)


def _place_names(axes: Axes, bubbles: Sequence[_Bubble], largest: float) -> None:
    """Each name beside its bubble where it covers the least; those first placed may move as others come."""
    pixel = style.figure_of(axes).dpi / 72
    obstacles = [_extent(mark, 0.5 * pixel) for mark in (*axes.lines, *axes.texts)]
    panel = _extent(axes.patch)
    texts, choices = [], []
    for bubble in bubbles:
        text = axes.annotate(
            bubble.name, (bubble.x[1], bubble.y[1]), (0, 0), textcoords="offset points", ha="center", va="center",
            zorder=4,
        )  # fmt: skip
        size = text.get_window_extent()
        centre = axes.transData.transform((bubble.x[1], bubble.y[1]))
        texts.append((text, centre, bubble.diameter(largest) / 2 * pixel))
        choices.append(list(_around(centre, texts[-1][2], size.width, size.height, pixel)))
    fixed = [[_burden(box, distance / pixel, obstacles, panel) for box, distance in boxes] for boxes in choices]
    chosen = [boxes[costs.index(min(costs))][0] for boxes, costs in zip(choices, fixed, strict=True)]
    for _ in range(4):
        for number, (boxes, costs) in enumerate(zip(choices, fixed, strict=True)):
            others = [box for other, box in enumerate(chosen) if other != number]
            total = [
                cost + 8 * sum(_overlap(box, other) for other in others)
                for (box, _), cost in zip(boxes, costs, strict=True)
            ]
            chosen[number] = boxes[total.index(min(total))][0]
    for (text, centre, radius), box in zip(texts, chosen, strict=True):
        middle = np.array([box.left + box.right, box.bottom + box.top]) / 2
        text.set_position((middle - centre) / pixel)
        edge = (min(max(centre[0], box.left), box.right), min(max(centre[1], box.bottom), box.top))
        if math.dist(centre, edge) > radius + 4 * pixel:
            rim = centre + (np.array(edge) - centre) * radius / math.dist(centre, edge)
            start, end = axes.transData.inverted().transform([rim, edge])
            axes.plot([start[0], end[0]], [start[1], end[1]], color=style.MUTED, linewidth=0.4, zorder=2)


class _Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float


def _extent(artist: Artist, padding: float = 0.0) -> _Box:
    return _Box(*artist.get_window_extent().padded(padding).extents)


def _around(
    centre: np.ndarray, radius: float, width: float, height: float, pixel: float
) -> Iterator[tuple[_Box, float]]:
    """Places of a box of that size around a circle, and their distance from it; all in pixels."""
    for distance in (1.5 * pixel, 7 * pixel, 14 * pixel, 22 * pixel):
        for degrees in range(0, 360, 30):
            angle = math.radians(degrees)
            x = centre[0] + math.cos(angle) * (radius + distance + width / 2)
            y = centre[1] + math.sin(angle) * (radius + distance + height / 2)
            yield _Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2), distance


def _burden(box: _Box, distance: float, obstacles: Sequence[_Box], panel: _Box) -> float:
    """What speaks against a place: what it covers, what sticks out of the panel, and its distance in points."""
    covered = sum(_overlap(box, obstacle) for obstacle in obstacles)
    outside = _overlap(box, box) - _overlap(box, panel)
    return 3 * covered + 6 * outside + 5 * distance


def _overlap(one: _Box, other: _Box) -> float:
    """The area that both cover."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return max(width, 0.0) * max(height, 0.0)
