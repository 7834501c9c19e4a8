"""Draw the accuracy left when one layer alone loses filters or units: a heat map of layers by shares lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import Drawing, captions, scans
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
_LOST = "% of one layer lost"


def drawing(table: pd.DataFrame, settings: SensitivityFigureJob) -> Drawing:
    """Return the figure of a table of schema `sensitivity`, with the table."""
    with style.applied():
        return Drawing(draw(table, settings, caption(table, settings)), table)


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
            style.write(figure, edge, y, count, ha="right", va="center_baseline", color=style.MUTED)
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


def caption(table: pd.DataFrame, settings: SensitivityFigureJob) -> str:
    """Return the caption: the metric, the number of examples and the method."""
    whole = _whole(table)
    metric, examples = scans.METRICS[whole["metric"]]
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
