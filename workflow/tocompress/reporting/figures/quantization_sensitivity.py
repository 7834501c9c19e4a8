"""Draw the accuracy lost when one kernel alone is quantized: a heat map of kernels by bits.

Beside it stand the facts of each kernel's weights, and the bits that a budget gave it. Below it the loss of all kernels
together is held against the sum of the single losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import Drawing, captions, scans
from tocompress.reporting.figures.captions import Caption
from tocompress.settings.jobs import QuantizationSensitivityFigureJob
from tocompress.vocabulary.levels import LEVEL

_GNMT = {
    "embeddings/encoder": "source embedding",
    "embeddings/decoder": "target embedding",
    "dynamic_seq2seq/encoder/bidirectional_rnn/fw/basic_lstm_cell": "encoder, forward",
    "dynamic_seq2seq/encoder/bidirectional_rnn/bw/basic_lstm_cell": "encoder, backward",
    "dynamic_seq2seq/decoder/memory_layer": "attention, memory",
    "dynamic_seq2seq/decoder/multi_rnn_cell/cell_0_attention/attention/basic_lstm_cell": "decoder 0",
    "dynamic_seq2seq/decoder/multi_rnn_cell/cell_0_attention/attention/bahdanau_attention/query_layer": (
        "attention, query"
    ),
    "dynamic_seq2seq/decoder/output_projection": "output projection",
    **{
        f"dynamic_seq2seq/encoder/rnn/multi_rnn_cell/cell_{cell}/basic_lstm_cell": f"encoder {cell}"
        for cell in range(3)
    },
    **{f"dynamic_seq2seq/decoder/multi_rnn_cell/cell_{cell}/basic_lstm_cell": f"decoder {cell}" for cell in (1, 2, 3)},
}
_USUAL_BITS = 4  # of the facts of weights, where the scan has them
_LEAST_SCALE = 0.05  # of accuracy: the darkest colour stands for at least this loss
_GAP = 0.08  # between columns beside the heat map


@dataclass(frozen=True)
class _Column:
    """A column of numbers beside the heat map."""

    title: str
    texts: Sequence[str]

    @property
    def width(self) -> float:
        return _GAP + style.text_width(self.title, *self.texts) / scans.ROOM


def drawing(
    table: pd.DataFrame, settings: QuantizationSensitivityFigureJob, budgeted: Sequence[pd.DataFrame] = ()
) -> Drawing:
    """Return the figure of a table of schema `quantization_sensitivity`, with the table.

    `budgeted` holds tables of schema `compression` of variants of the model whose bits a budget distributed.
    """
    with style.applied():
        return Drawing(_draw(table, settings, budgeted), table)


def _draw(table: pd.DataFrame, settings: QuantizationSensitivityFigureJob, budgeted: Sequence[pd.DataFrame]) -> Figure:
    """Draw a row per kernel in the network's order, with many kernels in two blocks."""
    whole, singles = whole_of(table), singles_of(table)
    cells = _cells(singles)
    names = kernel_names(list(singles["tensor"].unique()))
    columns = [*_facts(singles), *_of_budgets(singles, budgeted)]
    page = scans.page_of(len(names), len(cells.columns))
    lines = scans.caption_lines(str(caption(table, settings, budgeted)), page)
    together = together_of(table)
    below = scans.TOP + scans.rows_of_block(len(names)) * scans.ROW
    bottom = below + (len(together.columns) + 1.5) * scans.ROW
    figure = style.figure(page, bottom + scans.height_of(lines))
    title = style.model_name(settings.model, settings.network)
    scans.write_title(figure, f"{title}: {scans.METRICS[whole['metric']][0]} lost (points)")
    scans.draw_key(figure, "0", f"{100 * _scale(singles):.1f}")

    left = style.text_width(*names) / scans.ROOM + scans.PAD
    right = sum(column.width for column in columns)
    for block in scans.blocks_of(len(names), len(cells.columns), left, right):
        scans.heat_map(figure, block, cells)
        edge = block.left + block.width
        style.write(figure, edge, scans.TOP - scans.LABELS - scans.KEY / 2, "bits", ha="right", va="center_baseline")
        for row, name in enumerate(names[block.part]):
            y = scans.middle_of(row)
            style.write(figure, block.left - scans.PAD, y, name, ha="right", va="center_baseline")
        _write_columns(figure, edge, block.part, columns)
    _write_together(figure, below, together)
    scans.write_lines(figure, bottom, lines)
    return figure


