"""Figure 24: accuracy and costs against the threshold of pruning, in the paper's three readings of the word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocompress.reporting import palette, style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.labels import name_ends
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.figures.values import told
from tocompress.reporting.study import as_shown, is_clear, models, select
from tocompress.reporting.thresholds import BUDGET, LargestCut, largest_cuts, pruned, pruned_models, removed, sweep
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import ACCURACY, JUDGES, METRICS
from tocompress.vocabulary.variants import BASELINE

#: The title and the metrics of each panel. A model has one of them.
_PANELS = {
    "accuracy, points from fp32": JUDGES,
    "inference time relative to fp32": ("latency",),
    "file size relative to fp32": ("size",),
    "runtime memory relative to fp32": ("memory",),
    "energy relative to fp32": ("energy",),
    "peak power relative to fp32": ("power_peak",),
}
_TABLE_ONLY = ("top5", "precision", "recall", "f1")
#: The shares between which a page switches, by the column of `removed`.
_READINGS = {"filters": "filters", "parameters": "parameters", "macs": METRICS["macs"].title}
_KEPT = f"at least {100 * (1 - BUDGET):g} % of the accuracy"
_BY_VALUE = panels.Entry(f"largest cut that keeps {_KEPT}", "o", palette.INK, clear=False)
_BY_BOUND = panels.Entry("by the lower end of its interval too", "s", palette.INK, clear=False)
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_LINEAR = 5.0  # points, beyond which the axis of accuracy is logarithmic
_COLUMNS = 2
# Inches: the axis on the left, the edge. Then a line of the key, a title, a panel, an axis.
_LEFT, _MARGIN = 0.42, 0.05
_KEY, _TITLE, _HEIGHT, _AXIS = 0.2, 0.22, 1.75, 0.42


class _Page(NamedTuple):
    """The parts that the figures of all readings share."""

    values: pd.DataFrame
    shown: Sequence[style.ShownModel]
    looks: Mapping[str, palette.Look]
    cuts: Mapping[str, LargestCut]
    panels: Sequence[str]


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels and of the shares removed, for the pruned models."""
    metrics = [metric for metrics in _PANELS.values() for metric in metrics]
    metrics += [*_TABLE_ONLY, "filters_removed", "parameters", "macs"]
    return select(pruned_models(study), *metrics, arithmetic=plot.arithmetic).reset_index(drop=True)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame, dict[str, Figure]]:
    """Draw a panel per metric over each share removed, a curve per model. The shares are alternatives of the figure."""
    values = table(study, plot)
    readings = {reading: filled for reading in _READINGS if (filled := _filled(values, reading))}
    if not readings:
        return panels.sentence(_nothing(study, values)), values, {}
    most = max(readings.values(), key=len)
    looks = palette.looks(study)
    shown = [model for model in style.shown_models(study) if model.name in models(values)]
    page = _Page(values, shown, {variant: looks[variant] for variant in pruned(study)}, largest_cuts(values), most)
    drawn = {_READINGS[reading]: _draw(page, reading) for reading, filled in readings.items() if filled == most}
    return next(iter(drawn.values())), values, drawn if len(drawn) > 1 else {}


def _filled(values: pd.DataFrame, reading: str) -> list[str]:
    """Return the panels with a pruned variant whose difference and share removed are known."""
    return [title for title, metrics in _PANELS.items() if _points(values, metrics, reading)["variant"].nunique() > 1]


def _nothing(study: pd.DataFrame, values: pd.DataFrame) -> str:
    reason = captions.unavailable(values) or "No cut can be compared with fp32."
    return captions.without("Pruning", pruned(study)) or reason


def _draw(page: _Page, reading: str) -> Figure:
    """Draw the panels over the share of `reading` removed, below the key."""
    keys = panels.wrap(panels.variant_entries(page.looks), style.DOUBLE - _LEFT - _MARGIN)
    above = _KEY * (len(keys) + bool(page.cuts))
    rows = math.ceil(len(page.panels) / _COLUMNS)
    figure = style.figure(style.DOUBLE, above + rows * (_TITLE + _HEIGHT + _AXIS))
    for number, line in enumerate(keys):
        panels.key(figure, _LEFT, (number + 0.5) * _KEY, line)
    room = style.text_width(*(model.label for model in page.shown)) + 0.16
    column = (style.DOUBLE - _MARGIN) / _COLUMNS
    for number, entry in enumerate([_BY_VALUE, _BY_BOUND] if page.cuts else []):
        panels.key(figure, _LEFT + number * column, above - _KEY / 2, [entry])
    for number, title in enumerate(page.panels):
        row, place = divmod(number, _COLUMNS)
        top = above + row * (_TITLE + _HEIGHT + _AXIS) + _TITLE
        axes = style.axes(figure, place * column + _LEFT, top, column - _LEFT - room, _HEIGHT)
        axes.set_title(f"({chr(ord('a') + number)}) {title}", loc="left", fontweight="bold", pad=4)
        points = _points(page.values, _PANELS[title], reading)
        _set_axes(axes, points, f"{_READINGS[reading]} removed (%)", change=_PANELS[title] == JUDGES)
        _curves(axes, points, page)
        if _PANELS[title] == JUDGES:
            _mark_cuts(axes, points, page.cuts)
    return figure


