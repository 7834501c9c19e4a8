"""Run an artifact over a whole test set, batch by batch, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tocompress.data.pictures import read_pictures
from tocompress.data.sets import read_sentences
from tocompress.errors import StudyError
from tocompress.schemas.study import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.settings.data import Pictures, Sentences
from tocompress.settings.jobs import PredictJob
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.tables import write_table
from tocompress.tasks.classification.predictions import predict_images
from tocompress.tasks.translation.predictions import predict_sentences

if TYPE_CHECKING:
    pass


def predict(
    predictions: str | Path,
    artifact: str | Path,
    test: str | Path,
    settings: PredictJob,
    threads: int,
    share: str = "1-of-1",
) -> None:
    """Run the artifact over a share of the test set in the file `test` and write the table of its predictions."""
    model, data = settings.model, settings.data
    if isinstance(model, ImageModel) and isinstance(data, Pictures):
        images, labels = read_pictures(test, model, data)
        size = settings.prediction.batch_size
        table = predict_images(artifact, images, labels, model, batch_size=size, threads=threads, share=share)
        write_table(predictions, IMAGE_PREDICTIONS, table)
    elif isinstance(model, TranslationModel) and isinstance(data, Sentences):
        sentences, size = read_sentences(test), settings.prediction.sentences
        table = predict_sentences(artifact, sentences, model, data, batch_size=size, threads=threads, share=share)
        write_table(predictions, SENTENCE_PREDICTIONS, table)
    else:
        raise StudyError(f"{test}: {model.network} translates sentences, this data is of kind '{data.kind}'")
