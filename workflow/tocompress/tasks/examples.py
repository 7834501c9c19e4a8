"""What networks are trained on, read from the files of a dataset's splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tocompress.data.pictures import read_pictures
from tocompress.data.sets import read_sentences
from tocompress.errors import StudyError
from tocompress.settings.data import DataSettings, Pictures
from tocompress.settings.model import ImageModel, ModelSettings
from tocompress.tasks.classification import batches as images
from tocompress.tasks.translation import batches as sentences
from tocompress.tasks.translation.inputs import read_subwords

Examples = images.Examples | sentences.Pairs


def drawn(examples: Any, model: ModelSettings, count: int, seed: int, *, section: str, split: str) -> Any:
    """So many examples, drawn at random, in their order. StudyError where the split has fewer than `section` asks."""
    available = len(examples[1]) if isinstance(model, ImageModel) else len(examples)
    if count > available:
        raise StudyError(f"{section}: examples is {count}, but the {split} set holds {available}")
    rows = np.sort(np.random.default_rng(seed).choice(available, count, replace=False))
    if isinstance(model, ImageModel):
        pictures, labels = examples
        return pictures[rows], labels[rows]
    return [examples[row] for row in rows]


def shuffled_batches(examples: Any, model: ModelSettings, size: int, seed: int) -> images.Batches | sentences.Batches:
    """The examples in batches in a random order, as the model's network takes them."""
    if isinstance(model, ImageModel):
        return images.Batches(examples, model, size, seed, learning=False)
    return sentences.Batches(examples, size, seed)


def read_examples(path: str | Path, model: ModelSettings, data: DataSettings) -> Any:
    """The examples of a split, as a model learns from them: `images.Examples`, or `sentences.Pairs`."""
    if isinstance(model, ImageModel) and isinstance(data, Pictures):
        return read_pictures(path, model, data)
    if isinstance(model, ImageModel) or isinstance(data, Pictures):
        raise StudyError(f"{path}: {model.network} does not learn from data of the kind '{data.kind}'")
    subwords, table = read_subwords(model, data), read_sentences(path)
    return [
        (np.array(subwords.source_ids(source), np.int32), np.array(subwords.target_ids(reference), np.int32))
        for source, reference in zip(table["source"], table["reference"], strict=True)
    ]
