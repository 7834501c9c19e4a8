"""Draw panels with models as blocks of rows, one row a variant: a mark with its interval beside fp32.

High rows name their variants and tell their values. Low ones do not, so they need a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tocompress.reporting import palette, style
from tocompress.reporting.figures import panels, values
from tocompress.reporting.figures.svg import tell
from tocompress.vocabulary.metrics import ACCURACY
from tocompress.vocabulary.variants import BASELINE

#: Inches that a row needs for a line of text.
LABELLED = 0.118
#: Inches of low rows, the best first.
LOW = (0.06, 0.052, 0.045, 0.039, 0.034, 0.03, 0.026)
_SMALLER = 0.8  # size of marks in low rows
# Inches: the heading of a group, the name of a model, the space below its rows.
_GROUP, _NAME, _BELOW = 0.19, 0.15, 0.06
_LINE, _CLOSE = 0.11, 0.03  # inches: low rows of a model at least, the space below them
_RATIOS = (1, 0.5, 2, 0.1, 10, 0.2, 5, 1.5, 0.7, 3, 0.3, 0.05, 20, 0.8, 1.2, 0.9, 1.1)  # ticks, the best first
_POINTS = (0, -10, -2, 2, -50, -5, 5, -1, 1, -20, 10, -100, 20, 50)
_LINEAR = 2.0  # points, up to which the axis is linear
_APART = 0.1  # inches between the texts of ticks
#: Inches of the column of values.
VALUES = 0.44

Looks = Mapping[str, palette.Look]
Order = Mapping[str, Sequence[str]]  # the variants of each model's rows, from top to bottom


@dataclass(frozen=True)
class Blocks:
    """The places of models, in inches below the top of a panel. Panels beside each other share them."""

    models: tuple[style.ShownModel, ...]
    tops: Mapping[str, float]  # of a model's first row
    bottoms: Mapping[str, float]  # of its last
    headings: tuple[tuple[float, str], ...]
    pitch: float
    height: float

    @property
    def labelled(self) -> bool:
        """Return whether the rows have room for text."""
        return self.pitch >= LABELLED


def arrange(rows: Mapping[style.ShownModel, int], pitch: float) -> Blocks:
    """Return the places of models with so many rows each. Only high rows have headings of models and groups."""
    high = pitch >= LABELLED
    tops, headings = dict[str, float](), list[tuple[float, str]]()
    below, group = 0.0, None
    for model, count in rows.items():
        if high and model.group != group:
            group = model.group
            headings.append((below + _GROUP / 2, group))
            below += _GROUP
        below += _NAME if high else 0.0
        tops[model.name] = below
        below += _rows_height(count, pitch) + (_BELOW if high else _CLOSE)
    bottoms = {model.name: tops[model.name] + _rows_height(count, pitch) for model, count in rows.items()}
    return Blocks(tuple(rows), tops, bottoms, tuple(headings), pitch, below)


def _rows_height(rows: int, pitch: float) -> float:
    return rows * pitch if pitch >= LABELLED else max(rows * pitch, _LINE)


def fill(axes: Axes, blocks: Blocks, shown: pd.DataFrame, order: Order, looks: Looks) -> None:
    """Draw the marks of `shown`, whose columns come from `compared`."""
    for row in shown.itertuples():
        y = blocks.tops[row.model] + (order[row.model].index(row.variant) + 0.5) * blocks.pitch
        _mark(axes, row, y, looks[row.variant], 1.0 if blocks.labelled else _SMALLER)
        if blocks.labelled:
            weight, colour = ("bold", palette.INK) if row.clear else ("normal", palette.MUTED)
            beside(axes, 1, y, 72 * VALUES - 2, values.difference(row), ha="right", fontweight=weight, color=colour)


def _mark(axes: Axes, row: Any, y: float, look: palette.Look, scale: float) -> None:
    """Draw a value with its interval, and an arrow where the interval continues beyond the panel."""
    left, right = axes.get_xlim()
    ends = [end for end in (row.shown_low, row.shown_high) if not pd.isna(end)]
    places = sorted([*np.clip(ends, left, right), row.shown])
    line = panels.dot(look.shape, look.colour, clear=row.clear)
    line["markersize"] *= scale
    if ends:
        line |= {"linestyle": "-", "linewidth": 0.9 * scale, "solid_capstyle": "butt"}
    (drawn,) = axes.plot(places, [y] * len(places), markevery=[places.index(row.shown)], **line)
    tell(drawn, values.told(row))
    for beyond, edge, arrow in (
        (min(ends, default=left) < left, left, "<"),
        (max(ends, default=right) > right, right, ">"),
    ):
        if beyond:
            axes.plot(edge, y, arrow, markersize=3, color=look.colour, clip_on=False)


def beside(axes: Axes, edge: float, y: float, right: float, text: str, **look: Any) -> None:
    """Write text at a height of the panel, so many points right of its left (0) or right (1) edge."""
    axes.annotate(
        text, (edge, y), (right, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        va="center_baseline", **look,
    )  # fmt: skip


def set_axis(axes: Axes, shown: pd.DataFrame) -> None:
    """Set a logarithmic axis of ratios, or one of points that is linear near zero, over the rows of `shown`."""
    points = shown["metric"].isin(ACCURACY).all()
    scale = {"value": "symlog", "linthresh": _LINEAR} if points else {"value": "log"}
    axes.set_xscale(**scale)
    baseline, candidates = (0.0, _POINTS) if points else (1.0, _RATIOS)
    transform = axes.xaxis.get_transform()
    low, middle, high = (
        pd.Series(transform.transform(shown[name].clip(lower=None if points else 0.01).to_numpy(float)))
        for name in ("shown_low", "shown", "shown_high")
    )
    middle = pd.concat([middle, pd.Series(transform.transform(np.array([baseline])))])
    left, right = panels.reach(low, middle, high, least=_LINEAR if points else 0.12)
    margin = 0.04 * (right - left)
    axes.set_xlim(*transform.inverted().transform(np.array([left - margin, right + margin])))
    axes.xaxis.set_major_formatter(FuncFormatter(panels.percent if points else panels.multiple))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(_ticks(axes, candidates)))
    axes.grid(axis="x")
    axes.axvline(baseline, color=palette.INK, linewidth=0.7, zorder=1)


def _ticks(axes: Axes, candidates: Sequence[float]) -> list[float]:
    """Return the best of the candidates whose texts fit beside each other."""
    left, right = axes.get_xlim()
    write = panels.percent if 0 in candidates else panels.multiple
    taken = list[tuple[float, float, float]]()
    for tick in candidates:
        place = float(axes.transData.transform((tick, 0))[0]) / style.figure_of(axes).dpi
        half = style.text_width(write(tick)) / 2 + _APART / 2
        apart = all(abs(place - other) >= half + width for _, other, width in taken)
        if left <= tick <= right and apart:
            taken.append((tick, place, half))
    return sorted(tick for tick, _, _ in taken)


def panel(figure: Figure, blocks: Blocks, place: tuple[float, float], width: float, title: str, pad: float = 3) -> Axes:
    """Return empty axes over blocks, with a title `pad` points above them."""
    axes = style.axes(figure, *place, width, blocks.height)
    axes.set_ylim(blocks.height, 0)
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontweight="bold", pad=pad)
    axes.spines["left"].set_visible(False)
    return axes


def cover(axes: Axes, blocks: Blocks, rows: Mapping[str, int]) -> None:
    """Draw a band behind so many rows of each model. Everywhere else, cover the lines of the axis."""
    above = 0.0
    for model in blocks.models:
        if model.name in rows:
            top = blocks.tops[model.name]
            bottom = top + _rows_height(rows[model.name], blocks.pitch)
            axes.axhspan(top, bottom, facecolor=palette.SOFT, linewidth=0, zorder=0)
            axes.axhspan(above, top, facecolor=palette.PAPER, linewidth=0, zorder=1.5)
            above = bottom
    last = blocks.bottoms[blocks.models[-1].name]
    if above < last:
        axes.axhspan(above, last, facecolor=palette.PAPER, linewidth=0, zorder=1.5)


def name_models(figure: Figure, blocks: Blocks, left: float, right: float, top: float) -> None:
    """Write the headings of groups, and the models' names: above their rows, or beside low ones."""
    for height, text in blocks.headings:
        style.write(figure, left, top + height, text, va="center_baseline", fontweight="bold", color=palette.MUTED)
    for model in blocks.models:
        above = top + blocks.tops[model.name]
        if blocks.labelled:
            style.write(figure, left, above - _NAME / 2, model.label, va="center_baseline")
        else:
            middle = (above + top + blocks.bottoms[model.name]) / 2
            style.write(figure, right - 0.04, middle, model.label, ha="right", va="center_baseline")


