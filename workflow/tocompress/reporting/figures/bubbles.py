"""Draw a technique's effect on time against memory and accuracy, as bubbles with a model's size as their area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocompress.reporting import palette, style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.figures.labels import Label, place
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.figures.values import told
from tocompress.reporting.study import as_shown, is_clear, select, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.variants import BASELINE

SMALLEST = 3.0  # points, a diameter
_LARGEST = 26.0
_MEMORY, _ACCURACY = ("memory",), JUDGES
_METRICS = ("parameters", "latency", *_MEMORY, *_ACCURACY)
_LINES = {"memory relative to fp32": _MEMORY, "accuracy, points from fp32": _ACCURACY}
_LINEAR = 5.0  # points, beyond which the axis of accuracy is logarithmic
_FEWEST = 3  # models that can show an order
_WIDE = 3  # panels in a line still have room for everything
_TIME = "inference time relative to fp32"
# Inches: the left axis, the edges, the gap between panels. Then the legend, a row's titles, panels, axis.
_LEFT, _MARGIN, _RIGHT, _GAP = 0.56, 0.08, 0.16, 0.12
_KEY, _TITLE, _HEIGHT, _AXIS = 0.42, 0.2, 2.1, 0.42


@dataclass(frozen=True)
class _Bubble:
    """A model under one variant: its differences from fp32 with their intervals."""

    name: str
    parameters: float
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    clear: bool
    title: str


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows behind the bubbles."""
    return select(study, *_METRICS, arithmetic=plot.arithmetic).reset_index(drop=True)


def draw(study: pd.DataFrame, values: pd.DataFrame, models: Sequence[style.ShownModel]) -> Figure:
    """Draw a column per variant of `values`: inference time against memory above, against accuracy below.

    A bubble's area is in proportion to the parameters of the compressed model, to one scale for all.
    """
    shown = bubbles_of(values, models)
    if not shown:
        return panels.sentence(captions.unavailable(values) or "No variant has a time to compare with fp32.")
    compared = [variant for variant in variants(values) if any(variant in line for line in shown.values())]
    largest = max(bubble.parameters for line in shown.values() for some in line.values() for bubble in some)
    figure = style.figure(style.DOUBLE, _KEY + len(shown) * (_TITLE + _HEIGHT + _AXIS))
    _legend(figure, largest)
    looks = palette.looks(study)
    for number, (title, line) in enumerate(shown.items()):
        top = _KEY + number * (_TITLE + _HEIGHT + _AXIS) + _TITLE
        row = _row_of_axes(figure, top, len(compared), _HEIGHT)
        style.write(figure, _MARGIN, top + _HEIGHT / 2, title, rotation=90, va="center", ha="left")
        _name_axes(row, top + _HEIGHT + 0.27)
        _set_limits(row, [bubble for some in line.values() for bubble in some], change=_LINES[title] == _ACCURACY)
        for axes, variant in zip(row, compared, strict=True):
            axes.set_title(variant, loc="left", fontweight="bold", color=looks[variant].colour, pad=3)
            _draw_bubbles(axes, line.get(variant, []), largest, looks[variant].colour)
    return figure


def bubbles_of(values: pd.DataFrame, models: Sequence[style.ShownModel]) -> dict[str, dict[str, list[_Bubble]]]:
    """Return the bubbles of each line and variant that has any, the largest first."""
    rows = as_shown(values).assign(clear=is_clear(values))
    rows = rows[rows["value"].notna()].set_index(["model", "variant", "metric"], drop=False)
    names = _names(models)
    compared = [variant for variant in variants(values) if variant != BASELINE]
    found = dict[str, dict[str, list[_Bubble]]]()
    for title, metrics in _LINES.items():
        for variant in compared:
            own = [_bubble(rows, name, model, variant, metrics) for model, name in names.items()]
            if known := [bubble for bubble in own if bubble]:
                found.setdefault(title, {})[variant] = known
    return found


