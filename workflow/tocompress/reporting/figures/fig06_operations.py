"""Figure 6: the time of an uncompressed model by class of operations."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.figures.values import alone
from tocompress.reporting.study import by_runtime, devices
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE

_SHOWN = 0.01  # the paper shows the operations of at least 1 %
_DARK = 0.5  # from which share print is light
_NONE = "not profiled"
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
    """Draw a heat map for each runtime with values. It has numbers from 1 %, and a dot for less."""
    values = table(study, plot)
    present = values[values["value"] > 0]
    if present.empty:
        return panels.sentence(captions.unavailable(values) or "No operation was timed."), values
    classes = sorted(present["label"].unique(), key=_class_rank)
    rows = panels.arrange(style.measured_models(study, present), pitch=_CELL)
    maps = by_runtime(present)
    left = _MARGIN + rows.label_width
    full_width = style.SINGLE if len(maps) == 1 else style.DOUBLE
    names = ["\n".join(name.rsplit(" ", 1)) for name in classes]
    above = 0.12 + max((style.text_width(*name.split("\n")) for name in names), default=0) + _TITLE * (len(maps) > 1)
    figure = style.figure(full_width, above + rows.height + _MARGIN)
    style.write(figure, _MARGIN, 0.1, "% of operation\ntime, fp32", va="top", fontweight="bold")
    style.write(figure, _MARGIN, 0.4, "\N{MIDDLE DOT} under 1 %", va="top", color=palette.MUTED)
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
    """Draw the shares of one runtime."""
    axes.set_xlim(0, len(classes))
    for row in own.itertuples():
        column, y, share = classes.index(row.label) + 0.5, rows.centres[row.model], row.value
        text = f"{100 * share:.0f}" if share >= _SHOWN else "\N{MIDDLE DOT}"
        colour = palette.ON_DARK if share > _DARK else palette.ON_LIGHT if share >= _SHOWN else palette.INK
        number = axes.text(column, y, text, ha="center", va="center_baseline", color=colour)
        marks: list[Artist] = [number]
        if share >= _SHOWN:
            marks += axes.bar(column, 0.94 * _CELL, 0.95, bottom=y - 0.47 * _CELL, color=_COLOURS(share))
        for mark in marks:
            tell(mark, f"{alone(row)}, {row.label}")
    for model in rows.models:
        if model.name not in set(own["model"]):
            panels.remark(axes, rows.centres[model.name], _NONE)
    for column, name in enumerate(names):
        axes.text(column + 0.5, rows.headings[0][0], name, rotation=90, ha="center", va="bottom", linespacing=1.15)


def _class_rank(name: str) -> tuple[int, str]:
    return (_CLASSES.index(name) if name in _CLASSES else len(_CLASSES), name)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    present = values[values["value"] > 0]
    return Caption(
        _finding(present),
        "Each line is an uncompressed model. The darker a cell, the more of the time its operations take."
        if len(present)
        else "",
        captions.compose(
            "A dot stands for less than 1 % of a model's time. A blank cell is a class that the model does not have.",
            captions.measured_on(study),
            captions.observations(values),
            "One process of a model was profiled." if values["processes"].eq(1).any() else "",
            "The intervals are in the table." if values["low"].notna().any() else "",
            captions.unavailable(values),
        ),
    )


def _finding(present: pd.DataFrame) -> str:
    """Return which class takes the most time in most models of the first runtime, and how much."""
    if present.empty:
        return ""
    runtime, own = next(iter(by_runtime(present).items()))
    most = own.loc[own.groupby("model", sort=False)["value"].idxmax()]
    label, count = most["label"].mode().iloc[0], most["label"].value_counts().max()
    shares = most.loc[most["label"] == label].sort_values("value")
    least, largest = (
        f"{style.quantity(row.value, row.unit)} ({style.model_name(row.model, row.network)})"
        for row in shares.iloc[[0, -1]].itertuples()
    )
    span = f"{least} to {largest}" if count > 1 else largest
    where = f" in {title(str(runtime))}" if runtime else ""
    return f"The largest share of the time{where} is {label} in {count} of {len(most)} models: {span}."
