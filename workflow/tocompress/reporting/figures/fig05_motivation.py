"""Figure 5, the paper's motivation: one technique saves storage, the other saves time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.study import made_by, models
from tocompress.reporting.thresholds import mildest
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE, QUANTIZE

_NETWORKS = ("vgg_16", "resnet_v1_50")  # the paper's examples
_BITS = 8  # save the 75 % of the size that the paper names
_PANELS = (
    comparison.SIZE,
    comparison.LATENCY,
    comparison.ENERGY,
    comparison.Panel("top-1 accuracy", {"top1": "o"}, change=True),
)


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels for VGG 16 and ResNet 50, each with its panel's letter."""
    own = study[study["network"].isin(_NETWORKS)]
    return comparison.table(own[own["variant"].isin([BASELINE, *_quantized(own)[:1], mildest(own)])], _PANELS, plot)


def _quantized(study: pd.DataFrame) -> list[str]:
    """Return the variants that are only quantized, to 8 bits."""
    return made_by(study[study["bits"] == _BITS], QUANTIZE)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw four panels beside each other, with models as rows and the two techniques as colours."""
    values = table(study, plot)
    shown = [model for model in style.shown_models(study) if model.name in models(values)]
    return comparison.draw(study, values, _PANELS, shown, pitch=0.34, columns=len(_PANELS)), values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = table(study, plot)
    own = study[study["network"].isin(_NETWORKS)]
    threshold = mildest(own)
    return captions.compose(
        "The paper's motivation: quantization to 8 bits and pruning with the smallest threshold of the study, on VGG 16"
        " and ResNet 50, relative to the uncompressed model.",
        captions.without("Any model of these networks", models(rows)),
        captions.without("Quantization to 8 bits", _quantized(own)),
        captions.without("Pruning", [threshold] if threshold else []),
        captions.removed(own, [threshold] if threshold else []),
        captions.TRAINED_ONLY,
        captions.weights_are(rows),
        captions.measurements(study, rows, captions.ARROWS),
    )
