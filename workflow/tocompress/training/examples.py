"""What networks are trained on, read from the files of a dataset's splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocompress.artifacts.feeds import read_subwords
from tocompress.data.sets import read_images, read_sentences
from tocompress.errors import StudyError
from tocompress.settings.data import DataSettings, Glyphs
from tocompress.settings.model import ImageModel, ModelSettings


def read_examples(path: str | Path, model: ModelSettings, data: DataSettings) -> Any:
    """The examples of a split, as a model learns from them: `images.Examples`, or `sentences.Pairs`."""
    if isinstance(model, ImageModel):
        return read_images(path)
    if isinstance(data, Glyphs):
        raise StudyError(f"{path}: images, but {model.network} learns from sentences")
    subwords, table = read_subwords(model, data), read_sentences(path)
    return [
        (subwords.source_ids(source), subwords.target_ids(reference))
        for source, reference in zip(table["source"], table["reference"], strict=True)
    ]
