"""Retrain a pruned network, on the grids of its parent if the parent was quantized."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.settings.model import ModelSettings
from tocompress.settings.training import Retraining
from tocompress.tasks.examples import Examples, drawn, training_data
from tocompress.tasks.networks import Arrays, network_of
from tocompress.training.fake_quantization import FakeQuantized, Grid
from tocompress.training.fit import Diverged, compile_for, fit
from tocompress.training.reproducible import reproducible
from tocompress.training.teacher import Taught


def retrain(
    weights: Arrays,
    model: ModelSettings,
    retraining: Retraining,
    examples: Examples,
    validation: Examples,
    grids: Mapping[str, Grid],
    *,
    resume_folder: Path,
    teacher: Arrays | None = None,
    report: Callable[[str], None] = print,
) -> tuple[Arrays, pd.DataFrame]:
    """Return the weights of the lowest loss on the validation set, and the history of all candidates.

    The candidates are `weights` and the best epoch at each learning rate. So retraining does no harm by this measure.
    The history has the columns learning_rate, epoch, metric and value. Kernels that `grids` names are read from their
    grids, and returned as floats to be put on them. `teacher` holds the uncompressed model's weights. The settings may
    give it a share of the loss, and all losses of the history have this share. The same call gives the same bits on one
    machine. Raise StudyError where the weights are not the network's.
    """
    with reproducible(retraining.seed):
        learner, variables = _learner(model, weights, grids, retraining)
        objective: type[keras.losses.Loss] = keras.losses.SparseCategoricalCrossentropy
        if retraining.teacher:
            learner = Taught(learner, _teacher(model, teacher), retraining.teacher)
            objective = keras.losses.CategoricalCrossentropy
        data = partial(_training_data, model, retraining, examples, validation)
        batches, held_out = data()
        compile_for(retraining, learner, len(batches), objective)
        start = [keras.ops.convert_to_numpy(variable).copy() for variable in learner.variables]
        history = [_before(learner, held_out, report)]
        best, lowest = weights, _lowest_loss(history[0])
        for rate in retraining.learning_rates:
            report(f"learning rate {rate:g}")
            _begin_again(learner, start, retraining.seed)
            course: Any = {"resume_folder": resume_folder / f"{rate:g}", "patience": retraining.patience}
            try:
                epochs = fit(learner, retraining, rate, *data(), report=report, **course)
            except Diverged as error:
                report(str(error))
                continue
            history.append(epochs.assign(learning_rate=rate))
            if (loss := _lowest_loss(epochs)) < lowest:
                lowest = loss
                best = {name: keras.ops.convert_to_numpy(variables[name]).copy() for name in weights}
    return best, pd.concat(history, ignore_index=True)


def _learner(
    model: ModelSettings, weights: Arrays, grids: Mapping[str, Grid], retraining: Retraining
) -> tuple[keras.Model, dict[str, keras.Variable]]:
    """Return the network as it learns, and its variables by name."""
    network, variables = network_of(model, weights, retraining)
    _keep_statistics(network)
    return (FakeQuantized(network, variables, grids) if grids else network), variables


def _teacher(model: ModelSettings, weights: Arrays | None) -> keras.Model:
    if weights is None:
        raise StudyError(f"{model.network}: a teacher in retraining needs the uncompressed model's weights")
    network, _ = network_of(model, weights)
    return network


def _begin_again(learner: keras.Model, start: Sequence[np.ndarray], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    for variable, value in zip(learner.variables, start, strict=True):
        variable.assign(value)


def _keep_statistics(network: keras.Model) -> None:
    """Freeze batch norm, so that the network learns with the deployed statistics and scales.

    With statistics of batches, even a network that lost nothing gets worse in a short training.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _before(learner: keras.Model, validation: Any, report: Callable[[str], None]) -> pd.DataFrame:
    """Return the history of epoch 0: the metrics on the validation set before any step."""
    held_out = validation if isinstance(validation, tuple) else (validation,)
    measured = {
        f"val_{name}": value for name, value in learner.evaluate(*held_out, verbose=0, return_dict=True).items()
    }
    report("epoch 0: " + ", ".join(f"{name} {value:.4f}" for name, value in measured.items()))
    return pd.DataFrame({"learning_rate": 0.0, "epoch": 0, "metric": measured.keys(), "value": measured.values()})


def _lowest_loss(history: pd.DataFrame) -> float:
    losses = history.loc[history["metric"] == "val_loss", "value"]
    return float(losses.fillna(np.inf).min())


def _training_data(
    model: ModelSettings, retraining: Retraining, examples: Any, validation: Any
) -> tuple[keras.utils.PyDataset, Any]:
    if retraining.examples is not None:
        examples = drawn(examples, model, retraining.examples, retraining.seed, section="retraining", split="training")
    return training_data(model, retraining, examples, validation)
