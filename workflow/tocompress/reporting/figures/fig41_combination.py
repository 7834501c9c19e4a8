"""Figure 41: quantization and pruning, each alone and one after the other."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.study import models, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, Variant, methods_of

_VARIANT = 0.1  # inches of a model's row per variant
_PANELS = (
    comparison.SIZE,
    comparison.LATENCY,
    comparison.ENERGY,
    comparison.Panel("accuracy", {"top1": "o", "bleu": "s"}, change=True),
)


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels for the models with a chain, each with its panel's letter."""
    own = study["model"].isin(models(study[study["variant"].isin(_combined(study))]))
    shown = own & study["variant"].isin([BASELINE, *_compared(study)])
    return comparison.table(study[shown], _PANELS, plot)


def _compared(study: pd.DataFrame) -> list[str]:
    """Return the combinations, and the techniques in them."""
    combined = _combined(study)
    alone = {technique for variant in combined for technique in Variant.parse(variant).techniques}
    return [variant for variant in variants(study) if variant in {*combined, *alone}]


def _combined(study: pd.DataFrame) -> list[str]:
    """Return the variants that are quantized and pruned, and nothing else."""
    return variants(study[[{*methods_of(methods)} == {QUANTIZE, PRUNE} for methods in study["methods"]]])


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw four panels beside each other, with models as rows and techniques and their chains as colours."""
    values = table(study, plot)
    shown = [model for model in style.shown_models(study) if model.name in models(values)]
    pitch = max(0.34, _VARIANT * len(_compared(study)))
    return comparison.draw(study, values, _PANELS, shown, pitch=pitch, columns=len(_PANELS)), values


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = table(study, plot)
    return captions.compose(
        "Quantization and pruning, each alone and combined, relative to the uncompressed model: file size, inference"
        " time, energy an inference and accuracy (top-1, BLEU for GNMT). A chain's techniques are applied from left to"
        " right; the paper quantizes first.",
        captions.without("A combination of techniques", _compared(study)),
        captions.TRAINED_ONLY,
        captions.few_bits_sentence(study, rows),
        captions.weights_are(rows),
        captions.measurements(study, rows, captions.ARROWS),
    )