def _names(models: Sequence[style.ShownModel]) -> dict[str, str]:
    """Return short names of models, and the whole name where two share a short one."""
    short = style.short_names(models)
    return {model.name: name if [*short.values()].count(name) == 1 else model.label for model, name in short.items()}


def _bubble(rows: pd.DataFrame, name: str, model: str, variant: str, metrics: Sequence[str]) -> _Bubble | None:
    """Return the bubble of a model, if its parameters, its time and one of the metrics are known."""
    other = next((metric for metric in metrics if (model, variant, metric) in rows.index), None)
    keys = [(model, variant, metric) for metric in ("parameters", "latency", other)]
    if other is None or not all(key in rows.index for key in keys):
        return None
    size, time, effect = (rows.loc[key] for key in keys)
    if pd.isna(time["shown"]) or pd.isna(effect["shown"]):
        return None
    x, y = ((row["shown_low"], row["shown"], row["shown_high"]) for row in (time, effect))
    return _Bubble(name, size["value"], x, y, bool(time["clear"] or effect["clear"]), f"{told(time)}; {told(effect)}")


def _diameter(parameters: float, largest: float) -> float:
    """Return a diameter in points. The area is in proportion to the parameters."""
    return max(_LARGEST * math.sqrt(parameters / largest), SMALLEST)


def _legend(figure: Figure, largest: float) -> None:
    """Draw three circles with their numbers of parameters."""
    width, height = figure.get_size_inches()
    most = 10 ** math.floor(math.log10(largest))
    left = _LEFT
    for parameters in (most, most / 10, most / 100):
        diameter = _diameter(parameters, largest)
        circle = Line2D(
            [(left + diameter / 144) / width], [1 - _KEY / 2 / height], marker="o", markersize=diameter,
            color=palette.MUTED, markerfacecolor="none", markeredgewidth=0.9,
        )  # fmt: skip
        figure.add_artist(circle)
        text = style.quantity(parameters, "1")
        style.write(figure, left + diameter / 72 + 0.06, _KEY / 2, text, va="center", color=palette.MUTED)
        left += diameter / 72 + style.text_width(text) + 0.25
    style.write(figure, left, _KEY / 2, "parameters of the compressed model", va="center", color=palette.MUTED)


def _name_axes(row: Sequence[Axes], below: float) -> None:
    """Write the name of the x axis, only once `below` the row if panels are narrow."""
    if len(row) <= _WIDE:
        for axes in row:
            axes.set_xlabel(_TIME)
    else:
        middle = (_LEFT + style.DOUBLE - _RIGHT) / 2
        style.write(style.figure_of(row[0]), middle, below, _TIME, ha="center", va="center")


def _row_of_axes(figure: Figure, top: float, number: int, height: float) -> list[Axes]:
    width = (style.DOUBLE - _LEFT - _RIGHT - (number - 1) * _GAP) / number
    return [style.axes(figure, _LEFT + column * (width + _GAP), top, width, height) for column in range(number)]


def _set_limits(row: Sequence[Axes], shown: Sequence[_Bubble], *, change: bool) -> None:
    """Set the same axes for all panels of a row. Draw a line for fp32."""
    left, right = _limits([bubble.x for bubble in shown])
    of_points = {"least": 3.0, "room": 0.0} if change else {}
    low, high = _limits([bubble.y for bubble in shown], **of_points)
    for axes in row:
        axes.set_xlim(max(left, 0.0), right)
        axes.xaxis.set_major_locator(MaxNLocator(5 if len(row) <= _WIDE else 2, steps=[1, 2, 2.5, 5, 10], prune="both"))
        axes.xaxis.set_major_formatter(FuncFormatter(panels.multiple))
        if change:
            panels.change_axis(axes, low, high, linear=_LINEAR)
        else:
            axes.set_ylim(max(low, 0.0), high)
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_formatter(FuncFormatter(panels.multiple))
            axes.axhline(1, color=palette.INK, linewidth=0.7)
        axes.axvline(1, color=palette.INK, linewidth=0.7)
        axes.grid()
        if axes is not row[0]:
            axes.tick_params(axis="y", labelleft=False)


