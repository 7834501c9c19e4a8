"""Draw the accuracy left when one layer alone loses filters or units: a heat map of layers by shares lost.

The figure is drawn on request, from a scan's own table. No report quotes its caption, so the figure prints it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import Drawing, captions
from tocompress.settings.jobs import SensitivityFigureJob
from tocompress.vocabulary.levels import LEVEL

_COLOURS = LinearSegmentedColormap.from_list("lost", ["#fff8ee", "#eda247", "#b5480f", "#4e1330"])
_WHITE_FROM = 0.6  # of the accuracy lost, because black print is hard to read on darker colours
_METRICS = {"top1": ("top-1", "images"), "next_token": ("next tokens right", "tokens")}
# The key is the first layer of a group. Residuals and initial states tie the cells of a group.
_GNMT = {
    "embeddings/encoder": "source embedding",
    "embeddings/decoder": "target embedding",
    "dynamic_seq2seq/encoder/bidirectional_rnn/fw/basic_lstm_cell": "encoder, forward",
    "dynamic_seq2seq/encoder/bidirectional_rnn/bw/basic_lstm_cell": "encoder, backward; decoder 0",
    "dynamic_seq2seq/encoder/rnn/multi_rnn_cell/cell_0/basic_lstm_cell": "encoder 0 to 2; decoder 1 to 3",
    "dynamic_seq2seq/decoder/memory_layer": "attention",
}
_ROOM = 0.97  # of a long text's place, because letters at few dots per inch take more than they measure
_LOST = "% of one layer lost"
_MOST = 44  # layers in one block
# Inches: title, key, shares, a row, the edge, gap of blocks, pad of a number, a line of the caption, the widest cell.
_TITLE, _KEY, _SHARES, _ROW, _MARGIN, _GAP, _PAD, _LINE, _WIDEST = 0.2, 0.2, 0.17, 0.135, 0.05, 0.15, 0.04, 0.135, 0.3


def drawing(table: pd.DataFrame, settings: SensitivityFigureJob) -> Drawing:
    """Return the figure of a table of schema `sensitivity`, with the table."""
    with style.applied():
        return Drawing(draw(table, settings, caption(table, settings)), table)


def draw(table: pd.DataFrame, settings: SensitivityFigureJob, text: str) -> Figure:
    """Draw a row per layer in the network's order, with many layers in two blocks. Write `text` below."""
    whole = _whole(table)
    layers = table[table["group"].notna()]
    values = layers.pivot_table("value", "group", "share", sort=False)
    names = short_names(list(values.index))
    counts = [f"{count}" for count in layers.groupby("group", sort=False)["channels"].first()]
    blocks = 1 if len(values) <= _MOST else 2
    rows = math.ceil(len(values) / blocks)
    page = style.SINGLE if blocks == 1 else style.DOUBLE
    caption_lines = _wrapped(text, _ROOM * (page - 2 * _MARGIN))
    top = _TITLE + _KEY + _SHARES
    figure = style.figure(page, top + rows * _ROW + _LINE * (0.8 + len(caption_lines)) + _MARGIN)
    title = f"{style.model_name(settings.model, settings.network)}: {_METRICS[whole['metric']][0]} (%)"
    style.write(figure, _MARGIN, _TITLE / 2, title, va="center", fontweight="bold", fontsize=style.NORMAL)
    _key(figure, whole["value"])

    count_width = style.text_width(*counts) + 0.08
    block_width = (page - 2 * _MARGIN - (blocks - 1) * _GAP) / blocks
    left = style.text_width(*names) / _ROOM + count_width + _PAD
    width = min(block_width - left, _WIDEST * len(values.columns))
    for block in range(blocks):
        part = slice(block * rows, (block + 1) * rows)
        edge = _MARGIN + block * (block_width + _GAP)
        axes = style.axes(figure, edge + left, top, width, len(values[part]) * _ROW)
        style.write(figure, edge + left + width, top - _SHARES - _KEY / 2, _LOST, ha="right", va="center_baseline")
        _heat_map(axes, values[part], whole["value"], width)
        for row, (name, count) in enumerate(zip(names[part], counts[part], strict=True)):
            y = top + (row + 0.5) * _ROW
            style.write(figure, edge + left - count_width, y, name, ha="right", va="center_baseline")
            style.write(figure, edge + left - _PAD, y, count, ha="right", va="center_baseline", color=style.MUTED)
    for number, line in enumerate(caption_lines):
        y = top + rows * _ROW + (1.3 + number) * _LINE
        style.write(figure, _MARGIN, y, line, va="center_baseline", color=style.MUTED)
    return figure


