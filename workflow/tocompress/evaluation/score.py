"""Score the predictions of a variant, whatever they are of."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tocompress.errors import about
from tocompress.schemas.study import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.settings.jobs import ScoreJob
from tocompress.tables import columns, read_table


def score(predictions: str | Path, baseline: str | Path, inputs: ScoreJob) -> pd.DataFrame:
    """The table 'metrics' of the predictions in a file, against those of the uncompressed model in another."""
    how = inputs.scores.model_dump()
    # Each imported where it is needed: importing what the other kind is scored by takes as long as scoring.
    if "hypothesis" in columns(predictions):
        from tocompress.tasks.translation import scores as translation

        translations = [read_table(file, SENTENCE_PREDICTIONS) for file in (predictions, baseline)]
        with about(predictions):
            return translation.scores(*translations, language=inputs.language, **how)
    from tocompress.tasks.classification import scores as classification

    images = [read_table(file, IMAGE_PREDICTIONS) for file in (predictions, baseline)]
    with about(predictions):
        return classification.scores(*images, **how)
