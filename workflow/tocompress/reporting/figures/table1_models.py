"""Table I: the models, as the paper lists them and as they are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tocompress.models.registry import find
from tocompress.reporting import style
from tocompress.reporting.figures import captions
from tocompress.reporting.study import select
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE

_LINE = 0.165  # inches
_MARGIN = 0.05
_HEAD = 2.4  # lines
_MEASURED = ("parameters", "macs", "size", "top1", "top5", "bleu")


@dataclass(frozen=True)
class _Column:
    """A column: its head, the text of a cell, and the head that it shares with other columns."""

    head: str
    cell: Callable[[pd.Series[Any]], str]
    over: str = ""


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return one row per model: facts of paper and checkpoint (percent), and the values of fp32 here with intervals."""
    here = select(study[study["variant"] == BASELINE], *_MEASURED, arithmetic=plot.arithmetic)
    rows = []
    for model in style.shown_models(study):
        network = find(model.network)
        row: dict[str, Any] = {
            "model": model.name,
            "network": model.network,
            "build": model.build,
            "group": model.group,
            "label": model.label,
            "type": network.kind.upper(),
            "depth": network.depth,
            "top1_paper": network.top1_paper,
            "top5_paper": network.top5_paper,
            "bleu_paper": network.bleu_paper,
            "parameters_paper": network.parameters_paper,
            "parameters_published": network.parameters,
        }
        own = here[here["model"] == model.name].set_index("metric")
        for metric in _MEASURED:
            for column, name in (("value", metric), ("low", f"{metric}_low"), ("high", f"{metric}_high")):
                if column == "value" or metric in ("top1", "top5", "bleu"):
                    row[name] = own.loc[metric, column] if metric in own.index else None
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Page:
    """A figure of lines and columns, and the right edge of each column in inches."""

    figure: Figure
    rights: Sequence[float]

    def write(self, line: float, column: int, text: str, **more: Any) -> None:
        """Write a cell: names from the left, numbers to the right edge."""
        left, side = (_MARGIN, "left") if column == 0 else (self.rights[column], "right")
        style.write(self.figure, left, _MARGIN + line * _LINE, text, ha=side, va="center_baseline", **more)

    def rule(
        self, line: float, start: float = _MARGIN, end: float = style.DOUBLE - _MARGIN, width: float = 0.8
    ) -> None:
        """Draw a rule below `line` lines, from `start` to `end` in inches."""
        full_width, full_height = self.figure.get_size_inches()
        y = 1 - (_MARGIN + line * _LINE) / full_height
        ends = [start / full_width, end / full_width]
        self.figure.add_artist(Line2D(ends, [y, y], color=style.INK, linewidth=width))


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw the table between rules, and return it with its rows."""
    models = table(study, plot)
    columns = _columns(models)
    lines = len(models) + models["group"].nunique()
    figure = style.figure(style.DOUBLE, 2 * _MARGIN + (lines + _HEAD) * _LINE)
    page = _Page(figure, _rights(models, columns))
    _write_head(page, models, columns)
    _write_models(page, models, columns)
    return figure, models.drop(columns=["group", "label"])


def _write_head(page: _Page, models: pd.DataFrame, columns: Sequence[_Column]) -> None:
    """Write the heads of columns between two rules, below the heads that columns share."""
    page.rule(0)
    for number, column in enumerate(columns):
        page.write(1.75, number, column.head, fontweight="bold")
    for over in dict.fromkeys(column.over for column in columns if column.over):
        members = [number for number, column in enumerate(columns) if column.over == over]
        start = page.rights[members[0]] - _width(models, columns[members[0]])
        end = page.rights[members[-1]]
        middle, y = (start + end) / 2, _MARGIN + 0.65 * _LINE
        style.write(page.figure, middle, y, over, ha="center", va="center_baseline", fontweight="bold")
        page.rule(1.2, start, end, 0.4)
    page.rule(_HEAD)


def _write_models(page: _Page, models: pd.DataFrame, columns: Sequence[_Column]) -> None:
    """Write one line per model, group by group, each group below its name."""
    line = _HEAD - 0.5
    for group, members in models.groupby("group", sort=False):
        line += 1
        page.rule(line - 0.5, width=0.3)
        page.write(line, 0, str(group), fontweight="bold", color=style.MUTED)
        for _, model in members.iterrows():
            line += 1
            for number, column in enumerate(columns):
                page.write(line, number, column.cell(model))
    page.rule(line + 0.5)


def _columns(models: pd.DataFrame) -> list[_Column]:
    """Return the columns with a cell in any line. Models of one's own have none in print."""

    def known(name: str, *columns: _Column) -> tuple[_Column, ...]:
        return columns if models[name].notna().any() else ()

    return [
        _Column("model", lambda row: row["label"]),
        _Column("type", lambda row: row["type"]),
        *known("depth", _Column("depth", lambda row: "" if pd.isna(row["depth"]) else f"{row['depth']:.0f}")),
        *known("top1_paper", _Column("top-1", _plain("top1_paper"), "paper (%)")),
        *known("top5_paper", _Column("top-5", _plain("top5_paper"), "paper (%)")),
        *known("top1", _Column("top-1", _with_interval("top1"), "here (%)")),
        *known("top5", _Column("top-5", _with_interval("top5"), "here (%)")),
        *known("bleu_paper", _Column("paper", _plain("bleu_paper"), "BLEU")),
        *known("bleu", _Column("here", _with_interval("bleu", 1), "BLEU")),
        *known("parameters_paper", _Column("paper", _count("parameters_paper"), "parameters")),
        *known("parameters_published", _Column("published", _count("parameters_published"), "parameters")),
        _Column("here", _count("parameters"), "parameters"),
        _Column("size", lambda row: _quantity(row["size"], "byte")),
        _Column("MACs", lambda row: _quantity(row["macs"], "1")),
    ]


