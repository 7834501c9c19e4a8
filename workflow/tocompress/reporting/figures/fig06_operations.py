"""Figure 6: the time of an uncompressed model by class of operations."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tocompress.measurement.summary import TOO_SHORT
from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import by_runtime, devices
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE

_SHOWN = 0.01  # the paper shows the operations of at least 1 %
_CELL = 0.2  # inches, height of a row
# A fixed order keeps the columns independent of the class that a study's models use first.
_CLASSES = (
    "convolution", "depthwise convolution", "matrix multiplication", "bias and addition", "activation", "pooling",
    "data movement",
)  # fmt: skip
_COLOURS = LinearSegmentedColormap.from_list("share", ["#f3f7fb", "#56a0d0", "#0b3c6b"])
_WIDEST = 0.34  # inches, a column
_MARGIN, _GAP, _TITLE = 0.05, 0.2, 0.1  # inches: the edge, between two maps, above their columns

EVERY_RUNTIME = True


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return every class's share of the operation time of fp32, in each runtime on its first device."""
    rows = study[(study["metric"] == "operation_share") & (study["variant"] == BASELINE)]
    parts = [own[own["device"].isin(devices(own)[:1])] for own in by_runtime(rows).values()]
    return pd.concat(parts, ignore_index=True)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a heat map for each runtime. It has numbers from 1 %, and a dot for less."""
    values = table(study, plot)
    present = values[values["value"] > 0]
    classes = sorted(present["label"].unique(), key=_class_rank)
    rows = panels.arrange(style.measured_models(study, present), pitch=_CELL)
    maps = by_runtime(values)
    left = _MARGIN + rows.label_width
    full_width = style.SINGLE if len(maps) == 1 else style.DOUBLE
    names = ["\n".join(name.rsplit(" ", 1)) for name in classes]
    above = 0.12 + max((style.text_width(*name.split("\n")) for name in names), default=0) + _TITLE * (len(maps) > 1)
    figure = style.figure(full_width, above + rows.height + _MARGIN)
    what = "% of operation time, fp32" if len(maps) == 1 else "% of operation\ntime, fp32"
    style.write(figure, _MARGIN, 0.1, what, color=style.INK, va="top", fontweight="bold")
    room = (full_width - left - _MARGIN - (len(maps) - 1) * _GAP) / len(maps)
    width = min(room, _WIDEST * max(len(classes), 5))
    for column, (runtime, own) in enumerate(maps.items()):
        axes = panels.panel(figure, rows, left + column * (width + _GAP), above, width, "", names=column == 0)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        if len(maps) > 1:
            place = left + column * (width + _GAP) + width / 2
            style.write(figure, place, 0.1, title(str(runtime)), va="top", ha="center", fontweight="bold")
        _draw_map(axes, rows, own, classes, names)
    return figure, values


def _draw_map(axes: Axes, rows: panels.Rows, own: pd.DataFrame, classes: list[str], names: list[str]) -> None:
    """Draw the shares of one runtime, and why a model or all of them have none."""
    present = own[own["value"] > 0]
    if present.empty:
        panels.explain(axes, panels.why_missing(own))
        return
    axes.set_xlim(0, len(classes))
    for row in present.itertuples():
        column, y = classes.index(row.label), rows.centres[row.model]
        shown = row.value >= _SHOWN
        if shown:
            axes.bar(column + 0.5, 0.94 * _CELL, 0.95, bottom=y - 0.47 * _CELL, color=_COLOURS(row.value))
        axes.text(
            column + 0.5, y, f"{100 * row.value:.0f}" if shown else "·", ha="center", va="center_baseline",
            color="white" if row.value > 0.5 else style.INK,
        )  # fmt: skip
    for model in rows.models:
        if model.name not in set(present["model"]):
            panels.remark(axes, rows.centres[model.name], _remark(own[own["model"] == model.name]))
    for column, name in enumerate(names):
        axes.text(column + 0.5, rows.headings[0][0], name, rotation=90, ha="center", va="bottom", linespacing=1.15)


def _remark(rows: pd.DataFrame) -> str:
    """Return why a model has no shares."""
    return "too short to time" if rows["reason"].eq(TOO_SHORT).any() else "not measured"


def _class_rank(name: str) -> tuple[int, str]:
    return (_CLASSES.index(name) if name in _CLASSES else len(_CLASSES), name)


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    return captions.compose(
        "Share of the operation time of uncompressed models by class of operation, in percent. Classes under 1 % of a"
        " model's time are a dot, classes that it does not have are blank.",
        captions.measured_on(study),
        captions.observations(values),
        "Intervals are in the table only." if values["low"].notna().any() else "",
        captions.unavailable(values),
    )
