"""Figure 28: where a quantized model's time goes, inference or dequantization."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import by_runtime, devices, runtimes, variants, whole
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, ONCE, in_print
from tocompress.vocabulary.operations import DEQUANTIZATION
from tocompress.vocabulary.runtimes import LITERT, title
from tocompress.vocabulary.variants import QUANTIZE

_BAR = 0.135  # inches a bar takes
_GROUP = 0.09  # inches between models
# Inches: the columns of shares, of times and of their intervals.
_SHARES, _TIMES, _INTERVALS = 0.36, 0.42, 0.57
# Inches: the names of variants, the gap between panels, the edge. Then the titles, the axis.
_VARIANTS, _GAP, _MARGIN = 0.3, 0.1, 0.05
_TITLE, _AXIS = 0.2, 0.38
_TALLEST = 9.3  # inches, of the figure
_COLUMNS = 2  # panels of a line: no runtime has more than two arithmetics of quantized weights
_OTHER = "#e4e4e4"

EVERY_RUNTIME = True


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


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a line of panels for each runtime, one per arithmetic. Each variant has a bar, split in two."""
    values = table(study)
    tables = by_runtime(values)
    bar = _fitting(study, tables.values())
    rows = {runtime: _arranged(study, own, bar) for runtime, own in tables.items()}
    left = _MARGIN + max(of_runtime.label_width for of_runtime in rows.values())
    figure = style.figure(style.DOUBLE, sum(map(_height, rows.values())))
    top = _TITLE
    for runtime, own in tables.items():
        name = f"{title(runtime)}: " if runtime and len(tables) > 1 else ""
        _draw_line(figure, (left, top), rows[runtime], bar, own, name, plot, style.colours(study))
        top += _height(rows[runtime])
    return figure, values


def _fitting(study: pd.DataFrame, tables: Iterable[pd.DataFrame]) -> float:
    """Return the inches that a bar takes, so that all fit on a page."""
    lines = [_arranged(study, own, _BAR) for own in tables]
    bars = sum(len(rows.models) * (rows.pitch - _GROUP) for rows in lines)
    excess = sum(map(_height, lines)) - _TALLEST
    return _BAR * (1 - max(excess, 0.0) / bars)


def _height(rows: panels.Rows) -> float:
    return _TITLE + rows.height + _AXIS


def _arranged(study: pd.DataFrame, own: pd.DataFrame, bar: float) -> panels.Rows:
    """Return rows for the models with shares, high enough for the arithmetic with the most variants."""
    shares = own[own["metric"].eq("operation_share") & own["value"].notna()]
    bars = max((len(variants(of_mode)) for _, of_mode in shares.groupby("arithmetic")), default=1)
    return panels.arrange(style.measured_models(study, shares), pitch=bar * bars + _GROUP)


def _draw_line(
    figure: Figure,
    place: tuple[float, float],
    rows: panels.Rows,
    bar: float,
    own: pd.DataFrame,
    name: str,
    plot: Plot,
    colours: dict[str, str],
) -> None:
    """Draw a runtime's panels from `place`, the upper left corner in inches."""
    modes = [mode for mode in ARITHMETICS if mode in set(own["arithmetic"])] or [plot.arithmetic]
    (left, top), beside = place, _VARIANTS + _SHARES + _TIMES + _INTERVALS
    width = (style.DOUBLE - left - _MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS - beside
    for number, mode in enumerate(modes):
        corner = left + _VARIANTS + number * (width + beside + _GAP), top
        axes = panels.panel(figure, rows, *corner, width, name + in_print(mode), names=False)
        if number == 0:
            panels.name_rows(figure, rows, left, top)
        of_mode = own[own["arithmetic"] == mode]
        _bars(axes, rows, bar, of_mode, colours)


def _bars(axes: Axes, rows: panels.Rows, bar: float, values: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw a bar of each share. Write the share and the time beside it."""
    shares = values[(values["metric"] == "operation_share") & values["value"].notna()]
    if shares.empty:
        panels.explain(axes, panels.why_missing(values[values["metric"] == "operation_share"]))
        return
    quantized = variants(shares)
    times = values[values["metric"] == "latency"].set_index(["model", "variant"])
    for row in shares.itertuples():
        y = rows.centres[row.model] + (quantized.index(row.variant) - (len(quantized) - 1) / 2) * bar
        spent = 100 * row.value
        axes.barh(y, 100 - spent, left=spent, height=0.82 * bar, color=_OTHER)
        axes.barh(y, spent, height=0.82 * bar, color=colours[row.variant])
        if not pd.isna(row.low) and not pd.isna(row.high):
            axes.plot([100 * row.low, 100 * row.high], [y, y], color=style.INK, linewidth=0.7, solid_capstyle="butt")
        axes.annotate(
            row.variant, (0, y), (-3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="center_baseline", color=colours[row.variant], fontweight="bold",
        )  # fmt: skip
        _write(axes, f"{spent:.0f} %", y, _SHARES)
        if (row.model, row.variant) in times.index:
            _write_time(axes, times.loc[(row.model, row.variant)], y)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.set_xlabel("share of operation time (%)")
    header = rows.headings[0][0]
    axes.annotate("dequantization", (1, header), va="center_baseline", fontweight="bold")
    axes.annotate("other", (99, header), va="center_baseline", ha="right", color=style.MUTED)
    _write(axes, "share", header, _SHARES, color=style.MUTED)
    _write(axes, "time", header, _SHARES + _TIMES, color=style.MUTED)


def _write_time(axes: Axes, time: pd.Series[Any], y: float) -> None:
    """Write the inference time relative to fp32, and its interval."""
    if pd.isna(time["ratio"]):
        return
    _write(axes, f"×{time['ratio']:.2f}", y, _SHARES + _TIMES)
    if not pd.isna(time["ratio_low"]) and not pd.isna(time["ratio_high"]):
        interval = f"{time['ratio_low']:.2f}, {time['ratio_high']:.2f}"
        _write(axes, interval, y, _SHARES + _TIMES + _INTERVALS, color=style.MUTED)


def _write(axes: Axes, text: str, y: float, right: float, **look: Any) -> None:
    """Write text beside the bars. It ends `right` inches right of them."""
    axes.annotate(
        text, (1, y), (72 * right, 0), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
        va="center_baseline", **look,
    )  # fmt: skip


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study)
    return captions.compose(
        "Where the time of a quantized model goes: dequantization (coloured) and all other operations (grey), as shares"
        " of the profiled operation time, with either arithmetic. Where the runtime reorders dequantized"
        " weights inside the operation that uses them, that time counts as inference: the share is a lower bound."
        " The times of operations that run side by side add up: a share of them is not a share of the wall clock,"
        " least of all in small networks."
        " Beside the bars, their share, and the inference time relative to fp32 with its interval.",
        "Tensors above a limit of the runtime's (TensorFlow's is about 10 MB) are not dequantized while loading, but at"
        " every inference in both cases. Without any dequantization left, an inference can still take longer than"
        " fp32's: TensorFlow's oneDNN puts kernels that the graph stores as floats into its own layout once, and others"
        " at every inference or not at all."
        if ONCE in set(values["arithmetic"])
        else "",
        "In LiteRT, all conversions between floats and integers count as dequantization."
        if LITERT in runtimes(values)
        else "",
        captions.measured_on(study),
        captions.intervals(values[values["metric"] == "operation_share"]),
        captions.observations(values),
        captions.unavailable(values),
    )
