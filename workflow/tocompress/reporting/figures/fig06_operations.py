"""Figure 6: the time of an uncompressed model by class of operations."""

from __future__ import annotations

import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import devices
from tocompress.settings.reporting import Plot
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
_MARGIN = 0.05  # inches, the edge


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return every class's share of the operation time of fp32 on the first device."""
    rows = study[(study["metric"] == "operation_share") & (study["variant"] == BASELINE)]
    rows = rows[rows["device"].isin(devices(study)[:1])]
    modes = rows["arithmetic"]
    return rows[modes.isna() | (modes == plot.arithmetic)].reset_index(drop=True)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a heat map of models by operation classes: numbers from 1 %, a dot for less, nothing for no share."""
    values = table(study, plot)
    present = values[values["value"] > 0]
    classes = sorted(present["label"].unique(), key=_class_rank)
    rows = panels.arrange(style.measured_models(study, present), pitch=_CELL)
    left = _MARGIN + rows.label_width
    names = ["\n".join(name.rsplit(" ", 1)) for name in classes]
    above = 0.12 + max((style.text_width(*name.split("\n")) for name in names), default=0)
    figure = style.figure(style.SINGLE, above + rows.height + _MARGIN)
    width = min(style.SINGLE - left - _MARGIN, _WIDEST * max(len(classes), 5))
    axes = panels.panel(figure, rows, left, above, width, "", names=True)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    if present.empty:
        panels.explain(axes, panels.why_missing(values))
        return figure, values

    style.write(figure, _MARGIN, 0.1, "% of operation time, fp32", color=style.INK, va="top", fontweight="bold")
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
    for column, name in enumerate(names):
        axes.text(column + 0.5, rows.headings[0][0], name, rotation=90, ha="center", va="bottom", linespacing=1.15)
    return figure, values


def _class_rank(name: str) -> tuple[int, str]:
    return (_CLASSES.index(name) if name in _CLASSES else len(_CLASSES), name)


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    return captions.compose(
        "Share of the operation time of uncompressed models by class of operation, in percent. Classes under 1 % of a"
        " model's time are a dot, classes that it does not have are blank.",
        captions.set_up_for(plot.arithmetic),
        captions.measured_on(study),
        captions.observations(values),
        "Intervals are in the table only." if values["low"].notna().any() else "",
        captions.unavailable(values),
    )
