"""The fixed inputs that a model is timed on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tocompress.data.pictures import read_pictures
from tocompress.data.sets import read_sentences
from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.settings.data import DataSettings, Pictures, Sentences
from tocompress.settings.model import ImageModel, ModelSettings, TranslationModel
from tocompress.tasks.classification.inputs import benchmark_images
from tocompress.tasks.translation.inputs import benchmark_sentences


def benchmark_inputs(
    path: str | Path,
    model: ModelSettings,
    data: DataSettings,
    split: str | Path,
    count: int,
) -> None:
    """Write `count` inputs of the split at `split`, of batch 1, to the .npz `path` as `{input_id}/{placeholder}`.

    Images `i00`, ... are spread over the set, sentences `s00`, ... over its lengths. An untrained translation model
    never ends a sentence by itself: it is forced to the length of the reference, in subwords.
    """
    if isinstance(model, ImageModel) and isinstance(data, Pictures):
        inputs = benchmark_images(read_pictures(split, model, data)[0], model, split, count)
    elif isinstance(model, TranslationModel) and isinstance(data, Sentences):
        inputs = benchmark_sentences(read_sentences(split), model, data, split, count)
    else:
        raise StudyError(f"{split}: {model.network} cannot take inputs from data of kind '{data.kind}'")
    arrays = {f"{name}/{key}": array for name, feeds in inputs.items() for key, array in feeds.items()}
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy takes the names for savez's own options
