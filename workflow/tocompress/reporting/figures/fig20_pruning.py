"""Figure 20: the effect of pruning on size, time, accuracy, power and energy."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.comparison import Line
from tocompress.reporting.thresholds import pruned, pruned_models
from tocompress.settings.reporting import Plot

_COSTS = (comparison.SIZE, comparison.LATENCY, comparison.POWER, comparison.ENERGY)
_SCORES = (comparison.ACCURACIES, comparison.F1)


def _lines(study: pd.DataFrame, plot: Plot) -> list[Line]:
    """Return a line of costs and a line of scores, of the pruned models."""
    own = pruned_models(study)
    return [comparison.line(own, chosen, plot) for chosen in (_COSTS, _SCORES)]


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels for the pruned models, each with its panel's letter."""
    return comparison.table(_lines(study, plot))


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw lines of panels, with a row for each threshold of a pruned model."""
    lines = _lines(study, plot)
    return comparison.draw(study, lines), comparison.table(lines)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    rows = table(study, plot)
    return Caption(
        captions.tally_of(rows, "size", "latency", "accuracy"),
        "Each row is a threshold of pruning, relative to the uncompressed model.",
        captions.compose(
            captions.FILLED,
            "Accuracy is top-1, or BLEU for GNMT, and F1 is a macro average. Top-5, precision and recall are in the"
            " table only.",
            captions.without("Pruning", pruned(study)),
            captions.removed(study, pruned(study)),
            captions.TRAINED_ONLY,
            captions.measurements(study, rows, captions.ARROWS),
        ),
    )
