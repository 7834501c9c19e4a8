"""Draw the accuracy left when one layer alone loses filters or units. A heat map has a row a layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import Drawing, captions, scans
from tocompress.reporting.figures.captions import Caption
from tocompress.settings.jobs import SensitivityFigureJob
from tocompress.vocabulary.levels import LEVEL

# The key is the first layer of a group. Residuals and initial states tie the cells of a group.
_GNMT = {
    "embeddings/encoder": "source embedding",
    "embeddings/decoder": "target embedding",
    "dynamic_seq2seq/encoder/bidirectional_rnn/fw/basic_lstm_cell": "encoder, forward",
    "dynamic_seq2seq/encoder/bidirectional_rnn/bw/basic_lstm_cell": "encoder, backward; decoder 0",
    "dynamic_seq2seq/encoder/rnn/multi_rnn_cell/cell_0/basic_lstm_cell": "encoder 0 to 2; decoder 1 to 3",
    "dynamic_seq2seq/decoder/memory_layer": "attention",
}
_HALF = 0.5  # share of a layer
_LOST = "% of one layer lost"


def drawing(table: pd.DataFrame, settings: SensitivityFigureJob) -> Drawing:
    """Return the figure of a table of schema `sensitivity`, with the table."""
    with style.applied():
        return Drawing(draw(table, settings, str(caption(table, settings))), table)


def draw(table: pd.DataFrame, settings: SensitivityFigureJob, text: str) -> Figure:
    """Draw a row per layer in the network's order, with many layers in two blocks. Write `text` below."""
    whole = _whole(table)
    layers = table[table["group"].notna()]
    values = layers.pivot_table("value", "group", "share", sort=False)
    names = group_names(list(values.index))
    counts = [f"{count}" for count in layers.groupby("group", sort=False)["channels"].first()]
    bottom = scans.TOP + scans.rows_of_block(len(values)) * scans.ROW
    page = scans.page_of(*values.shape)
    lines = scans.caption_lines(text, page)
    figure = style.figure(page, bottom + scans.height_of(lines))
    title = f"{style.model_name(settings.model, settings.network)}: {scans.METRICS[whole['metric']][0]} (%)"
    scans.write_title(figure, title)
    scans.draw_key(figure, f"uncut {100 * whole['value']:.1f}", "0")

    count_width = style.text_width(*counts) + 0.08
    left = style.text_width(*names) / scans.ROOM + count_width + scans.PAD
    for block in scans.blocks_of(len(values), len(values.columns), left):
        scans.heat_map(figure, block, _cells(values, whole["value"]))
        right, y = block.left + block.width, scans.TOP - scans.LABELS - scans.KEY / 2
        style.write(figure, right, y, _LOST, ha="right", va="center_baseline")
        for row, (name, count) in enumerate(zip(names[block.part], counts[block.part], strict=True)):
            y = scans.middle_of(row)
            style.write(figure, block.left - count_width, y, name, ha="right", va="center_baseline")
            edge = block.left - scans.PAD
            style.write(figure, edge, y, count, ha="right", va="center_baseline", color=palette.MUTED)
    scans.write_lines(figure, bottom, lines)
    return figure


def group_names(groups: list[str]) -> list[str]:
    """Return readable names of groups of layers."""
    return scans.short_names(groups, _GNMT)


def _whole(table: pd.DataFrame) -> pd.Series:
    """Return the row of the uncut network."""
    return table[table["group"].isna()].iloc[0]


def _cells(values: pd.DataFrame, whole: float) -> scans.Cells:
    """Return the accuracy left, coloured by the lost share of the uncut accuracy."""
    left = values.to_numpy()
    lost = (1 - left / whole).clip(0, 1) if whole else 0 * left
    columns = [f"{100 * share:.0f}" for share in values.columns]
    return scans.Cells(lost, 100 * left, (0,), np.zeros(left.shape, np.bool_), columns)


def caption(table: pd.DataFrame, settings: SensitivityFigureJob) -> Caption:
    """Return the caption: the worst and the best layer to cut, the method, the examples and the intervals."""
    whole = _whole(table)
    metric, examples = scans.METRICS[whole["metric"]]
    kinds = captions.listing(table["kind"].dropna().unique())
    widest = ((table["high"] - table["low"]) / 2).max()
    return Caption(
        _finding(table, metric),
        f"Each cell is the accuracy ({metric}) of {style.model_name(settings.model, settings.network)} when one layer"
        f" alone loses a share of its {kinds}, without retraining.",
        captions.compose(
            f"The least important by {settings.criterion} go first.",
            f"Grey: the number of its {kinds}. Shares of few round to the same number.",
            "Layers that lose theirs together are one row, named after the first.",
            "Each token is predicted from the reference's before it." if whole["metric"] == "next_token" else "",
            f"Measured on the calibration set of {settings.data}, n = {whole['n']:,} {examples}.",
            f"{100 * LEVEL:g} % intervals, at most ±{100 * widest:.1f}, are in the table.",
        ),
    )


def _finding(table: pd.DataFrame, metric: str) -> str:
    """Return the accuracy left by the worst and by the best layer to lose about half of."""
    layers = table[table["group"].notna()]
    share = min(layers["share"].unique(), key=lambda share: abs(share - _HALF))
    own = layers[layers["share"] == share].sort_values("value", kind="stable")
    names = dict(zip(layers["group"].unique(), group_names(list(layers["group"].unique())), strict=True))
    worst, best = (
        f"{100 * row.value:.1f} % ({100 * row.low:.1f} to {100 * row.high:.1f} %) for {names[row.group]}"
        for row in own.iloc[[0, -1]].itertuples()
    )
    uncut = f"{100 * _whole(table)['value']:.1f} %"
    return (
        f"Without {100 * share:.0f} % of one layer, {metric} is {worst} at worst and {best} at best, of {uncut} uncut."
    )
