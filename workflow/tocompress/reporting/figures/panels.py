"""Draw parts that figures share: rows of models, marks, keys, or the sentence that says why there is nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tocompress.reporting import palette, style

_HEADING = 0.19  # inches that a group's heading takes
_LINE = 0.14  # inches, a line of a sentence
_SIZES = {"o": 3.6, "s": 3.3, "D": 3.1, "d": 4.4, "*": 5.4, "P": 4.4, "X": 4.2, "p": 4.4, "h": 4.4}  # equal areas


@dataclass(frozen=True)
class Rows:
    """The places of models' rows, in inches below the top of a panel. Panels beside each other share them."""

    models: tuple[style.ShownModel, ...]
    centres: Mapping[str, float]
    headings: tuple[tuple[float, str], ...]
    pitch: float
    height: float

    @property
    def label_width(self) -> float:
        """Return the width in inches of the names on the left."""
        names = style.text_width(*(model.label for model in self.models))
        return max(names, style.text_width(*(text for _, text in self.headings), weight="bold")) + 0.1


def arrange(models: Sequence[style.ShownModel], pitch: float) -> Rows:
    """Return rows of `pitch` inches, group by group, each group under its heading."""
    centres, headings = {}, []
    below, group = 0.0, None
    for model in models:
        if model.group != group:
            group = model.group
            headings.append((below + _HEADING / 2, group))
            below += _HEADING
        centres[model.name] = below + pitch / 2
        below += pitch
    return Rows(tuple(models), centres, tuple(headings), pitch, below)


def panel(figure: Figure, rows: Rows, left: float, top: float, width: float, title: str, *, names: bool) -> Axes:
    """Return empty axes over `rows`, with or without the models' names on the left."""
    axes = style.axes(figure, left, top, width, rows.height)
    axes.set_ylim(rows.height, 0)
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontweight="bold", pad=3)
    axes.spines["left"].set_visible(False)
    for height, _ in rows.headings[1:]:
        axes.axhline(height - _HEADING / 2, color=palette.FAINT, linewidth=0.6, zorder=0)
    if names:
        name_rows(figure, rows, left, top)
    return axes


def name_rows(figure: Figure, rows: Rows, right: float, top: float) -> None:
    """Write the models' names, ending at `right`, and the headings of their groups."""
    for model in rows.models:
        y = top + rows.centres[model.name]
        style.write(figure, right - 0.04, y, model.label, ha="right", va="center_baseline")
    for height, text in rows.headings:
        left = right - rows.label_width
        style.write(figure, left, top + height, text, va="center_baseline", fontweight="bold", color=palette.MUTED)


def reach(
    lows: pd.Series[float], middles: pd.Series[float], highs: pd.Series[float], least: float = 0.1
) -> tuple[float, float]:
    """Return the ends of an axis over `middles`. Intervals extend each end by its span or `least` at most."""
    low, high = middles.min(), middles.max()
    span = max(high - low, least)
    return max(min(low, lows.min()), low - span), min(max(high, highs.max()), high + span)


def change_axis(axes: Axes, low: float, high: float, linear: float) -> None:
    """Set the y axis of changes in percent from `low` to `high`: linear up to `linear`, logarithmic beyond."""
    height = axes.get_position().height * style.figure_of(axes).get_size_inches()[1]
    axes.set_yscale("symlog", linthresh=linear, linscale=1)
    axes.set_ylim(max(min(1.2 * low, -1.5 * linear), -120), max(high, 1) + 0.5)
    axes.yaxis.set_major_locator(FixedLocator([-100, -50, -20, -10, -5, 0, 5] if height > 1 else [-100, -20, -5, 0]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(percent))
    axes.axhline(0, color=palette.INK, linewidth=0.7, zorder=1)


def width_of(axes: Axes) -> float:
    """Return the width in inches."""
    return float(axes.get_position().width * style.figure_of(axes).get_size_inches()[0])


def dot(marker: str, colour: str, *, clear: bool) -> dict[str, Any]:
    """Return the style of a value's mark: filled where the value differs clearly from fp32, else open."""
    return {
        "marker": marker,
        "markersize": _SIZES.get(marker, 3.6),
        "color": colour,
        "markerfacecolor": colour if clear else palette.PAPER,
        "markeredgewidth": 0.9,
        "linestyle": "none",
        "zorder": 3,
        "clip_on": False,
    }


def remark(axes: Axes, y: float, text: str) -> None:
    """Write why a row is empty."""
    axes.text(
        0.5, y, text, transform=axes.get_yaxis_transform(), ha="center", va="center", color=palette.MUTED,
        style="italic", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def why_missing(values: pd.DataFrame) -> str:
    """Return why none of `values` can be shown, from their reasons."""
    if values.empty:
        return "not part of this study"
    reasons = values.loc[values["basis"] == "unavailable", "reason"].unique()
    if len(reasons):
        return f"not measured: {'; '.join(reasons)}"
    return "nothing to compare with fp32"


def wrap(entries: Sequence[Entry], width: float) -> list[list[Entry]]:
    """Return the entries of a key in lines of at most `width` inches."""
    lines: list[list[Entry]] = [[]]
    used = 0.0
    for entry in entries:
        if lines[-1] and used + entry.width > width:
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += entry.width + entry.space
    return lines


def key(figure: Figure, left: float, top: float, entries: Sequence[Entry]) -> None:
    """Draw a line of markers with their meanings, at this place in inches."""
    width, height = figure.get_size_inches()
    for entry in entries:
        mark = dot(entry.marker, entry.colour, clear=entry.clear)
        figure.add_artist(Line2D([left / width + 0.03 / width], [1 - top / height], **mark))
        style.write(figure, left + 0.09, top + 0.005, entry.text, va="center", fontweight=entry.weight)
        left += entry.width + entry.space


@dataclass(frozen=True)
class Entry:
    """One marker of a key."""

    text: str
    marker: str = "o"
    colour: str = palette.MUTED
    clear: bool = True
    bold: bool = False

    @property
    def weight(self) -> str:
        return "bold" if self.bold else "normal"

    @property
    def width(self) -> float:
        """Return the width in inches of marker and text."""
        return 0.09 + style.text_width(self.text, weight=self.weight)

    @property
    def space(self) -> float:
        """Return the inches to the next entry."""
        return 0.2 if self.bold else 0.09


def variant_entries(looks: Mapping[str, palette.Look]) -> list[Entry]:
    """Return the entries of variants, each in its colour and shape."""
    return [Entry(variant, look.shape, look.colour) for variant, look in looks.items()]


def sentence(text: str) -> Figure:
    """Return a small figure that says in a sentence why there is nothing to show."""
    lines = textwrap.wrap(text, 58)
    made = style.figure(style.SINGLE, _LINE * len(lines) + 0.2)
    for number, line in enumerate(lines):
        style.write(made, 0.05, 0.1 + (number + 0.5) * _LINE, line, va="center_baseline", color=palette.MUTED)
    return made


def multiple(value: float, _: int | None = None) -> str:
    return f"×{value:g}" if value else "0"


def percent(value: float, _: int | None = None) -> str:
    return f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0"
