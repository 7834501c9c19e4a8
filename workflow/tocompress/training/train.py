"""Train a model on its dataset and keep it as a checkpoint under its published variable names."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pandas as pd

from tocompress.artifacts.feeds import read_subwords
from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.data.sets import read_images, read_sentences
from tocompress.models import registry
from tocompress.settings.data import NumberPhrases
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.settings.training import TrainingInputs


class Course(TypedDict):
    """How a training goes on, and tells of it."""

    resume_folder: Path
    report: Callable[[str], None]


def train(
    name: str,
    inputs: TrainingInputs,
    *,
    examples: str | Path,
    validation: str | Path,
    checkpoint: Path,
    resume_folder: Path,
    report: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Train, write the archive `checkpoint` of the checkpoint `{name}.ckpt`, and return the history.

    `examples` and `validation` are files of the dataset's splits. A stopped run goes on from `resume_folder`.
    """
    model, data = inputs.model, inputs.data
    course: Course = {"resume_folder": resume_folder, "report": report}
    if isinstance(model, ImageModel):
        from tocompress.models.variables import named_variables
        from tocompress.training import images

        network, history = images.train(
            model, inputs.training, read_images(examples), read_images(validation), **course
        )
        variables = named_variables(network)
    else:
        from tocompress.training import sentences

        assert isinstance(data, NumberPhrases)
        network, history = sentences.train(
            model, inputs.training, _pairs(examples, model, data), _pairs(validation, model, data), **course
        )
        variables = registry.module(model.network).named_variables(network)
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, f"{name}.ckpt")
        tensorflow_checkpoint.write(prefix, {key: variable.numpy() for key, variable in variables.items()})
        tensorflow_checkpoint.archive(prefix, checkpoint)
    shutil.rmtree(resume_folder, ignore_errors=True)
    return history


def _pairs(path: str | Path, model: TranslationModel, data: NumberPhrases) -> list[tuple[list[int], list[int]]]:
    """Source and target ids of a split."""
    subwords, table = read_subwords(model, data), read_sentences(path)
    return [
        (subwords.source_ids(source), subwords.target_ids(reference))
        for source, reference in zip(table["source"], table["reference"], strict=True)
    ]
