"""Score the predictions of a variant of any task."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tocompress.data.classes import names_by_label
from tocompress.errors import about
from tocompress.schemas.study import IMAGE_PREDICTIONS, PICTURES, SENTENCE_PREDICTIONS
from tocompress.settings.jobs import ScoreJob
from tocompress.tables import read_table


def score(
    predictions: str | Path, baseline: str | Path, job: ScoreJob, pictures: str | Path | None = None
) -> pd.DataFrame:
    """Return the table `metrics` of the predictions in a file. The file `baseline` is of the uncompressed model.

    The table `pictures` of the test set names its classes.
    """
    how = job.scores.model_dump()
    # The libraries of the other task take as long to import as scoring takes, so each task imports its own.
    if job.task == "translation":
        from tocompress.tasks.translation import scores as translation

        translations = [read_table(file, SENTENCE_PREDICTIONS) for file in (predictions, baseline)]
        with about(predictions):
            return translation.scores(*translations, language=job.language, **how)
    from tocompress.tasks.classification import scores as classification

    images = [read_table(file, IMAGE_PREDICTIONS) for file in (predictions, baseline)]
    names = [] if pictures is None else names_by_label(read_table(pictures, PICTURES))
    with about(predictions):
        return classification.scores(*images, **how, names=names)
