"""Figure 36: whether a model's size predicts the effect of pruning."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import bubbles, captions
from tocompress.reporting.study import models
from tocompress.reporting.thresholds import sweep
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows behind the bubbles of pruned models."""
    thresholds = sweep(study)
    own = study["model"].isin(models(study[study["variant"].isin(thresholds)]))
    return bubbles.table(study[own & study["variant"].isin([BASELINE, *thresholds])], plot)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per threshold."""
    values = table(study, plot)
    shown = [model for model in style.shown_models(study) if model.name in models(values)]
    return bubbles.draw(study, values, shown), values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    return captions.compose(
        "What pruning does to models of different size: inference time against runtime memory (above) and against"
        " accuracy (below: top-1, BLEU for GNMT; trained models only). The area of a bubble is in proportion to the"
        " parameters of the uncompressed model, to a scale of its own in each row; the smallest are drawn"
        f" {bubbles.SMALLEST:g} pt wide.",
        captions.without("Pruning", sweep(study)),
        captions.removed(study, sweep(study)),
        captions.measured_on(study),
        captions.intervals(values, "; cut off where they leave a panel"),
        captions.observations(values),
        captions.unavailable(values),
    )