def _rights(models: pd.DataFrame, columns: Sequence[_Column]) -> list[float]:
    """Return the right edge of each column in inches. The columns share the space that the widest cells leave."""
    widths = [_width(models, column) for column in columns]
    gap = (style.DOUBLE - 2 * _MARGIN - sum(widths)) / (len(columns) - 1)
    rights, right = [], _MARGIN - gap
    for width in widths:
        right += gap + width
        rights.append(right)
    return rights


def _width(models: pd.DataFrame, column: _Column) -> float:
    cells = [column.cell(model) for _, model in models.iterrows()]
    groups = models["group"].tolist() if column.head == "model" else []
    return max(style.text_width(*cells), style.text_width(column.head, *groups, weight="bold"))


def _plain(name: str) -> Callable[[pd.Series[Any]], str]:
    return lambda row: "" if pd.isna(row[name]) else f"{row[name]:.4g}"


def _with_interval(name: str, scale: float = 100) -> Callable[[pd.Series[Any]], str]:
    def cell(row: pd.Series[Any]) -> str:
        if pd.isna(row[name]):
            return ""
        half = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
        return f"{scale * row[name]:.1f}" + ("" if pd.isna(half) else f" ±{scale * half:.1f}")

    return cell


def _count(name: str) -> Callable[[pd.Series[Any]], str]:
    return lambda row: _quantity(row[name], "1")


def _quantity(value: float, unit: str) -> str:
    return "" if pd.isna(value) else style.quantity(value, unit)


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = select(study[study["variant"] == BASELINE], *_MEASURED, arithmetic=plot.arithmetic)
    accuracy = rows[rows["metric"].isin(["top1", "top5", "bleu"])]
    data = captions.listing(accuracy["dataset"].dropna().unique())
    return captions.compose(
        "The models: what the paper's Table I says, and the uncompressed models here.",
        "Parameters: as the paper prints them, exactly those of the published checkpoint (batch norm statistics"
        " included, auxiliary heads excluded), and those of the weights here, counted alike.",
        f"Accuracy here is on {data}, so it cannot be compared with the paper's unless that is its data too."
        if data
        else "",
        captions.artifacts_of(study),
        "±: half the width of the 95 % interval." if accuracy["low"].notna().any() else "",
        captions.observations(rows),
        captions.unavailable(rows),
    )
