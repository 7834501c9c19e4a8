"""Figure 28: where a quantized model's time goes, inference or dequantization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import blocks, captions, panels, values
from tocompress.reporting.figures.blocks import Blocks, Looks, Order
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.study import by_runtime, devices, is_clear, runtimes, whole
from tocompress.reporting.style import ShownModel
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, ONCE, in_print
from tocompress.vocabulary.operations import DEQUANTIZATION
from tocompress.vocabulary.runtimes import LITERT, title
from tocompress.vocabulary.variants import QUANTIZE

# Inches right of the bars: the columns of shares, of times and of their intervals.
_SHARE, _TIME, _INTERVAL = 0.4, 0.45, 0.7
# Inches: the gap between panels, the edge. Then the titles, the axis.
_GAP, _MARGIN = 0.16, 0.05
_TITLE, _AXIS = 0.38, 0.36
_ABOVE = 14  # points from the bars to the title
_TALLEST = 9.0  # inches, of the figure
_PITCHES = (blocks.LABELLED, 0.104)  # inches of a row, the best first
_LEAST = 0.005  # a share that is shown
_NOTHING = "no arithmetic spends a measurable share of its time on dequantization"

EVERY_RUNTIME = True


@dataclass(frozen=True)
class _Panel:
    """The rows of a runtime in one arithmetic: shares of dequantization, and times."""

    arithmetic: str
    shares: pd.DataFrame
    times: pd.DataFrame

    @property
    def has_bars(self) -> bool:
        """Return whether any time goes into dequantization."""
        return bool((self.shares["value"] >= _LEAST).any())


@dataclass(frozen=True)
class _Line:
    """The panels of a runtime, and the variants of each model's rows. Panels without bars are columns of times."""

    name: str
    panels: list[_Panel]
    order: Order
    models: list[ShownModel]

    @property
    def has_bars(self) -> bool:
        """Return whether any panel has bars."""
        return any(panel.has_bars for panel in self.panels)

    def arranged(self, pitch: float) -> Blocks:
        """Return the places of the models, with rows of `pitch` inches."""
        return blocks.arrange({model: len(self.order[model.name]) for model in self.models}, pitch)


def table(study: pd.DataFrame) -> pd.DataFrame:
    """Return shares of dequantization and times of quantized variants, in each runtime on its first device."""
    parts = []
    for own in by_runtime(study[study["methods"] == QUANTIZE]).values():
        quantized = own[own["device"].isin(devices(own)[:1]) & own["arithmetic"].notna()]
        shares = quantized[(quantized["metric"] == "operation_share") & _of_dequantization(quantized)]
        parts += [shares, whole(quantized, "latency")]
    return pd.concat(parts, ignore_index=True)