def _points(values: pd.DataFrame, metrics: Sequence[str], reading: str) -> pd.DataFrame:
    """Return the rows of a panel with their share removed (`x`, %), sorted by it, from fp32 on."""
    rows = as_shown(values[values["metric"].isin(metrics) & values["value"].notna()])
    lost = rows[["model", "variant"]].join(removed(values)[reading].rename("x"), on=["model", "variant"])["x"]
    fp32 = rows["variant"] == BASELINE
    origin = 1.0 - rows["metric"].isin(ACCURACY)
    ends = {name: rows[name].mask(fp32, origin) for name in ("shown", "shown_low", "shown_high")}
    points = rows.assign(x=100 * lost.mask(fp32, 0.0), clear=is_clear(rows), **ends)
    return points.dropna(subset=["x", "shown"]).sort_values("x", kind="stable")


def _set_axes(axes: Axes, points: pd.DataFrame, label: str, *, change: bool) -> None:
    """Set both axes. Multiples start at 0 or near the curves, large losses of accuracy are logarithmic."""
    axes.set_xlim(-3, points["x"].max() + 3)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(label)
    axes.grid()
    if change:
        low, high = points[["shown_low", "shown"]].min(axis=None), points[["shown", "shown_high"]].max(axis=None)
        panels.change_axis(axes, low, high, linear=_LINEAR)
        return
    low, high = panels.reach(points["shown_low"], points["shown"], points["shown_high"])
    margin = 0.05 * (high - low)
    axes.set_ylim(0 if low < 0.5 else low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(panels.multiple))
    axes.axhline(1, color=palette.INK, linewidth=0.7, zorder=1)


def _curves(axes: Axes, points: pd.DataFrame, page: _Page) -> None:
    """Draw a named curve per model through fp32 and the sweep, and a mark for each variant."""
    ends = {}
    for number, model in enumerate(page.shown):
        own = points[points["model"] == model.name]
        curve = own[own["variant"].isin([BASELINE, *sweep(page.values)])]
        if own["variant"].eq(BASELINE).all():
            continue
        dash = _DASHES[number % len(_DASHES)]
        axes.plot(curve["x"], curve["shown"], color=palette.MUTED, linestyle=dash, linewidth=0.7, zorder=2)
        ends[model.label] = (curve["x"].iloc[-1], curve["shown"].iloc[-1])
        for row in own[own["variant"] != BASELINE].itertuples():
            look = page.looks[row.variant]
            interval = [row.shown_low, row.shown_high]
            axes.plot([row.x, row.x], interval, color=look.colour, linewidth=0.9, solid_capstyle="butt")
            (mark,) = axes.plot(row.x, row.shown, **panels.dot(look.shape, look.colour, clear=row.clear))
            tell(mark, f"{told(row)}, {row.x:.0f} % removed")
    name_ends(axes, ends)


def _mark_cuts(axes: Axes, points: pd.DataFrame, cuts: Mapping[str, LargestCut]) -> None:
    """Draw a ring or a square around the largest cut of each model."""
    places = points.set_index(["model", "variant"])
    for model, cut in cuts.items():
        for variant, entry in ((cut.by_value, _BY_VALUE), (cut.by_bound, _BY_BOUND)):
            if (model, variant) in places.index:
                x, y = places.loc[(model, variant), ["x", "shown"]]
                axes.plot(
                    x, y, entry.marker, markersize=8, color=palette.INK, markerfacecolor="none", markeredgewidth=0.7,
                    zorder=4, clip_on=False,
                )  # fmt: skip


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    drawn = any(_filled(values, reading) for reading in _READINGS)
    cuts = largest_cuts(values)
    labels = {model.name: model.label for model in style.shown_models(study)}
    return Caption(
        _finding(values, cuts, labels) if drawn else "",
        "Each curve is a model, from fp32 on the left to the largest cut. Marks tell the variants." if drawn else "",
        captions.compose(
            captions.FILLED if drawn else "",
            f"A ring is at the largest cut measured that keeps {_KEPT}. A square is at the largest one that keeps it by"
            " the lower end of its interval too. Variants with a name after their number are not in the curves."
            f" The axis of accuracy is logarithmic beyond {_LINEAR:g} points."
            if cuts and drawn
            else "",
            _surely(values, cuts, labels) if drawn else "",
            captions.without("Pruning", pruned(study)),
            captions.removed(study, pruned(study)),
            captions.TRAINED_ONLY if cuts else "",
            captions.measurements(study, values, "; cut off where they leave a panel"),
        ),
    )


def _finding(values: pd.DataFrame, cuts: Mapping[str, LargestCut], labels: Mapping[str, str]) -> str:
    """Return how many filters each model can lose within the budget of accuracy."""
    kept = {model: cut.by_value for model, cut in cuts.items() if cut.by_value}
    none = [labels[model] for model, cut in cuts.items() if not cut.by_value]
    keep = "its filters keeps" if len(kept) == 1 else "their filters keep"
    return captions.compose(
        f"{captions.listing(_without(values, kept, labels))} of {keep} {_KEPT}." if kept else "",
        f"No cut of {captions.listing(none)} keeps {_KEPT}." if none else "",
    )


def _surely(values: pd.DataFrame, cuts: Mapping[str, LargestCut], labels: Mapping[str, str]) -> str:
    """Return the largest cuts that the lower ends of intervals show."""
    shown = {model: cut.by_bound for model, cut in cuts.items() if cut.by_bound}
    phrases = captions.listing(_without(values, shown, labels))
    return f"Intervals show this for {phrases} of the filters." if shown else ""


def _without(values: pd.DataFrame, cuts: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[str]:
    """Yield `VGG 16 without 30 %` for each model and its cut."""
    lost = removed(values)["filters"]
    for model, variant in cuts.items():
        yield f"{labels[model]} without {100 * lost[(model, variant)]:.0f} %"
