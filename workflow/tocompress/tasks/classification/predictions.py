"""Run a classifier over its test set."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from scipy.special import softmax

from tocompress.data.pictures import read_pictures
from tocompress.errors import StudyError, about
from tocompress.runtimes.feeds import EXPORT_AGAIN, NOT_FINITE, Run
from tocompress.schemas.study import IMAGE_PREDICTIONS
from tocompress.settings.data import Pictures
from tocompress.settings.jobs import PredictJob
from tocompress.settings.model import ImageModel
from tocompress.tasks.classification.inputs import image_feeds
from tocompress.tasks.prefetch import ahead
from tocompress.tasks.shards import batches_of, drawn_places, shard_of

TOP = 5


#: The table of predictions.
SCHEMA = IMAGE_PREDICTIONS


def predict(
    run: Run, artifact: str | Path, test: str | Path, job: PredictJob, threads: int = 1, shard: str = "1-of-1"
) -> pd.DataFrame:
    """Return the table `image_predictions` of a shard of the test set: the five best classes of each example.

    Raise StudyError for labels that the model has no output for, and for logits that are not finite.
    """
    model = cast(ImageModel, job.model)
    images, labels = read_pictures(test, model, cast(Pictures, job.data))
    chosen = drawn_places(len(images), job.prediction.examples)
    images, labels = images[chosen], labels[chosen]
    if labels.size and labels.max() >= model.classes:
        raise StudyError(f"{artifact}: the test set has label {labels.max()}, the model {model.classes} classes")
    tables = []
    batches = shard_of(batches_of(len(images), job.prediction.batch_size), shard)
    for batch, feeds in ahead(batches, lambda batch: (batch, image_feeds(images[batch], model, threads))):
        logits = run(feeds)
        with about(artifact):
            _check(logits, batch, model.classes)
        tables.append(best_classes(logits, labels[batch], first=batch.start))
        print(f"predicted {batch.stop} of {len(images)} examples", flush=True)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SCHEMA.names)


def _check(logits: np.ndarray, batch: slice, classes: int) -> None:
    expected = (batch.stop - batch.start, classes)
    if logits.shape != expected:
        raise StudyError(f"gives logits {logits.shape}, not {expected}; {EXPORT_AGAIN}")
    if odd := np.flatnonzero(~np.isfinite(logits).all(axis=1)).tolist():
        raise StudyError(f"{NOT_FINITE} for example {batch.start + odd[0]}; {EXPORT_AGAIN}")


def best_classes(logits: np.ndarray, labels: np.ndarray, *, first: int = 0) -> pd.DataFrame:
    """Return the `image_predictions` of logits [N, classes], numbered from `first`. Ties go to the lower class."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    scores = np.take_along_axis(softmax(logits.astype(np.float64), axis=1), best, axis=1)
    number, ranks = best.shape
    return pd.DataFrame(
        {
            "example": np.repeat(np.arange(first, first + number), ranks),
            "label": np.repeat(labels.astype(np.int64), ranks),
            "rank": np.tile(np.arange(1, ranks + 1), number),
            "predicted": best.ravel(),
            "score": scores.ravel(),
        }
    )
