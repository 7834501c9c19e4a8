"""Figure 24: every metric against the threshold of pruning, in the paper's three readings of the word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, product
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import is_unsettled, models, select
from tocompress.reporting.thresholds import BUDGET, LargestCut, largest_cuts, pruned, pruned_models, removed, sweep
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.variants import BASELINE

# A panel's title, its metrics (a model has one of them), and whether it shows changes instead of multiples.
_Panel = tuple[str, tuple[str, ...], bool]
_LINES: tuple[tuple[_Panel, ...], ...] = (
    (
        ("accuracy", JUDGES, True),
        ("top-5", ("top5",), True),
        ("precision", ("precision",), True),
        ("recall", ("recall",), True),
        ("F1", ("f1",), True),
    ),
    (
        ("inference time", ("latency",), False),
        ("file size", ("size",), False),
        ("runtime memory", ("memory",), False),
        ("peak power", ("power_peak",), False),
        ("energy", ("energy",), False),
    ),
)
_MOST = max(len(line) for line in _LINES)
_READINGS = {"filters": "filters_removed", "parameters": "parameters"}
_BY_VALUE = panels.Entry("by the value", marker="o", colour=style.INK, hollow=True)
_BY_BOUND = panels.Entry("by the lower end of its interval", marker="s", colour=style.INK, hollow=True)
_SHAPES = ("o", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_LOSS = 100 * BUDGET
# Inches: the first axis, the gap between panels, the space right of the last, the edge. Then a line of the key, a
# title, a panel (in an empty line), an axis.
_LEFT, _GAP, _RIGHT, _MARGIN = 0.58, 0.42, 0.19, 0.05
_KEY, _TITLE, _HEIGHT, _EMPTY, _AXIS = 0.2, 0.2, 1.1, 0.5, 0.4
_LINE = 0.17  # inches, of the list of largest cuts


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels and of the shares removed, for the pruned models."""
    metrics = [*_READINGS.values(), *(metric for line in _LINES for _, metrics, _ in line for metric in metrics)]
    return select(pruned_models(study), *metrics, arithmetic=plot.arithmetic).reset_index(drop=True)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw two lines of panels over each share removed, a curve per model. List the largest cuts below."""
    values = table(study, plot)
    shown = [model for model in style.shown_models(study) if model.name in models(values)]
    cuts = largest_cuts(values)
    colours = {variant: style.colours(study)[variant] for variant in pruned(study)}
    shapes = dict(zip(shown, cycle(_SHAPES), strict=False))
    entries = [
        [panels.Entry(model.label, shape) for model, shape in shapes.items()],
        panels.variant_entries(colours, values),
    ]
    lines = [line for some in entries for line in panels.wrap(some, style.DOUBLE - _LEFT - _MARGIN) if line]
    panel_lines = list(product(_READINGS, _LINES))
    measured = [any(_is_measured(values, metrics, reading) for _, metrics, _ in line) for reading, line in panel_lines]
    heights = [(_HEIGHT, _AXIS) if some else (_EMPTY, 2 * _MARGIN) for some in measured]
    top = _KEY * len(lines)
    below = top + sum(_TITLE + height + axis for height, axis in heights)
    figure = style.figure(style.DOUBLE, below + (len(cuts) + 1) * _LINE + _MARGIN)
    for number, entries_of_line in enumerate(lines):
        panels.key(figure, _LEFT, (number + 0.5) * _KEY, entries_of_line)
    letters = iter("abcdefghijklmnopqrst")
    for (height, axis), (reading, line) in zip(heights, panel_lines, strict=True):
        _draw_line(figure, top + _TITLE, height, values, reading, line, letters, colours, shapes)
        top += _TITLE + height + axis
    _list_cuts(figure, below + _LINE / 2, values, cuts, shown)
    return figure, values


def _is_measured(values: pd.DataFrame, metrics: Sequence[str], reading: str) -> bool:
    """Return whether any pruned variant has both a ratio of one of the metrics and a share removed."""
    return bool(_points(values, metrics, reading, change=False)["variant"].ne(BASELINE).any())


def _draw_line(
    figure: Figure,
    top: float,
    height: float,
    values: pd.DataFrame,
    reading: str,
    line: Sequence[_Panel],
    letters: Iterator[str],
    colours: Mapping[str, str],
    shapes: Mapping[style.ShownModel, str],
) -> None:
    """Draw the metrics of a line over the share of `reading` removed."""
    width = (style.DOUBLE - _LEFT - _RIGHT - (_MOST - 1) * _GAP) / _MOST
    for column, (title, metrics, change) in enumerate(line):
        axes = style.axes(figure, _LEFT + column * (width + _GAP), top, width, height)
        axes.set_title(f"({next(letters)}) {title}", loc="left", fontweight="bold", pad=3)
        if not _is_measured(values, metrics, reading):
            axes.set_yticks([])
            panels.explain(axes, _why_none(values, metrics, reading))
            continue
        points = _points(values, metrics, reading, change)
        if column == 0:
            label = "change (%)" if change else "relative to fp32"
            style.write(figure, _MARGIN, top + height / 2, label, rotation=90, va="center", ha="left")
        _set_axes(axes, points, f"{reading} removed (%)", change)
        _curves(axes, points, [BASELINE, *sweep(values)], colours, shapes)
        if without := [model.label for model in shapes if model.name not in set(points["model"])]:
            axes.annotate(
                f"without {captions.listing(without)}", (1, 1), (0, 1), xycoords="axes fraction",
                textcoords="offset points", ha="right", va="top", color=style.MUTED,
            )  # fmt: skip
        if metrics == JUDGES:
            _mark_cuts(axes, points, largest_cuts(values))


def _points(values: pd.DataFrame, metrics: Sequence[str], reading: str, change: bool) -> pd.DataFrame:
    """Return columns model, variant, x (% removed), low, middle, high (multiples, or changes in %), hollow.

    Rows are sorted by x, from fp32 on.
    """
    own = values[values["metric"].isin(metrics)]
    lost = removed(values)[reading].rename("x")
    points = own[["model", "variant"]].join(lost, on=["model", "variant"])
    points["x"] = 100 * points["x"].mask(points["variant"] == BASELINE, 0.0)
    ratios = own[["ratio_low", "ratio", "ratio_high"]].astype(float).mask(own["variant"] == BASELINE, 1.0)
    points[["low", "middle", "high"]] = 100 * (ratios - 1) if change else ratios
    points["hollow"] = is_unsettled(own["ratio_settled"])
    return points.dropna(subset=["x", "middle"]).sort_values("x", kind="stable")


def _why_none(values: pd.DataFrame, metrics: Sequence[str], reading: str) -> str:
    """Return why there is no point: the metric is missing, or else the share removed."""
    own = values[values["metric"].isin(metrics)]
    compared = own["ratio"].notna() & own["variant"].ne(BASELINE)
    return panels.why_missing(values[values["metric"] == _READINGS[reading]] if compared.any() else own)


def _set_axes(axes: Axes, points: pd.DataFrame, label: str, change: bool) -> None:
    """Set both axes. Multiples start at 0 or near the curves, changes are logarithmic beyond the budget."""
    axes.set_xlim(-3, points["x"].max() + 5)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(label)
    axes.grid()
    if change:
        low, high = points[["low", "middle"]].min(axis=None), points[["middle", "high"]].max(axis=None)
        panels.change_axis(axes, low, high, linear=_LOSS)
    else:
        low, high = panels.reach(points["low"], points["middle"], points["high"])
        margin = 0.05 * (high - low)
        axes.set_ylim(0 if low < 0.5 else low - margin, high + margin)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(panels.multiple))
        axes.axhline(1, color=style.INK, linewidth=0.7, zorder=1)


def _curves(
    axes: Axes,
    points: pd.DataFrame,
    connected: Sequence[str],
    colours: Mapping[str, str],
    shapes: Mapping[style.ShownModel, str],
) -> None:
    """Draw a curve per model through the variants `connected`, and dots for all variants."""
    for number, (model, shape) in enumerate(shapes.items()):
        own = points[points["model"] == model.name]
        curve = own[own["variant"].isin(connected)]
        axes.plot(curve["x"], curve["middle"], color="#9a9a9a", linestyle=_DASHES[number % len(_DASHES)], zorder=2)
        for row in own[own["variant"] != BASELINE].itertuples():
            colour = colours[row.variant]
            axes.plot([row.x, row.x], [row.low, row.high], color=colour, linewidth=0.9, solid_capstyle="butt")
            axes.plot(row.x, row.middle, **panels.dot(shape, colour, hollow=row.hollow))


def _mark_cuts(axes: Axes, points: pd.DataFrame, cuts: Mapping[str, LargestCut]) -> None:
    """Draw the budget, and a ring around the largest cut of each model."""
    axes.axhline(-_LOSS, color=style.INK, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    places = points.set_index(["model", "variant"])
    for model, cut in cuts.items():
        for variant, entry in ((cut.by_value, _BY_VALUE), (cut.by_bound, _BY_BOUND)):
            if (model, variant) in places.index:
                x, y = places.loc[(model, variant), ["x", "middle"]]
                axes.plot(
                    x, y, entry.marker, markersize=7.5, color=style.INK, markerfacecolor="none", markeredgewidth=0.7,
                    zorder=4, clip_on=False,
                )  # fmt: skip


def _list_cuts(
    figure: Figure, top: float, values: pd.DataFrame, cuts: Mapping[str, LargestCut], shown: Sequence[style.ShownModel]
) -> None:
    """Write the largest cuts in words, one line per model."""
    title = f"Largest cut within {_LOSS:g} % accuracy loss"
    judged = [model for model in shown if model.name in cuts]
    if not judged:
        style.write(figure, _MARGIN, top, f"{title}: nothing to judge it on", va="center", color=style.MUTED)
        return
    first = _MARGIN + max(style.text_width(title, weight="bold"), *(style.text_width(m.label) for m in judged)) + 0.15
    second = first + (style.DOUBLE - first) / 2
    style.write(figure, _MARGIN, top, title, va="center", fontweight="bold")
    panels.key(figure, first, top, [_BY_VALUE])
    panels.key(figure, second, top, [_BY_BOUND])
    for number, model in enumerate(judged, start=1):
        y, cut = top + number * _LINE, cuts[model.name]
        style.write(figure, _MARGIN, y, model.label, va="center")
        style.write(figure, first, y, _in_words(values, model.name, cut.by_value), va="center")
        style.write(figure, second, y, _in_words(values, model.name, cut.by_bound), va="center")


def _in_words(values: pd.DataFrame, model: str, variant: str | None) -> str:
    if variant is None:
        return "none"
    lost = removed(values).loc[(model, variant)]
    shares = captions.listing(f"{100 * lost[name]:.0f} % of {name}" for name in _READINGS if not pd.isna(lost[name]))
    return f"{variant}: {shares}"


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    judged = bool(largest_cuts(values))
    return captions.compose(
        "Pruning by threshold in all of the paper's readings, relative to the uncompressed model: every metric over the"
        " share of filters removed (upper half) and over that of parameters removed (lower half); accuracy is top-1 or,"
        " for GNMT, BLEU. Shapes are models, colours are variants; curves join the sweep, variants with a name after"
        " their number stand apart.",
        f"The third reading is the largest cut measured that loses at most {_LOSS:g} % of the accuracy: dashed line,"
        f" rings and list. Axes of changes are logarithmic beyond {_LOSS:g} %."
        if judged
        else "",
        captions.without("Pruning", pruned(study)),
        captions.removed(study, pruned(study)),
        captions.TRAINED_ONLY if judged else "",
        captions.measurements(study, values, "; cut off where they leave a panel"),
    )
