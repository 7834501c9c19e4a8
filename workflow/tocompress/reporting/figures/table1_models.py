"""Table I: the models, as the paper lists them and as they are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tocompress.models.registry import find
from tocompress.reporting import palette, style
from tocompress.reporting.figures import captions
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.study import select
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE

_LINE = 0.165  # inches
_MARGIN = 0.05
_HEAD = 2.4  # lines
_PARAMETERS = "parameters (M)"
_NONE = "\N{EN DASH}"
_MEASURED = ("parameters", "macs", "size", "top1", "top5", "bleu")


@dataclass(frozen=True)
class _Column:
    """A column: its head, the text of a cell, and the head that it shares with other columns."""

    head: str
    cell: Callable[[pd.Series[Any]], str]
    over: str = ""


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return one row per model. It holds facts of paper and checkpoint, and the values of fp32 here."""
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
        self.figure.add_artist(Line2D(ends, [y, y], color=palette.INK, linewidth=width))


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
        page.write(line, 0, str(group), fontweight="bold", color=palette.MUTED)
        for _, model in members.iterrows():
            line += 1
            for number, column in enumerate(columns):
                page.write(line, number, column.cell(model))
    page.rule(line + 0.5)


def _columns(models: pd.DataFrame) -> list[_Column]:
    """Return the columns with a cell in any line. Models of one's own have none in print."""

    def known(name: str, column: _Column) -> list[_Column]:
        return [column] if models[name].notna().any() else []

    return [
        _Column("model", lambda row: row["label"]),
        _Column("type", lambda row: row["type"]),
        *known("depth", _Column("depth", _number("depth", decimals=0))),
        _Column("top-1 (%), BLEU", _judged),
        *known("top5", _Column("top-5 (%)", lambda row: _with_interval(row, "top5", 100))),
        *known("parameters_paper", _Column("paper", _number("parameters_paper", 1e-6), _PARAMETERS)),
        *known("parameters_published", _Column("published", _number("parameters_published", 1e-6), _PARAMETERS)),
        _Column("here", _number("parameters", 1e-6), _PARAMETERS),
        _Column("size (MB)", _number("size", 1e-6)),
        _Column("MACs (M)", _number("macs", 1e-6, decimals=1)),
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


def _number(name: str, scale: float = 1, decimals: int = 2) -> Callable[[pd.Series[Any]], str]:
    """Return the cell of a number. All cells of a column have the same decimals, so that they align."""
    return lambda row: _NONE if pd.isna(row[name]) else f"{scale * row[name]:,.{decimals}f}"


def _judged(row: pd.Series[Any]) -> str:
    """Return the accuracy of a model's task."""
    return _with_interval(row, "top1", 100) if pd.isna(row["bleu"]) else _with_interval(row, "bleu", 1)


def _with_interval(row: pd.Series[Any], name: str, scale: float) -> str:
    if pd.isna(row[name]):
        return _NONE
    value, low, high = (f"{scale * row[column]:.1f}" for column in (name, f"{name}_low", f"{name}_high"))
    return value if pd.isna(row[f"{name}_low"]) else f"{value} ({low} to {high})"


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    rows = select(study[study["variant"] == BASELINE], *_MEASURED, arithmetic=plot.arithmetic)
    accuracy = rows[rows["metric"].isin(["top1", "top5", "bleu"])]
    data = captions.listing(accuracy["dataset"].dropna().unique())
    return Caption(
        _finding(study, rows),
        "Each line is an uncompressed model. A dash stands for a value that does not apply or is not known.",
        captions.compose(
            "Parameters: as the paper prints them, those of the published checkpoint, and those of the weights here."
            " The last two are counted alike: batch norm statistics are included, and auxiliary heads are not.",
            f"Accuracy is on {data}. The paper's accuracies are on other data unless this is its data too."
            if data
            else "",
            captions.artifacts_of(study),
            "In brackets: 95 % intervals." if accuracy["low"].notna().any() else "",
            captions.observations(rows),
            captions.unavailable(rows),
        ),
    )


def _finding(study: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return how far the file sizes of the models span."""
    labels = {model.name: model.label for model in style.shown_models(study)}
    sizes = rows[rows["metric"].eq("size") & rows["value"].notna()].sort_values("value")
    texts = [f"{style.quantity(row.value, row.unit)} ({labels[row.model]})" for row in sizes.itertuples()]
    if len(texts) < 2:
        return "".join(f"The file of the uncompressed model takes {text}." for text in texts)
    return f"The files of {len(texts)} uncompressed models take {texts[0]} to {texts[-1]}."
