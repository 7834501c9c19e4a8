"""Figure 28: where a quantized model's time goes, inference or dequantization."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import devices, select, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, ONCE, in_print
from tocompress.vocabulary.operations import DEQUANTIZATION
from tocompress.vocabulary.variants import QUANTIZE

_BAR = 0.135  # inches a bar takes
_GROUP = 0.09  # inches between models
# Inches: the columns of shares, of times and of their intervals.
_SHARES, _TIMES, _INTERVALS = 0.36, 0.42, 0.57
# Inches: the names of variants, the gap between panels, the edge. Then the titles, the axis.
_VARIANTS, _GAP, _MARGIN = 0.3, 0.1, 0.05
_TITLE, _AXIS = 0.2, 0.38
_OTHER = "#e4e4e4"


def table(study: pd.DataFrame) -> pd.DataFrame:
    """Return shares of dequantization and inference times of quantized variants on the first device."""
    quantized = study[(study["methods"] == QUANTIZE) & study["device"].isin(devices(study)[:1])]
    shares = quantized[(quantized["metric"] == "operation_share") & (quantized["label"] == DEQUANTIZATION)]
    times = [select(quantized, "latency", arithmetic=mode) for mode in ARITHMETICS]
    return pd.concat([shares, *times], ignore_index=True).drop_duplicates()


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel per arithmetic, with a bar per (model, variant), split in two."""
    values = table(study)
    quantized = variants(values)
    rows = panels.arrange(style.measured_models(study, values), pitch=_BAR * max(len(quantized), 1) + _GROUP)
    modes = [mode for mode in ARITHMETICS if mode in set(values["arithmetic"])] or [plot.arithmetic]

    left = _MARGIN + rows.label_width
    beside = _VARIANTS + _SHARES + _TIMES + _INTERVALS
    width = (style.DOUBLE - left - _MARGIN - (len(modes) - 1) * _GAP) / len(modes) - beside
    figure = style.figure(style.DOUBLE, _TITLE + rows.height + _AXIS)
    for number, mode in enumerate(modes):
        place = left + _VARIANTS + number * (width + beside + _GAP)
        axes = panels.panel(
            figure, rows, place, _TITLE, width, in_print(mode), names=False,
        )  # fmt: skip
        if number == 0:
            panels.name_rows(figure, rows, left, _TITLE)
        _bars(axes, rows, values[values["arithmetic"] == mode], quantized, style.colours(study))
    return figure, values


def _bars(axes: Axes, rows: panels.Rows, values: pd.DataFrame, quantized: list[str], colours: dict[str, str]) -> None:
    shares = values[(values["metric"] == "operation_share") & values["value"].notna()]
    if shares.empty:
        panels.explain(axes, panels.why_missing(values[values["metric"] == "operation_share"]))
        return
    times = values[values["metric"] == "latency"].set_index(["model", "variant"])
    for row in shares.itertuples():
        y = rows.centres[row.model] + (quantized.index(row.variant) - (len(quantized) - 1) / 2) * _BAR
        spent = 100 * row.value
        axes.barh(y, 100 - spent, left=spent, height=0.82 * _BAR, color=_OTHER)
        axes.barh(y, spent, height=0.82 * _BAR, color=colours[row.variant])
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
        captions.measured_on(study),
        captions.intervals(values[values["metric"] == "operation_share"]),
        captions.observations(values),
        captions.unavailable(values),
    )
