"""Figure 20: the effect of pruning on size, time, accuracy, power and energy."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.study import models
from tocompress.reporting.thresholds import pruned, pruned_models
from tocompress.settings.reporting import Plot

_VARIANT = 0.1  # inches of a model's row per variant


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels for the pruned models, each with its panel's letter."""
    return comparison.table(pruned_models(study), comparison.ALL, plot)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw two lines of three panels, with pruned models as rows and thresholds as colours."""
    values = table(study, plot)
    shown = [model for model in style.shown_models(study) if model.name in models(values)]
    pitch = min(max(0.3, _VARIANT * len(pruned(study))), max(0.26, 3.6 / max(len(shown), 1)))
    return comparison.draw(study, values, comparison.ALL, shown, pitch=pitch, columns=3), values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = table(study, plot)
    return captions.compose(
        "Pruning by threshold, relative to the uncompressed model: file size, inference time, accuracy (top-1 and"
        " top-5, BLEU for GNMT), peak power, energy an inference, and precision, recall and F1 (macro averages).",
        captions.without("Pruning", pruned(study)),
        captions.removed(study, pruned(study)),
        captions.TRAINED_ONLY,
        captions.measurements(study, rows, f"{captions.ARROWS}; those of precision and recall are in the table only"),
    )
