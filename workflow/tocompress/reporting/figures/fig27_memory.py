"""Figure 27: what compression does to the memory that inference needs."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import BASELINE, select, variants
from tocompress.settings.reporting import Plot

# Inches: the column of fp32 values, the edge; the key, the title, the axis.
_VALUES, _MARGIN = 0.5, 0.05
_KEY, _TITLE, _AXIS = 0.22, 0.2, 0.38


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """One panel; models are rows, variants are colours."""
    values = select(study, "memory", dequantization=plot.dequantization)
    compared = [variant for variant in variants(study) if variant != BASELINE]
    colours = {variant: style.colours(study)[variant] for variant in compared}
    rows = panels.arrange(style.measured_models(study, values), pitch=max(0.26, 0.08 * len(compared)))

    left = _MARGIN + rows.label_width
    figure = style.figure(style.SINGLE, _KEY + _TITLE + rows.height + _AXIS)
    panels.key(figure, _MARGIN, _KEY / 2, panels.variant_entries(colours, values))
    width = style.SINGLE - left - _VALUES - _MARGIN
    axes = panels.panel(figure, rows, left, _KEY + _TITLE, width, "runtime memory", names=True)
    panels.ratio_dots(axes, rows, values, colours, {"memory": "o"})
    panels.baseline_column(axes, rows, values, ["memory"])
    return figure, values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = select(study, "memory", dequantization=plot.dequantization)
    return captions.compose(
        "Runtime memory of each variant relative to the uncompressed model: the peak of a fresh process while it infers"
        " (from the second inference on), above that of a control process without a model.",
        captions.weights_are(plot.dequantization),
        captions.measured_on(study),
        captions.intervals(values),
        captions.observations(values),
        captions.unconverged(values),
        captions.unavailable(values),
    )
