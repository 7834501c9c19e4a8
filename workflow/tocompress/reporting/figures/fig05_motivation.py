"""Figure 5, the paper's motivation: one technique saves storage, the other saves time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.comparison import Line
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
    comparison.Panel("top-1 accuracy", ["top1"]),
)


def _lines(study: pd.DataFrame, plot: Plot) -> list[Line]:
    """Return a line of panels for VGG 16 and ResNet 50."""
    own = study[study["network"].isin(_NETWORKS)]
    shown = [BASELINE, *_quantized(own)[:1], mildest(own)]
    return [comparison.line(own[own["variant"].isin(shown)], _PANELS, plot)]


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels for VGG 16 and ResNet 50, each with its panel's letter."""
    return comparison.table(_lines(study, plot))


def _quantized(study: pd.DataFrame) -> list[str]:
    """Return the variants that are only quantized, to 8 bits."""
    return made_by(study[study["bits"] == _BITS], QUANTIZE)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw panels beside each other, with a row for each of the two techniques of a model."""
    lines = _lines(study, plot)
    return comparison.draw(study, lines), comparison.table(lines)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    rows = table(study, plot)
    own = study[study["network"].isin(_NETWORKS)]
    quantized, cut = _quantized(own)[:1], mildest(own)
    return Caption(
        captions.compose(*(_tally(rows, variant) for variant in [*quantized, *([cut] if cut else [])])),
        captions.compose("Each row is a technique, relative to the uncompressed model.", captions.weights_are(rows)),
        captions.compose(
            captions.FILLED,
            "The techniques are quantization to 8 bits and the smallest cut of the study, on VGG 16 and ResNet 50.",
            captions.without("Any model of these networks", models(rows)),
            captions.without("Quantization to 8 bits", quantized),
            captions.without("Pruning", [cut] if cut else []),
            captions.removed(own, [cut] if cut else []),
            captions.TRAINED_ONLY,
            captions.measurements(study, rows, captions.ARROWS),
        ),
    )


def _tally(rows: pd.DataFrame, variant: str) -> str:
    found = captions.tally_of(rows[rows["variant"] == variant], "size", "latency", "accuracy")
    return f"With {variant}, {found[0].lower()}{found[1:]}" if found else ""
