"""Run a translation model over its test set."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from tocompress.data.sets import read_sentences
from tocompress.errors import StudyError, about
from tocompress.runtimes.feeds import EXPORT_AGAIN, Run
from tocompress.schemas.study import SENTENCE_PREDICTIONS
from tocompress.settings.data import Sentences
from tocompress.settings.jobs import PredictJob
from tocompress.settings.model import TranslationModel
from tocompress.tasks.shards import batches_of, drawn_places, shard_of
from tocompress.tasks.translation.inputs import read_subwords, sentence_feeds

#: The table of predictions.
SCHEMA = SENTENCE_PREDICTIONS


def predict(
    run: Run, artifact: str | Path, test: str | Path, job: PredictJob, threads: int = 1, shard: str = "1-of-1"
) -> pd.DataFrame:
    """Return the table `sentence_predictions` of a shard of the test set, in the order of the set.

    The longest source of a batch limits the length of all its translations, as in tensorflow/nmt. References are
    tokens, as translations are. Raise StudyError for logits that are not finite, and for ids of no target subword.
    """
    sentences = read_sentences(test)
    sentences = sentences.iloc[drawn_places(len(sentences), job.prediction.examples)]
    subwords = read_subwords(cast(TranslationModel, job.model), cast(Sentences, job.data))
    tables = []
    for batch in shard_of(batches_of(len(sentences), job.prediction.sentences), shard):
        part = sentences.iloc[batch]
        ids = run(sentence_feeds(part["source"].tolist(), subwords))
        with about(artifact):
            _check(ids, batch, len(subwords.target))
        translated = part[["example", "plain_reference"]].assign(
            reference=part["reference"].map(subwords.reference),
            hypothesis=[subwords.translation(row) for row in ids],
        )
        tables.append(translated)
        print(f"predicted {batch.stop} of {len(sentences)} examples", flush=True)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SCHEMA.names)


def _check(ids: np.ndarray, batch: slice, vocabulary: int) -> None:
    """Raise StudyError unless each sentence of the batch has a row of ids below `vocabulary`."""
    sentences = batch.stop - batch.start
    if ids.ndim != 2 or len(ids) != sentences or ids.dtype.kind != "i":
        raise StudyError(f"gives {ids.dtype} {ids.shape}, not token ids of {sentences} sentences; {EXPORT_AGAIN}")
    unknown = (ids < 0) | (ids >= vocabulary)
    if odd := np.flatnonzero(unknown.any(axis=1)).tolist():
        raise StudyError(
            f"gives the token {ids[unknown][0]} for example {batch.start + odd[0]}, but there are"
            f" {vocabulary} target subwords; {EXPORT_AGAIN}"
        )
