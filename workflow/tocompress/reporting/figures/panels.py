"""Draw panels with models as rows: dots with intervals beside a baseline, or the reason why there are none."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from tocompress.reporting import style
from tocompress.reporting.study import is_unsettled
from tocompress.vocabulary.metrics import ACCURACY
from tocompress.vocabulary.variants import BASELINE

_HEADING = 0.19  # inches that a group's heading takes
_EMPTY = 0.6  # inches, for the reason why there are no rows
_LINE = 0.14  # inches, a line of such a reason


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
    return Rows(tuple(models), centres, tuple(headings), pitch, max(below, _EMPTY))


def panel(figure: Figure, rows: Rows, left: float, top: float, width: float, title: str, *, names: bool) -> Axes:
    """Return empty axes over `rows`, with or without the models' names on the left."""
    axes = style.axes(figure, left, top, width, rows.height)
    axes.set_ylim(rows.height, 0)
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontweight="bold", pad=3)
    axes.spines["left"].set_visible(False)
    for height, _ in rows.headings[1:]:
        axes.axhline(height - _HEADING / 2, color=style.FAINT, linewidth=0.6, zorder=0)
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
        style.write(figure, left, top + height, text, va="center_baseline", fontweight="bold", color=style.MUTED)


def ratio_dots(
    axes: Axes,
    rows: Rows,
    values: pd.DataFrame,
    colours: Mapping[str, str],
    markers: Mapping[str, str],
    *,
    change: bool = False,
    bars: Sequence[str] | None = None,
) -> None:
    """Draw every ratio to fp32 in `values` as a dot with its interval: one line a variant, one marker a metric.

    `change` shows percent more or less than fp32 instead of a multiple. `bars` are the metrics with error bars (None:
    all). A panel without any ratio says why.
    """
    shown = values[(values["variant"] != BASELINE) & values["ratio"].notna()]
    if shown.empty:
        explain(axes, why_missing(values))
        return
    baseline = 0.0 if change else 1.0
    scaled = shown[["ratio_low", "ratio", "ratio_high"]].astype(float)
    shown = shown.drop(columns=["low", "high"])
    shown[["low", "middle", "high"]] = 100 * (scaled - 1) if change else scaled
    axes.set_xlim(*_limits(shown, baseline))
    axes.axvline(baseline, color=style.INK, linewidth=0.7, zorder=1)
    names = list(colours)
    hollow = is_unsettled(shown["ratio_settled"])
    step = min(0.24, 0.8 / len(names)) * rows.pitch
    for (model, variant), group in shown.groupby(["model", "variant"], sort=False):
        group = group.sort_values("metric", key=lambda metrics: metrics.map(list(markers).index))
        for number, row in enumerate(group.itertuples()):
            y = rows.centres[model] + (names.index(variant) - (len(names) - 1) / 2) * step
            y += (number - (len(group) - 1) / 2) * step / max(len(group), 2)
            if (bars is None or row.metric in bars) and not pd.isna(row.low) and not pd.isna(row.high):
                _bar(axes, row.low, row.high, y, colours[variant])
            axes.plot(row.middle, y, **dot(markers[row.metric], colours[variant], hollow=bool(hollow[row.Index])))
    _bands(axes, rows, values, shown)
    _label_ratios(axes, baseline)


def make_alike(drawn: Sequence[Axes]) -> None:
    """Give panels of ratios the same axis, from the least to the largest end of theirs. Empty panels have none."""
    filled = [axes for axes in drawn if axes.get_xlabel()]
    if filled:
        limits = [axes.get_xlim() for axes in filled]
        low, high = min(low for low, _ in limits), max(high for _, high in limits)
        for axes in filled:
            axes.set_xlim(low, high)
            axes.set_xticks(_ticks((low, high), 1.0, most=4 if _width(axes) > 1.15 else 2))