def short_names(groups: Sequence[str]) -> list[str]:
    """Return readable names of groups: TF-Slim's scopes without the parts that all share, as the network's name."""
    scopes = [group.split("/") for group in groups]

    def tells(depth: int) -> bool:
        return len({scope[depth] for scope in scopes if len(scope) > depth + 1}) > 1

    return [
        _GNMT.get(group) or "/".join([*(part for depth, part in enumerate(scope[:-1]) if tells(depth)), scope[-1]])
        for group, scope in zip(groups, scopes, strict=True)
    ]


def _whole(table: pd.DataFrame) -> pd.Series:
    """Return the row of the uncut network."""
    return table[table["group"].isna()].iloc[0]


def _heat_map(axes: Axes, values: pd.DataFrame, whole: float, width: float) -> None:
    """Colour each cell by the lost share of the uncut accuracy. Print the accuracy left where there is room."""
    lost = (1 - values / whole).clip(0, 1).to_numpy() if whole else 0 * values.to_numpy()
    axes.pcolormesh(lost, cmap=_COLOURS, vmin=0, vmax=1, edgecolors="white", linewidth=0.6)
    axes.set_ylim(len(values), 0)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    cell = width / len(values.columns)
    shares = [f"{100 * share:.0f}" for share in values.columns]
    every = 1 if cell >= style.text_width(*shares) + _PAD else 2
    axes.xaxis.tick_top()
    axes.set_xticks([column + 0.5 for column in range(len(shares))][::every], shares[::every])
    axes.tick_params(top=False)
    numbers = [[f"{100 * value:.0f}" for value in row] for row in values.to_numpy()]
    if cell < style.text_width(*(number for row in numbers for number in row)) + _PAD:
        return
    for row, of_layer in enumerate(numbers):
        for column, number in enumerate(of_layer):
            colour = "white" if lost[row, column] > _WHITE_FROM else style.INK
            axes.text(column + 0.5, row + 0.5, number, ha="center", va="center_baseline", color=colour)


def _key(figure: Figure, whole: float) -> None:
    """Draw the scale of colours, from the uncut network's accuracy to none."""
    y = _TITLE + _KEY / 2
    uncut = f"uncut {100 * whole:.1f}"
    style.write(figure, _MARGIN, y, uncut, va="center_baseline")
    left = _MARGIN + style.text_width(uncut) + 0.05
    bar = style.axes(figure, left, y - 0.045, 0.9, 0.09)
    bar.imshow([[step / 63 for step in range(64)]], aspect="auto", cmap=_COLOURS, vmin=0, vmax=1)
    bar.set_axis_off()
    style.write(figure, left + 0.95, y, "0", va="center_baseline")


def _wrapped(text: str, width: float) -> list[str]:
    """Return lines of at most `width` inches."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if style.text_width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def caption(table: pd.DataFrame, settings: SensitivityFigureJob) -> str:
    """Return the caption: the metric, the number of examples and the method."""
    whole = _whole(table)
    metric, examples = _METRICS[whole["metric"]]
    kinds = captions.listing(table["kind"].dropna().unique())
    widest = ((table["high"] - table["low"]) / 2).max()
    return captions.compose(
        f"Accuracy ({metric}) of {style.model_name(settings.model, settings.network)} when one layer alone loses a"
        f" share of its {kinds}, without retraining; the least important by {settings.criterion} go.",
        f"Grey: the number of its {kinds}; shares of few round to the same number.",
        "Layers that lose theirs together are one row, named after the first.",
        "Each token is predicted from the reference's before it." if whole["metric"] == "next_token" else "",
        f"Measured on the calibration set of {settings.data}, n = {whole['n']:,} {examples}.",
        f"{100 * LEVEL:g} % intervals, at most ±{100 * widest:.1f}, are in the table.",
    )
