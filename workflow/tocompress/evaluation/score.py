"""Score the predictions of a variant, whatever they are of."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tocompress.schemas.evaluation import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.settings.evaluation import Scores
from tocompress.tables import columns, read_table


def score(predictions: str | Path, baseline: str | Path, settings: Scores) -> pd.DataFrame:
    """The table 'metrics' of the predictions in a file, against those of the uncompressed model in another."""
    # Each imported where it is needed: importing what the other kind is scored by takes as long as scoring.
    if "hypothesis" in columns(predictions):
        from tocompress.evaluation.translation import scores

        schema = SENTENCE_PREDICTIONS
    else:
        from tocompress.evaluation.classification import scores

        schema = IMAGE_PREDICTIONS
    return scores(
        read_table(predictions, schema),
        read_table(baseline, schema),
        level=settings.level,
        resamples=settings.resamples,
        seed=settings.seed,
    )
