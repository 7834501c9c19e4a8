"""The parts that figures of scans share: a heat map with a row per layer, its key, and a caption.

Such a figure is drawn on request, from a scan's own table. No report quotes its caption, so the figure prints it.
Lengths are in inches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tocompress.reporting import palette, style

#: The names in print of a scan's metrics, and of the examples behind them.
METRICS = {"top1": ("top-1", "images"), "next_token": ("next tokens right", "tokens")}

TITLE, KEY, LABELS, ROW, MARGIN, PAD, LINE = 0.2, 0.2, 0.17, 0.135, 0.05, 0.04, 0.135
#: The heat map's upper edge.
TOP = TITLE + KEY + LABELS
#: A long text's share of its place, because letters at few dots per inch take more than they measure.
ROOM = 0.97

_COLOURS = LinearSegmentedColormap.from_list("lost", ["#fff8ee", "#eda247", "#b5480f", "#4e1330"])
_WHITE_FROM = 0.6  # of the scale, because black print is hard to read on darker colours
_MOST = 44  # rows in one block
_FEW = 9  # columns on a narrow page
_GAP, _WIDEST = 0.15, 0.3  # between blocks, and of a cell


@dataclass(frozen=True)
class Block:
    """The rows `part` of a heat map that lie one below another, and where the map is."""

    part: slice
    left: float
    width: float


@dataclass(frozen=True)
class Cells:
    """The contents of a heat map, all [rows, columns], and the names of its columns.

    `darkness` is 0 to 1. `numbers` are printed with the first of the `decimals` that fits, in grey if `faint`.
    """

    darkness: NDArray[np.float64]
    numbers: NDArray[np.float64]
    decimals: Sequence[int]
    faint: NDArray[np.bool_]
    columns: Sequence[str]

    def texts(self, width: float) -> list[list[str]] | None:
        """Return the numbers in print for cells of this width, or None where they do not fit."""
        for decimals in self.decimals:
            texts = [[rounded(number, decimals) for number in row] for row in self.numbers]
            if width >= style.text_width(*(text for row in texts for text in row)) + PAD:
                return texts
        return None


def rounded(number: float, decimals: int) -> str:
    """Return a number with so many decimals, and zero without a sign."""
    text = f"{number:.{decimals}f}"
    return text if float(text) else text.removeprefix("-")


def page_of(rows: int, columns: int) -> float:
    """Return the width of a heat map's page. Many rows stand in two blocks."""
    return style.SINGLE if rows <= _MOST and columns <= _FEW else style.DOUBLE


def rows_of_block(rows: int) -> int:
    """Return the rows of the longest block."""
    return rows if rows <= _MOST else math.ceil(rows / 2)


def blocks_of(rows: int, columns: int, left: float, right: float = 0) -> list[Block]:
    """Return the blocks of a heat map. Names stand left of each, columns right of it."""
    longest, page = rows_of_block(rows), page_of(rows, columns)
    count = math.ceil(rows / longest)
    own = (page - 2 * MARGIN - (count - 1) * _GAP) / count
    width = min(own - left - right, _WIDEST * columns)
    return [
        Block(slice(block * longest, (block + 1) * longest), MARGIN + block * (own + _GAP) + left, width)
        for block in range(count)
    ]


def middle_of(row: int) -> float:
    """Return the place of a row's middle below the figure's upper edge."""
    return TOP + (row + 0.5) * ROW


def heat_map(figure: Figure, block: Block, cells: Cells) -> None:
    """Draw the rows of a block: coloured cells, and the numbers in them where there is room."""
    darkness, faint = cells.darkness[block.part], cells.faint[block.part]
    rows, columns = darkness.shape
    axes = style.axes(figure, block.left, TOP, block.width, rows * ROW)
    axes.pcolormesh(darkness, cmap=_COLOURS, vmin=0, vmax=1, edgecolors="white", linewidth=0.6)
    axes.set_ylim(rows, 0)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    cell = block.width / columns
    every = 1 if cell >= style.text_width(*cells.columns) + PAD else 2
    axes.xaxis.tick_top()
    axes.set_xticks([column + 0.5 for column in range(columns)][::every], list(cells.columns)[::every])
    axes.tick_params(top=False)
    texts = cells.texts(cell)
    if texts is None:
        return
    for (row, column), dark in np.ndenumerate(darkness):
        light = palette.FAINT_ON_LIGHT if faint[row, column] else palette.ON_LIGHT
        colour = palette.ON_DARK if dark > _WHITE_FROM else light
        text = texts[block.part][row][column]
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", color=colour)


def write_title(figure: Figure, title: str) -> None:
    style.write(figure, MARGIN, TITLE / 2, title, va="center", fontweight="bold", fontsize=style.NORMAL)


def draw_key(figure: Figure, lightest: str, darkest: str) -> None:
    """Draw the scale of colours between the texts of its ends."""
    y = TITLE + KEY / 2
    style.write(figure, MARGIN, y, lightest, va="center_baseline")
    left = MARGIN + style.text_width(lightest) + 0.05
    bar = style.axes(figure, left, y - 0.045, 0.9, 0.09)
    bar.imshow([[step / 63 for step in range(64)]], aspect="auto", cmap=_COLOURS, vmin=0, vmax=1)
    bar.set_axis_off()
    style.write(figure, left + 0.95, y, darkest, va="center_baseline")


def caption_lines(text: str, page: float) -> list[str]:
    """Return the lines of a caption on a page of this width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if style.text_width(longer) <= ROOM * (page - 2 * MARGIN):
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def write_lines(figure: Figure, top: float, lines: Sequence[str]) -> None:
    """Write the lines of a caption below `top`."""
    for number, line in enumerate(lines):
        y = top + (1.3 + number) * LINE
        style.write(figure, MARGIN, y, line, va="center_baseline", color=palette.MUTED)


def height_of(lines: Sequence[str]) -> float:
    """Return the height of a caption and its margins."""
    return LINE * (0.8 + len(lines)) + MARGIN


def short_names(scopes: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Return readable names of layers: the `known` ones, or TF-Slim's scopes without the parts that all share."""
    split = [scope.split("/") for scope in scopes]

    def tells(depth: int) -> bool:
        return len({parts[depth] for parts in split if len(parts) > depth + 1}) > 1

    return [
        known.get(scope) or "/".join([*(part for depth, part in enumerate(parts[:-1]) if tells(depth)), parts[-1]])
        for scope, parts in zip(scopes, split, strict=True)
    ]
