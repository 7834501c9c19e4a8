"""Figure 36: whether a model's size predicts the effect of pruning."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import bubbles, captions, panels
from tocompress.reporting.figures.captions import Caption
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
    if values.empty:
        return panels.sentence(captions.without("Pruning", sweep(study))), values
    return bubbles.draw(study, values, _shown(study, values)), values


def _shown(study: pd.DataFrame, values: pd.DataFrame) -> list[style.ShownModel]:
    return [model for model in style.shown_models(study) if model.name in models(values)]


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    shown = bubbles.bubbles_of(values, _shown(study, values))
    return Caption(
        bubbles.finding(values, _shown(study, values)),
        bubbles.READING if shown else "",
        captions.compose(
            bubbles.DETAILS if shown else "",
            captions.without("Pruning", sweep(study)),
            captions.removed(study, sweep(study)),
            captions.measurements(study, values, "; cut off where they leave a panel"),
        ),
    )