def _label_ratios(axes: Axes, baseline: float) -> None:
    """Label the x axis of changes, where the baseline is 0, or of ratios, where it is 1."""
    change = baseline == 0
    axes.set_xticks(_ticks(axes.get_xlim(), baseline, most=4 if _width(axes) > 1.15 else 2))
    axes.xaxis.set_major_formatter(FuncFormatter(percent if change else multiple))
    axes.grid(axis="x")
    axes.axhspan(0, _HEADING, facecolor="white", zorder=1.5)  # keeps lines out of the headings
    axes.set_xlabel("change from fp32 (%)" if change else "relative to fp32")


def reach(
    lows: pd.Series[float], middles: pd.Series[float], highs: pd.Series[float], least: float = 0.1
) -> tuple[float, float]:
    """Return the ends of an axis over `middles`. Intervals extend each end by its span or `least` at most."""
    low, high = middles.min(), middles.max()
    span = max(high - low, least)
    return max(min(low, lows.min()), low - span), min(max(high, highs.max()), high + span)


def _limits(shown: pd.DataFrame, baseline: float) -> tuple[float, float]:
    """Return the ends of an axis for the ratios or changes of `shown`, with the baseline in sight."""
    dots = pd.concat([shown["middle"], pd.Series([baseline])])
    low, high = reach(shown["low"], dots, shown["high"], least=0.1 if baseline else 3)
    if baseline == 1 and high < 1.1 and low < 0.5:
        low, high = 0.0, max(high, 1.0)  # all are much smaller, so show from nothing to all
    margin = 0.03 * (high - low)
    return low - margin, high + margin


