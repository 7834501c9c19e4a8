"""Train a model on its dataset and keep it as a checkpoint under its published variable names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.errors import about
from tocompress.settings.jobs import TrainJob
from tocompress.tasks.examples import read_examples, training_data
from tocompress.tasks.networks import initial_network
from tocompress.training.fit import fit
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
    """Train a model, write the archive `checkpoint` of the checkpoint `{name}.ckpt`, and return the history.

    `examples` and `validation` are files of the dataset's splits. A stopped run goes on from `resume_folder`.
    """
    model, training = inputs.model, inputs.training
    sets = [read_examples(path, model, inputs.data) for path in (examples, validation)]
    network, variables = initial_network(model, training.seed, training)
    batches, held_out = training_data(model, training, *sets)
    history = fit(
        network, training, training.learning_rate, batches, held_out, resume_folder=resume_folder, report=report
    )
    weights = {key: variable.numpy() for key, variable in variables.items()}
    with about(name):
        check_numbers(weights)
    prefix = resume_folder / f"{name}.ckpt"
    tensorflow_checkpoint.write(prefix, weights)
    tensorflow_checkpoint.archive(prefix, checkpoint)
    shutil.rmtree(resume_folder, ignore_errors=True)
    return history.assign(round=0, learning_rate=training.learning_rate)
