"""Run a translation model over its test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.runtimes.tensorflow.session import RIGHT, loaded
from tocompress.schemas.study import SENTENCE_PREDICTIONS
from tocompress.settings.data import Sentences
from tocompress.settings.model import TranslationModel
from tocompress.tasks.shards import batches_of, shard_of
from tocompress.tasks.translation.inputs import read_subwords, sentence_feeds

if TYPE_CHECKING:
    pass


def predict_sentences(
    artifact: str | Path,
    sentences: pd.DataFrame,
    model: TranslationModel,
    data: Sentences,
    *,
    batch_size: int,
    threads: int = 1,
    share: str = "1-of-1",
) -> pd.DataFrame:
    """The `sentence_predictions` of the share's part of a table of the schema `sentences`, in batches of its order.

    As in tensorflow/nmt, the longest source of a batch limits the length of all its translations. References are
    tokens, as translations are. Raises StudyError for logits that are not finite, and for ids of no target subword.
    """
    subwords = read_subwords(model, data)
    tables = []
    with loaded(artifact, threads) as run:
        for batch in shard_of(batches_of(len(sentences), batch_size), share):
            part = sentences.iloc[batch]
            ids = run(sentence_feeds(part["source"].tolist(), subwords))
            _check_ids(artifact, ids, batch, len(subwords.target))
            translated = part[["example", "plain_reference"]].assign(
                reference=part["reference"].map(subwords.reference),
                hypothesis=[subwords.translation(row) for row in ids],
            )
            tables.append(translated)
            print(f"predicted {batch.stop} of {len(sentences)} examples", flush=True)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SENTENCE_PREDICTIONS.names)


def _check_ids(artifact: str | Path, ids: np.ndarray, batch: slice, vocabulary: int) -> None:
    """Raise StudyError unless each sentence of the batch has a row of ids of a vocabulary of so many subwords."""
    sentences = batch.stop - batch.start
    if ids.ndim != 2 or len(ids) != sentences or ids.dtype.kind != "i":
        raise StudyError(f"{artifact}: gives {ids.dtype} {ids.shape}, not token ids of {sentences} sentences; {RIGHT}")
    unknown = (ids < 0) | (ids >= vocabulary)
    if odd := np.flatnonzero(unknown.any(axis=1)).tolist():
        raise StudyError(
            f"{artifact}: gives the token {ids[unknown][0]} for example {batch.start + odd[0]}, but there are"
            f" {vocabulary} target subwords; {RIGHT}"
        )