def _limits(
    bounds: Sequence[tuple[float, float, float]], least: float = 0.1, room: float = 0.16
) -> tuple[float, float]:
    """Return the ends of an axis over the bubbles, with a share of `room` beyond."""
    lows, middles, highs = (pd.Series(edges) for edges in zip(*bounds, strict=True))
    low, high = panels.reach(lows, middles, highs, least=least)
    margin = room * (high - low)
    return low - margin, high + margin


def _draw_bubbles(axes: Axes, bubbles: Sequence[_Bubble], largest: float, colour: str) -> None:
    """Draw each bubble with its intervals and its name. It is filled where time or the other metric differs clearly."""
    labels = []
    for bubble in sorted(bubbles, key=lambda bubble: -bubble.parameters):
        (left, x, right), (low, y, high) = bubble.x, bubble.y
        axes.plot([left, right], [y, y], color=colour, linewidth=0.6)
        axes.plot([x, x], [low, high], color=colour, linewidth=0.6)
        diameter = _diameter(bubble.parameters, largest)
        (mark,) = axes.plot(
            x, y, "o", markersize=diameter, markeredgecolor=colour, markeredgewidth=0.9,
            markerfacecolor=(colour, 0.4) if bubble.clear else "none", clip_on=False, zorder=3,
        )  # fmt: skip
        tell(mark, bubble.title)
        labels.append(Label(bubble.name, x, y, diameter / 2))
    place(axes, labels)


#: How to read the figure.
READING = "A bubble is a model. Its area is in proportion to the parameters of the compressed model."
DETAILS = (
    "A bubble is filled where the paired interval of inference time, or of the other metric, excludes no change. All"
    f" panels share one scale of areas, and the smallest bubbles are {SMALLEST:g} pt wide. Accuracy is top-1, or BLEU"
    f" for GNMT, of trained models only. Its axis is logarithmic beyond {_LINEAR:g} points."
)


def finding(values: pd.DataFrame, models: Sequence[style.ShownModel]) -> str:
    """Return whether the effect of the variant with the most models on inference time follows their size."""
    lines = bubbles_of(values, models)
    if not lines:
        return ""
    variant, shown = max(next(iter(lines.values())).items(), key=lambda item: len(item[1]))
    shown = sorted(shown, key=lambda bubble: bubble.parameters)
    if len(shown) < _FEWEST:
        return f"{len(shown)} of the models under {variant} can be placed: too few to tell whether size matters."
    times = pd.Series([bubble.x[1] for bubble in shown])
    smallest, largest = (_in_words(bubble) for bubble in (shown[0], shown[-1]))
    ends = f"it is {smallest}, the smallest, and {largest}, the largest of {len(shown)} models"
    return f"Inference time relative to fp32 under {variant} {_trend(times, shown)}: {ends}."


def _trend(times: pd.Series[float], shown: Sequence[_Bubble]) -> str:
    """Return how times change with the size of a model. `shown` are bubbles by rising size."""
    if _overlap(shown[0].x, shown[-1].x):
        return "shows no difference between the ends of size"
    if times.is_monotonic_increasing or times.is_monotonic_decreasing:
        return f"{'grows' if times.is_monotonic_increasing else 'falls'} with the size of a model"
    return "neither grows nor falls steadily with the size of a model"


def _overlap(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Return whether two intervals share a value. A missing bound shares all."""
    return not (one[2] < other[0] or other[2] < one[0])


def _in_words(bubble: _Bubble) -> str:
    low, middle, high = (style.digits(number) for number in bubble.x)
    interval = "" if pd.isna(bubble.x[0]) or pd.isna(bubble.x[2]) else f" ({low} to {high})"
    return f"×{middle}{interval} for {bubble.name}"
