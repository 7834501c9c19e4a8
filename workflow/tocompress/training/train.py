"""Train a model on its dataset and keep it as a checkpoint under its published variable names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.errors import about
from tocompress.models import registry
from tocompress.settings.jobs import TrainJob
from tocompress.settings.model import ImageModel
from tocompress.tasks.examples import read_examples
from tocompress.weights import check_numbers


def train(
    name: str,
    inputs: TrainJob,
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
    model = inputs.model
    sets = (read_examples(path, model, inputs.data) for path in (examples, validation))
    course: dict[str, Any] = {"resume_folder": resume_folder, "report": report}
    if isinstance(model, ImageModel):
        from tocompress.models.variables import named_variables
        from tocompress.tasks.classification import batches as images

        network, history = images.train(model, inputs.training, *sets, **course)
        variables = named_variables(network)
    else:
        from tocompress.tasks.translation import batches as sentences

        network, history = sentences.train(model, inputs.training, *sets, **course)
        variables = registry.module(model.network).named_variables(network)
    weights = {key: variable.numpy() for key, variable in variables.items()}
    with about(name):
        check_numbers(weights)
    prefix = resume_folder / f"{name}.ckpt"
    tensorflow_checkpoint.write(prefix, weights)
    tensorflow_checkpoint.archive(prefix, checkpoint)
    shutil.rmtree(resume_folder, ignore_errors=True)
    return history.assign(round=0, learning_rate=inputs.training.learning_rate)
