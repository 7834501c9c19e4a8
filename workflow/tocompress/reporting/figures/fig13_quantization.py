"""Figure 13: what the number of bits does to size, time, accuracy, power and energy."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import BASELINE, is_quantization, select, variants
from tocompress.settings.reporting import Plot

# Panel: its letter, its title, the metrics it shows and their markers, and whether it shows changes or multiples.
_PANELS: tuple[tuple[str, str, dict[str, str], bool], ...] = (
    ("a", "file size", {"size": "o"}, False),
    ("b", "inference time", {"latency": "o"}, False),
    ("c", "accuracy", {"top1": "o", "bleu": "s", "top5": "^"}, True),
    ("d", "peak power", {"power_peak": "o"}, False),
    ("e", "energy", {"energy": "o"}, False),
    ("f", "precision, recall, F1", {"precision": "<", "f1": "D", "recall": ">"}, True),
)
# Inches: a column of fp32 values, between panels, at the edge; the key, a panel's title, its axis.
_VALUES, _GAP, _MARGIN = 0.47, 0.12, 0.05
_KEY, _TITLE, _AXIS = 0.22, 0.22, 0.38


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """The rows of all panels, each with its panel's letter."""
    shown = study[study["variant"].map(lambda variant: variant == BASELINE or is_quantization(variant))]
    rows = [
        select(shown, *markers, dequantization=plot.dequantization).assign(panel=letter)
        for letter, _, markers, _ in _PANELS
    ]
    return pd.concat(rows, ignore_index=True)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Two rows of three panels; models are rows, bit widths are colours."""
    values = table(study, plot)
    compared = [variant for variant in variants(values) if variant != BASELINE]
    colours = {variant: style.colours(study)[variant] for variant in compared}
    models = style.shown_models(study)
    rows = panels.arrange(models, pitch=min(0.34, max(2.4 / len(models), 0.24, 0.08 * len(compared))))

    left = _MARGIN + rows.label_width
    width = (style.DOUBLE - left - 3 * _VALUES - 2 * _GAP - _MARGIN) / 3
    figure = style.figure(style.DOUBLE, _KEY + 2 * (_TITLE + rows.height + _AXIS))
    panels.key(figure, left, _KEY / 2, panels.variant_entries(colours, values))
    for number, (letter, title, markers, change) in enumerate(_PANELS):
        line, column = divmod(number, 3)
        place = left + column * (width + _VALUES + _GAP), _KEY + _TITLE + line * (_TITLE + rows.height + _AXIS)
        axes = panels.panel(figure, rows, *place, width, f"({letter}) {title}", names=column == 0)
        shown = values[values["panel"] == letter]
        bars = [metric for metric in markers if metric not in ("precision", "recall")]
        panels.ratio_dots(axes, rows, shown, colours, markers, change=change, bars=bars)
        panels.baseline_column(axes, rows, shown, ["f1", *markers], "fp32 F1" if letter == "f" else "fp32")
        if len(markers) > 1:
            found = set(shown.loc[shown["ratio"].notna(), "metric"])
            shapes = [panels.Entry(style.METRIC_NAMES[name], shape) for name, shape in markers.items() if name in found]
            panels.key(figure, place[0] + 0.02, place[1] + rows.headings[0][0], shapes)
    return figure, values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = table(study, plot)
    return captions.compose(
        "Quantization by bit width, relative to the uncompressed model: file size, inference time, accuracy (top-1 and"
        " top-5, BLEU for GNMT), peak power, energy an inference, and precision, recall and F1 (macro averages).",
        "Accuracy is judged on trained models only.",
        captions.weights_are(plot.dequantization),
        captions.measured_on(study),
        captions.intervals(rows, "; those of precision and recall are in the table only"),
        captions.observations(rows),
        captions.unconverged(rows),
        captions.unavailable(rows),
    )
