"""Figure 27: the effect of compression on the memory that inference needs."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import select, variants
from tocompress.reporting.thresholds import mildest, pruned
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE

# Inches: the column of fp32 values, the edge. Then the key, the title, the axis.
_VALUES, _MARGIN = 0.5, 0.05
_KEY, _TITLE, _AXIS = 0.22, 0.2, 0.38


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of memory, with only the mildest cut as in the paper. Figure 24 shows larger cuts."""
    hidden = [variant for variant in pruned(study) if variant != mildest(study)]
    return select(study[~study["variant"].isin(hidden)], "memory", arithmetic=plot.arithmetic)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel, with models as rows and variants as colours."""
    values = table(study, plot)
    colours = {variant: style.colours(study)[variant] for variant in variants(values) if variant != BASELINE}
    rows = panels.arrange(style.measured_models(study, values), pitch=max(0.26, 0.08 * len(colours)))

    left = _MARGIN + rows.label_width
    entries = panels.wrap(panels.variant_entries(colours, values), style.SINGLE - 2 * _MARGIN)
    above = _KEY * len(entries) + _TITLE
    figure = style.figure(style.SINGLE, above + rows.height + _AXIS)
    for number, line in enumerate(entries):
        panels.key(figure, _MARGIN, (number + 0.5) * _KEY, line)
    width = style.SINGLE - left - _VALUES - _MARGIN
    axes = panels.panel(figure, rows, left, above, width, "runtime memory", names=True)
    panels.ratio_dots(axes, rows, values, colours, {"memory": "o"})
    panels.baseline_column(axes, rows, values, ["memory"])
    return figure, values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    return captions.compose(
        "Runtime memory of each variant relative to the uncompressed model: the peak of a fresh process while it infers"
        " (from the second inference on), above that of a control process without a model.",
        "Of pruning alone the smallest cut is shown, as in the paper; Figure 24 shows the others."
        if mildest(study)
        else "",
        captions.weights_are(values),
        captions.measurements(study, values, captions.ARROWS),
    )
