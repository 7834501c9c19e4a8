"""Figure 13: the effect of the number of bits on size, time, accuracy, power and energy."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.study import made_by, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE, QUANTIZE


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels, each with its panel's letter."""
    shown = study[study["variant"].isin([BASELINE, *made_by(study, QUANTIZE)])]
    return comparison.table(shown, comparison.ALL, plot)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw two lines of three panels, with models as rows and bit widths as colours."""
    values = table(study, plot)
    compared = [variant for variant in variants(values) if variant != BASELINE]
    models = style.shown_models(study)
    pitch = min(0.34, max(2.4 / len(models), 0.24, 0.08 * len(compared)))
    return comparison.draw(study, values, comparison.ALL, models, pitch=pitch, columns=3), values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = table(study, plot)
    return captions.compose(
        "Quantization by bit width, relative to the uncompressed model: file size, inference time, accuracy (top-1 and"
        " top-5, BLEU for GNMT), peak power, energy an inference, and precision, recall and F1 (macro averages).",
        captions.TRAINED_ONLY,
        captions.few_bits_sentence(study, rows),
        captions.weights_are(plot.arithmetic),
        captions.measurements(study, rows, f"{captions.ARROWS}; those of precision and recall are in the table only"),
    )