def _of_dequantization(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows are of dequantization, or say why no share is known."""
    return rows["label"].eq(DEQUANTIZATION) | (rows["label"].isna() & rows["value"].isna())


def _shares(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["metric"].eq("operation_share") & rows["value"].notna()]


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a line of panels for each runtime, one per arithmetic. Each variant has a row."""
    rows, looks = table(study), palette.looks(study)
    lines = [of_line for of_line in _lines(study, rows, looks) if of_line.has_bars]
    if not lines:
        known = len(_shares(rows))
        return panels.sentence(
            _NOTHING if known else panels.why_missing(rows[rows["metric"] == "operation_share"])
        ), rows
    for pitch in _PITCHES:
        arranged = [of_line.arranged(pitch) for of_line in lines]
        if sum(map(_height, arranged)) <= _TALLEST:
            break
    figure = style.figure(style.DOUBLE, sum(map(_height, arranged)))
    top = _TITLE
    for of_line, places in zip(lines, arranged, strict=True):
        _draw_line(figure, top, of_line, places, looks)
        top += _height(places)
    return figure, rows


def _height(places: Blocks) -> float:
    return _TITLE + places.height + _AXIS


def _lines(study: pd.DataFrame, rows: pd.DataFrame, looks: Looks) -> list[_Line]:
    """Return a line of panels for each runtime."""
    return [
        _line(study, own, looks, title(runtime) if runtime else "")
        for runtime, own in by_runtime(rows).items()
        if len(_shares(own))
    ]


def _line(study: pd.DataFrame, own: pd.DataFrame, looks: Looks, name: str) -> _Line:
    """Return the panels of a runtime. In each group, the models with the longest inference come first."""
    shares, times = _shares(own), own[own["metric"] == "latency"]
    found = [
        _Panel(mode, shares[shares["arithmetic"] == mode], times[times["arithmetic"] == mode])
        for mode in ARITHMETICS
        if mode in set(shares["arithmetic"])
    ]
    named = shares.groupby("model")["variant"].agg(set)
    order = {str(model): [name for name in looks if name in of_model] for model, of_model in named.items()}
    longest = times.groupby("model")["value"].max()
    models = [model for model in style.shown_models(study) if model.name in order]
    groups = list(dict.fromkeys(model.group for model in models))
    models.sort(key=lambda model: (groups.index(model.group), -longest.get(model.name, 0.0)))
    return _Line(name, found, order, models)


def _draw_line(figure: Figure, top: float, of_line: _Line, places: Blocks, looks: Looks) -> None:
    """Draw a runtime's panels, those with bars first."""
    names = 0.06 + style.text_width(*(name for names in of_line.order.values() for name in names))
    models = 0.0 if places.labelled else style.text_width(*(model.label for model in places.models)) + 0.1
    ordered = sorted(of_line.panels, key=lambda panel: not panel.has_bars)
    texts = sum(_TIME + _INTERVAL + _SHARE * panel.has_bars for panel in ordered) + _GAP * (len(ordered) - 1)
    room = style.DOUBLE - 2 * _MARGIN - names - models - texts
    left = _MARGIN + models + names
    blocks.name_models(figure, places, _MARGIN, _MARGIN + models, top)
    for panel in ordered:
        width = room / sum(panel.has_bars for panel in ordered) if panel.has_bars else 0.01
        heading = ", ".join(filter(None, [of_line.name, in_print(panel.arithmetic)])) if panel.has_bars else ""
        axes = blocks.panel(figure, places, (left, top), width, heading, pad=_ABOVE)
        if panel is ordered[0]:
            blocks.name_variants(axes, places, of_line.order)
        _fill(axes, places, panel, of_line.order, looks)
        left += width + _TIME + _INTERVAL + _SHARE * panel.has_bars + _GAP


def _fill(axes: Axes, places: Blocks, panel: _Panel, order: Order, looks: Looks) -> None:
    """Draw a bar of each share. Write the share and the time beside it."""
    times = panel.times.assign(clear=is_clear(panel.times)).set_index(["model", "variant"])
    shift = _SHARE if panel.has_bars else 0.0
    for row in panel.shares.itertuples():
        y = places.tops[row.model] + (order[row.model].index(row.variant) + 0.5) * places.pitch
        if panel.has_bars:
            _bar(axes, row, y, 0.82 * places.pitch, looks[row.variant].colour)
        if (row.model, row.variant) in times.index:
            _write_time(axes, times.loc[(row.model, row.variant)], y, shift)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100] if panel.has_bars else [])
    axes.spines["bottom"].set_visible(panel.has_bars)
    if panel.has_bars:
        axes.set_xlabel("share of operation time (%)")
        _head(axes, "share", _SHARE)
    _head(axes, "time" if panel.has_bars else f"time, {in_print(panel.arithmetic)}", shift + _TIME + _INTERVAL)


def _head(axes: Axes, text: str, right: float) -> None:
    blocks.beside(axes, 1, -0.06, 72 * right, text, ha="right", color=palette.MUTED)


