"""Figure 41: quantization and pruning, each alone and one after the other."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.comparison import Line
from tocompress.reporting.study import models, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, Variant, methods_of

_PANELS = (comparison.SIZE, comparison.LATENCY, comparison.ENERGY, comparison.Panel("accuracy", ["top1", "bleu"]))


def _lines(study: pd.DataFrame, plot: Plot) -> list[Line]:
    """Return a line of panels, of the models with a chain."""
    own = study["model"].isin(models(study[study["variant"].isin(_combined(study))]))
    shown = own & study["variant"].isin([BASELINE, *_compared(study)])
    return [comparison.line(study[shown], _PANELS, plot)]


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels for the models with a chain, each with its panel's letter."""
    return comparison.table(_lines(study, plot))


def _compared(study: pd.DataFrame) -> list[str]:
    """Return the combinations, and the techniques in them."""
    combined = _combined(study)
    alone = {technique for variant in combined for technique in Variant.parse(variant).techniques}
    return [variant for variant in variants(study) if variant in {*combined, *alone}]


def _combined(study: pd.DataFrame) -> list[str]:
    """Return the variants that are quantized and pruned, and nothing else."""
    return variants(study[[{*methods_of(methods)} == {QUANTIZE, PRUNE} for methods in study["methods"]]])


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw panels beside each other, with a row for each technique and each chain of a model."""
    lines = _lines(study, plot)
    return comparison.draw(study, lines), comparison.table(lines)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    rows = table(study, plot)
    chained = rows[rows["variant"].isin(_combined(study))]
    finding = captions.tally_of(chained, "size", "latency", "accuracy")
    return Caption(
        f"Of the combinations: {finding[0].lower()}{finding[1:]}" if finding else "",
        captions.compose(
            "Each row is quantization or pruning, alone or combined, relative to the uncompressed model.",
            captions.weights_are(rows),
        ),
        captions.compose(
            captions.FILLED,
            "Accuracy is top-1, or BLEU for GNMT. A chain's techniques are applied from left to right. The paper"
            " quantizes first.",
            captions.without("A combination of techniques", _compared(study)),
            captions.TRAINED_ONLY,
            captions.few_bits_sentence(study, rows),
            captions.measurements(study, rows, captions.ARROWS),
        ),
    )
