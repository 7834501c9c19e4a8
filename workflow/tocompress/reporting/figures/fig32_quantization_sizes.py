"""Figure 32: whether a model's size predicts the effect of quantization."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import bubbles, captions
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


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    return captions.compose(
        "What quantization does to models of different size: inference time against runtime memory (above) and against"
        " accuracy (below: top-1, BLEU for GNMT; trained models only). The area of a bubble is in proportion to the"
        f" model's parameters, to a scale of its own in each row; the smallest are drawn {bubbles.SMALLEST:g} pt wide.",
        captions.few_bits_sentence(study, values),
        captions.weights_are(values),
        captions.measured_on(study),
        captions.intervals(values, "; cut off where they leave a panel"),
        captions.observations(values),
        captions.unavailable(values),
    )
