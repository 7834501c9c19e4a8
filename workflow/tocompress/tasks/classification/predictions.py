"""Run a classifier over its test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax

from tocompress.data.pictures import Images
from tocompress.errors import StudyError
from tocompress.runtimes.tensorflow.session import NOT_FINITE, RIGHT, loaded
from tocompress.schemas.study import IMAGE_PREDICTIONS
from tocompress.settings.model import ImageModel
from tocompress.tasks.classification.inputs import image_feeds
from tocompress.tasks.prefetch import ahead
from tocompress.tasks.shards import batches_of, shard_of

if TYPE_CHECKING:
    pass

TOP = 5


def predict_images(
    artifact: str | Path,
    images: Images,
    labels: np.ndarray,
    model: ImageModel,
    *,
    batch_size: int,
    threads: int = 1,
    share: str = "1-of-1",
) -> pd.DataFrame:
    """The `image_predictions` of images with labels int [N]: the five best classes of each of the share's examples.

    Raises StudyError for labels the model has no output for, and for logits that are not finite.
    """
    if labels.size and labels.max() >= model.classes:
        raise StudyError(f"{artifact}: the test set has label {labels.max()}, the model {model.classes} classes")
    tables = []
    batches = shard_of(batches_of(len(images), batch_size), share)
    with loaded(artifact, threads) as run:
        for batch, feeds in ahead(batches, lambda batch: (batch, image_feeds(images[batch], model, threads))):
            logits = run(feeds)
            expected = (batch.stop - batch.start, model.classes)
            if logits.shape != expected:
                raise StudyError(f"{artifact}: gives logits {logits.shape}, not {expected}; {RIGHT}")
            if odd := np.flatnonzero(~np.isfinite(logits).all(axis=1)).tolist():
                raise StudyError(f"{artifact}: {NOT_FINITE} for example {batch.start + odd[0]}; {RIGHT}")
            tables.append(best_classes(logits, labels[batch], first=batch.start))
            print(f"predicted {batch.stop} of {len(images)} examples", flush=True)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=IMAGE_PREDICTIONS.names)


def best_classes(logits: np.ndarray, labels: np.ndarray, *, first: int = 0) -> pd.DataFrame:
    """The `image_predictions` of logits [N, classes], examples numbered from `first`; ties go to the lower class."""
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