def kernel_names(kernels: Sequence[str]) -> list[str]:
    """Return readable names of kernels: of their layers, and of both kernels of a layer that has two."""
    scopes = [kernel.rpartition("/")[0] for kernel in kernels]
    # Rows of many kernels have little room, and nearly all of their layers are convolutions.
    names = [name.replace("/Conv2d_", "/") for name in scans.short_names(scopes, _GNMT)]
    return [
        name if scopes.count(scope) == 1 else f"{name} {kernel.rpartition('/')[2].removesuffix('_weights')}"
        for name, scope, kernel in zip(names, scopes, kernels, strict=True)
    ]


def whole_of(table: pd.DataFrame) -> pd.Series:
    """Return the row of the uncompressed network."""
    return table[table["bits"].isna()].iloc[0]


def singles_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with one kernel quantized."""
    return table[table["tensor"].notna()]


def together_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the loss of all kernels together and the sum of the single losses, with their divergences, by bits."""
    together = table[table["tensor"].isna() & table["bits"].notna()].set_index("bits")
    sums = singles_of(table).groupby("bits")[["change", "divergence"]].sum()
    return pd.DataFrame(
        {
            "all": -together["change"],
            "sum": -sums["change"],
            "ratio": together["divergence"] / sums["divergence"].where(sums["divergence"] > 0),
        }
    )


def _scale(singles: pd.DataFrame) -> float:
    """Return the loss of the darkest colour."""
    return max(_LEAST_SCALE, float(-singles["change"].min()))


def _cells(singles: pd.DataFrame) -> scans.Cells:
    """Return the losses, grey where the interval holds 0."""
    by_kernel = singles.assign(faint=(singles["change_low"] <= 0) & (singles["change_high"] >= 0))
    change, faint = (by_kernel.pivot_table(column, "tensor", "bits", sort=False) for column in ("change", "faint"))
    lost = -change.to_numpy()
    darkness = (lost / _scale(singles)).clip(0, 1)
    return scans.Cells(darkness, 100 * lost, (1, 0), faint.to_numpy() > 0, [f"{bits:.0f}" for bits in change.columns])


def _facts(singles: pd.DataFrame) -> list[_Column]:
    """Return the columns of facts of the weights."""
    at = singles[singles["bits"] == named_bits(singles)]
    return [
        _Column("dB", [f"{value:.0f}" for value in at["signal_to_noise"]]),
        _Column("clip", [f"{100 * value:.1f}" for value in at["clipped"]]),
        _Column("kurt", [f"{value:.1f}" if value < 99.5 else f"{value:.0f}" for value in at["kurtosis"]]),
    ]


def named_bits(singles: pd.DataFrame) -> int:
    """Return the bits for which the facts of the weights stand."""
    scanned = {int(bits) for bits in singles["bits"]}
    return _USUAL_BITS if _USUAL_BITS in scanned else min(scanned)


def _of_budgets(singles: pd.DataFrame, budgeted: Sequence[pd.DataFrame]) -> list[_Column]:
    """Return a column for each variant, with the bits of each kernel. A kernel that stays float has none.

    The first has the title of all, because rows have little room.
    """
    columns: list[_Column] = []
    for table in budgeted:
        given = dict(zip(table["tensor"], table["bits"], strict=True))
        texts = [f"{given.get(kernel, '')}" for kernel in singles["tensor"].unique()]
        columns.append(_Column("" if columns else "given", texts))
    return columns