def name_variants(axes: Axes, blocks: Blocks, order: Order) -> None:
    """Write the names of variants left of their rows."""
    for model, names in order.items():
        for number, variant in enumerate(names):
            y = blocks.tops[model] + (number + 0.5) * blocks.pitch
            beside(axes, 0, y, -3, variant, ha="right")


def write_baselines(axes: Axes, blocks: Blocks, rows: pd.DataFrame) -> None:
    """Write the value of fp32 above each model's rows, or beside low ones."""
    known = rows[rows["variant"].eq(BASELINE) & rows["value"].notna()].drop_duplicates("model").set_index("model")
    for model in blocks.models:
        if model.name in known.index:
            row = known.loc[model.name]
            text, top = style.quantity(row["value"], row["unit"]), blocks.tops[model.name]
            if blocks.labelled:
                beside(axes, 1, top - _NAME / 2, 72 * VALUES - 2, f"fp32 {text}", ha="right", color=palette.MUTED)
            else:
                beside(axes, 1, (top + blocks.bottoms[model.name]) / 2, 4, text, color=palette.MUTED)
    title = style.text_width(axes.get_title("left"), size=style.NORMAL, weight="bold")
    if not blocks.labelled and len(known) and title < panels.width_of(axes):
        beside(axes, 1, -_GROUP / 2, 4, BASELINE, color=palette.MUTED)
