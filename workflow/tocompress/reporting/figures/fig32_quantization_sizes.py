"""Figure 32: whether a model's size predicts the effect of quantization."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import bubbles, captions
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.study import made_by
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE, QUANTIZE


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows behind the bubbles."""
    shown = study["variant"].isin([BASELINE, *made_by(study, QUANTIZE)])
    return bubbles.table(study[shown], plot)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per bit width."""
    values = table(study, plot)
    return bubbles.draw(study, values, style.shown_models(study)), values


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    shown = bubbles.bubbles_of(values, style.shown_models(study))
    return Caption(
        bubbles.finding(values, style.shown_models(study)),
        bubbles.READING if shown else "",
        captions.compose(
            bubbles.DETAILS if shown else "",
            captions.few_bits_sentence(study, values),
            captions.weights_are(values),
            captions.measurements(study, values, "; cut off where they leave a panel"),
        ),
    )