def _write_columns(figure: Figure, edge: float, part: slice, columns: Sequence[_Column]) -> None:
    """Write the rows `part` of the columns to the right of `edge`."""
    for column in columns:
        edge += column.width
        y = scans.TOP - 0.7 * scans.LABELS
        style.write(figure, edge, y, column.title, ha="right", va="center_baseline", color=palette.MUTED)
        for row, text in enumerate(column.texts[part]):
            style.write(figure, edge, scans.middle_of(row), text, ha="right", va="center_baseline")


def _write_together(figure: Figure, top: float, together: pd.DataFrame) -> None:
    """Write the losses of all kernels together, a column per number of bits."""
    texts = {
        "bits of all": [f"{bits:.0f}" for bits in together.index],
        "lost by all together": [scans.rounded(100 * loss, 1) for loss in together["all"]],
        "sum of the rows": [scans.rounded(100 * loss, 1) for loss in together["sum"]],
        "ratio of divergence": [f"{ratio:.1f}" if ratio < 99.5 else f"{ratio:.0f}" for ratio in together["ratio"]],
    }
    first = scans.MARGIN + style.text_width(*texts) / scans.ROOM
    width = _GAP + style.text_width(*(text for row in texts.values() for text in row)) / scans.ROOM
    for row, (name, numbers) in enumerate(texts.items()):
        y = top + (row + 1) * scans.ROW
        colour = palette.INK if row else palette.MUTED
        style.write(figure, scans.MARGIN, y, name, va="center_baseline", color=colour)
        for column, number in enumerate(numbers, 1):
            style.write(figure, first + column * width, y, number, ha="right", va="center_baseline", color=colour)


def caption(
    table: pd.DataFrame, settings: QuantizationSensitivityFigureJob, budgeted: Sequence[pd.DataFrame] = ()
) -> Caption:
    """Return the caption: the kernel that loses most, the method, the columns, the examples and the intervals."""
    whole, singles = whole_of(table), singles_of(table)
    metric, examples = scans.METRICS[whole["metric"]]
    variants = captions.listing(str(own["variant"].iloc[0]) for own in budgeted)
    widest = ((singles["change_high"] - singles["change_low"]) / 2).max()
    return Caption(
        _finding(singles, metric),
        f"Each cell is the accuracy ({metric}) that {style.model_name(settings.model, settings.network)} loses from"
        f" {100 * whole['value']:.1f} % when one kernel alone has so many bits. Numbers are grey where the interval"
        " holds 0.",
        captions.compose(
            f"There is one grid a {whole['granularity']}, from its minimum to its maximum, without retraining.",
            f"Of the weights, at {named_bits(singles)} bits: signal over rounding errors (dB), weights that a grid of"
            " least error leaves out (clip, %), and kurtosis (kurt, 3 for a normal distribution).",
            f"Given: the bits that a budget gave each kernel of {variants}." if variants else "",
            "Ratio of divergence: of the outputs' mean divergence with all kernels quantized to the sum of the single"
            " ones, 1 where errors add up independently. In the sum of many small losses chance adds up too.",
            "Each token is predicted from the reference's before it." if whole["metric"] == "next_token" else "",
            f"Measured on the calibration set of {settings.data}, n = {whole['n']:,} {examples}.",
            f"{100 * LEVEL:g} % intervals, paired, at most ±{100 * widest:.1f}, are in the table.",
        ),
    )


def _finding(singles: pd.DataFrame, metric: str) -> str:
    """Return how many kernels alone lose clearly at few bits, and which of them loses most."""
    bits = named_bits(singles)
    own = singles[singles["bits"] == bits].reset_index(drop=True)
    clear = own[own["change_high"] < 0]
    if clear.empty:
        return f"The loss of {metric} at {bits} bits is clear for none of {len(own)} kernels alone."
    most = own.loc[clear["change"].idxmin()]
    lost, low, high = (f"{-100 * most[name]:.1f}" for name in ("change", "change_high", "change_low"))
    name = kernel_names(list(own["tensor"]))[own["tensor"].tolist().index(most["tensor"])]
    return (
        f"The loss of {metric} at {bits} bits is clear for {len(clear)} of {len(own)} kernels alone."
        f" It is largest for {name}: {lost} points ({low} to {high})."
    )