def change_axis(axes: Axes, low: float, high: float, linear: float) -> None:
    """Set the y axis of changes in percent from `low` to `high`: linear up to `linear`, logarithmic beyond."""
    height = axes.get_position().height * style.figure_of(axes).get_size_inches()[1]
    axes.set_yscale("symlog", linthresh=linear, linscale=1)
    axes.set_ylim(max(min(1.2 * low, -1.5 * linear), -120), max(high, 1) + 0.5)
    axes.yaxis.set_major_locator(FixedLocator([-100, -50, -20, -10, -5, 0, 5] if height > 1 else [-100, -20, -5, 0]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(percent))
    axes.axhline(0, color=style.INK, linewidth=0.7, zorder=1)


def _width(axes: Axes) -> float:
    """Return the width in inches."""
    return float(axes.get_position().width * style.figure_of(axes).get_size_inches()[0])


def _ticks(limits: tuple[float, float], baseline: float, most: int) -> list[float]:
    """Return round numbers, with the baseline in place of numbers too near to it."""
    low, high = limits
    steps = [1, 2, 5, 10] if baseline == 0 else [1, 2.5, 5, 10]
    ticks = [tick for tick in MaxNLocator(most, steps=steps).tick_values(low, high) if low <= tick <= high]
    return sorted([baseline, *(tick for tick in ticks if abs(tick - baseline) > 0.15 * (high - low))])


def _bar(axes: Axes, low: float, high: float, y: float, colour: str) -> None:
    """Draw an interval, with an arrow where it continues beyond the panel."""
    left, right = axes.get_xlim()
    axes.plot([low, high], [y, y], color=colour, linewidth=0.9, solid_capstyle="butt")
    for beyond, edge, arrow in ((low < left, left, "<"), (high > right, right, ">")):
        if beyond:
            axes.plot(edge, y, arrow, markersize=3, color=colour, clip_on=False)


def dot(marker: str, colour: str, *, hollow: bool) -> dict[str, Any]:
    """Return the style of a value's dot. A hollow dot stands for a ratio or a value that is not settled."""
    return {
        "marker": marker,
        "markersize": 3.6 if marker == "o" else 3.0,
        "color": colour,
        "markerfacecolor": "white" if hollow else colour,
        "markeredgewidth": 0.8,
        "linestyle": "none",
        "zorder": 3,
        "clip_on": False,
    }


def _bands(axes: Axes, rows: Rows, values: pd.DataFrame, shown: pd.DataFrame) -> None:
    """Draw a band behind each model with dots, and write why other models have none."""
    empty: dict[str, list[float]] = {}
    for model in rows.models:
        y = rows.centres[model.name]
        if model.name in set(shown["model"]):
            axes.axhline(y, color="#f4f4f4", linewidth=rows.pitch * 72 * 0.8, solid_capstyle="butt", zorder=0)
        elif not model.trained and set(values["metric"]) <= ACCURACY:
            empty.setdefault(model.group, []).append(y)
        else:
            remark(axes, y, "not measured" if model.name in set(values["model"]) else "does not apply")
    for heights in empty.values():
        remark(axes, sum(heights) / len(heights), "weights not trained")


def remark(axes: Axes, y: float, text: str) -> None:
    """Write why a row is empty."""
    axes.text(
        0.5, y, text, transform=axes.get_yaxis_transform(), ha="center", va="center", color=style.MUTED,
        style="italic", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def baseline_column(axes: Axes, rows: Rows, values: pd.DataFrame, metrics: Sequence[str], title: str = "fp32") -> None:
    """Write the fp32 value behind the ratios to the right of each row, for the first of `metrics` that a model has."""
    baselines = values[(values["variant"] == BASELINE) & values["value"].notna()]
    texts = {}
    for model in rows.models:
        own = baselines[baselines["model"] == model.name].set_index("metric")
        metric = next((metric for metric in metrics if metric in own.index), None)
        if metric is not None:
            texts[rows.centres[model.name]] = style.quantity(own.loc[metric, "value"], own.loc[metric, "unit"])
    for y, text in ({_HEADING / 2: title} | texts if texts else {}).items():
        axes.annotate(
            text, (1, y), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center_baseline", color=style.MUTED,
        )  # fmt: skip


def explain(axes: Axes, reason: str) -> None:
    """Write in an empty panel why it is empty."""
    for drawn in tuple(axes.lines):
        drawn.remove()
    axes.set_xticks([])
    axes.set_facecolor("#f8f8f8")
    axes.spines[["left", "bottom"]].set_visible(False)
    lines = textwrap.wrap(reason, max(8, int(_width(axes) * 72 / (0.6 * style.SMALL))))
    for number, line in enumerate(lines):
        below = (number - (len(lines) - 1) / 2) * _LINE * 72
        axes.annotate(
            line, (0.5, 0.5), (0, -below), xycoords="axes fraction", textcoords="offset points", ha="center",
            va="center_baseline", color=style.MUTED, style="italic",
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
        mark = dot(entry.marker, entry.colour, hollow=entry.hollow)
        figure.add_artist(Line2D([left / width + 0.03 / width], [1 - top / height], **mark))
        style.write(
            figure, left + 0.09, top + 0.005, entry.text, color=entry.colour, va="center", fontweight=entry.weight
        )
        left += entry.width + entry.space


@dataclass(frozen=True)
class Entry:
    """One marker of a key."""

    text: str
    marker: str = "o"
    colour: str = style.MUTED
    hollow: bool = False
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


def variant_entries(
    colours: Mapping[str, str],
    values: pd.DataFrame,
    markers: Mapping[str, str] | None = None,
    flags: Sequence[str] = ("ratio_settled",),
) -> list[Entry]:
    """Return the entries of variants, and one for hollow markers if any of the `flags` asks for one."""
    entries = [
        Entry(variant, (markers or {}).get(variant, "o"), colour, bold=True) for variant, colour in colours.items()
    ]
    if any(is_unsettled(values[flag]).any() for flag in flags):
        entries.append(Entry("not settled", hollow=True))
    return entries


def multiple(value: float, _: int | None = None) -> str:
    return f"×{value:g}" if value else "0"


def percent(value: float, _: int | None = None) -> str:
    return f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0"