def _bar(axes: Axes, row: Any, y: float, height: float, colour: str) -> None:
    """Draw a share of dequantization with its interval, and grey for all other operations."""
    spent = 100 * row.value
    axes.barh(y, 100 - spent, left=spent, height=height, color=palette.FAINT)
    (bar,) = axes.barh(y, spent, height=height, color=colour)
    interval = "" if pd.isna(row.low) or pd.isna(row.high) else f" ({100 * row.low:.1f} to {100 * row.high:.1f} %)"
    if interval:
        axes.plot([100 * row.low, 100 * row.high], [y, y], color=palette.INK, linewidth=0.7, solid_capstyle="butt")
    name = style.model_name(row.model, row.network)
    tell(bar, f"{name}, {row.variant}, {in_print(row.arithmetic)}: dequantization {spent:.1f} %{interval}, n = {row.n}")
    blocks.beside(axes, 1, y, 72 * _SHARE, f"{spent:.0f} %", ha="right")


def _write_time(axes: Axes, time: pd.Series[Any], y: float, shift: float) -> None:
    """Write the inference time relative to fp32 and its interval, bold where it differs clearly."""
    if pd.isna(time["ratio"]):
        return
    weight, colour = ("bold", palette.INK) if time["clear"] else ("normal", palette.MUTED)
    right = 72 * (shift + _TIME)
    blocks.beside(axes, 1, y, right, values.times(time["ratio"]), ha="right", fontweight=weight, color=colour)
    if not pd.isna(time["ratio_low"]) and not pd.isna(time["ratio_high"]):
        interval = f"{time['ratio_low']:.2f} to {time['ratio_high']:.2f}"
        blocks.beside(axes, 1, y, right + 72 * _INTERVAL, interval, ha="right", color=palette.MUTED)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    rows = table(study)
    return Caption(
        _finding(rows),
        "Coloured: the share of dequantization in the profiled operation time. Grey: all other operations. Beside the"
        " bars, the inference time relative to fp32, bold where its paired interval excludes no change.",
        captions.compose(
            _without_bars(study, rows),
            "Where the runtime reorders dequantized weights"
            " inside the operation that uses them, that time counts as inference: the share is a lower bound.",
            "The times of operations that run side by side add up: a share of them is not a share of the wall clock,"
            " least of all in small networks.",
            "Tensors above a limit of the runtime (TensorFlow's is about 10 MB) are not dequantized while loading, but"
            " at every inference in both cases. Without any dequantization left, an inference can still take longer"
            " than fp32's: TensorFlow's oneDNN puts kernels that the graph stores as floats into its own layout once,"
            " and others at every inference or not at all."
            if ONCE in set(rows["arithmetic"])
            else "",
            "In LiteRT, all conversions between floats and integers count as dequantization."
            if LITERT in runtimes(rows)
            else "",
            captions.measured_on(study),
            captions.intervals(rows[rows["metric"] == "operation_share"]),
            captions.observations(rows),
            captions.unavailable(rows),
        ),
    )


def _without_bars(study: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return which runtimes and arithmetics dequantize nothing. The text is empty for none."""
    found = [
        f"{of_line.name} {in_print(panel.arithmetic)}".strip()
        for of_line in _lines(study, rows, palette.looks(study))
        for panel in of_line.panels
        if not panel.has_bars
    ]
    return f"Less than 0.5 % of the time is dequantization in {captions.listing(found)}." if found else ""


def _finding(rows: pd.DataFrame) -> str:
    """Return the largest share of dequantization. The text is empty if no share is known."""
    shares = _shares(rows)
    if shares.empty or shares["value"].max() < _LEAST:
        return ""
    row = shares.loc[shares["value"].idxmax()]
    name = f"{style.model_name(row['model'], row['network'])} {row['variant']}, {in_print(row['arithmetic'])}"
    return f"Dequantization takes at most {style.quantity(row['value'], row['unit'])} of the operation time ({name})."
