"""Retraining: what pruning left of a network goes on learning, on the grids of its parent if that was quantized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.models.resize import resized
from tocompress.models.variables import named_variables
from tocompress.settings.model import ImageModel, ModelSettings
from tocompress.settings.training import Optimization, Retraining
from tocompress.tasks.classification import batches as images
from tocompress.tasks.examples import Examples, drawn
from tocompress.tasks.translation import batches as sentences
from tocompress.training.fake_quantization import FakeQuantized, Grid
from tocompress.training.fit import Diverged, compile_for, fit
from tocompress.training.reproducible import reproducible

Arrays = dict[str, np.ndarray]  # float32, by variable name


def retrain(
    weights: Arrays,
    model: ModelSettings,
    retraining: Retraining,
    examples: Examples,
    validation: Examples,
    grids: Mapping[str, Grid],
    *,
    resume_folder: Path,
    report: Callable[[str], None] = print,
) -> tuple[Arrays, pd.DataFrame]:
    """Return the weights of the lowest loss on the validation set, in the same order, and the history.

    The candidates are `weights` themselves and the best epoch at each of the learning rates, so retraining cannot do
    harm by that measure. The history has a row of each metric of each: columns learning_rate, epoch, metric and value.

    `weights` are those of `model`'s network, of as many channels as they have. Kernels that `grids` names are read
    from their grids; the weights returned are float, to be put on the same grids. The same call gives the same bits on
    one machine. Raises StudyError where the weights are not the network's.
    """
    with reproducible(retraining.seed):
        network, variables = network_of(model, weights, retraining)
        _keep_statistics(network)
        learner = FakeQuantized(network, variables, grids) if grids else network
        data = partial(_training_data, model, retraining, examples, validation)
        batches, held_out = data()
        compile_for(retraining, learner, len(batches))
        start = [keras.ops.convert_to_numpy(variable).copy() for variable in learner.variables]
        history = [_before(learner, held_out, report)]
        best, lowest = weights, _lowest_loss(history[0])
        for rate in retraining.learning_rates:
            report(f"learning rate {rate:g}")
            keras.utils.set_random_seed(retraining.seed)
            for variable, value in zip(learner.variables, start, strict=True):
                variable.assign(value)
            try:
                epochs = fit(
                    learner,
                    retraining,
                    rate,
                    *data(),
                    resume_folder=resume_folder / f"{rate:g}",
                    report=report,
                    patience=retraining.patience,
                )
            except Diverged as error:
                report(str(error))
                continue
            history.append(epochs.assign(learning_rate=rate))
            if _lowest_loss(epochs) < lowest:
                lowest = _lowest_loss(epochs)
                best = {name: keras.ops.convert_to_numpy(variables[name]).copy() for name in weights}
    return best, pd.concat(history, ignore_index=True)


def _keep_statistics(network: keras.Model) -> None:
    """Let batch norm learn with the statistics and scales it is deployed with.

    With statistics of batches, even a network that lost nothing gets worse in a short training.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _before(learner: keras.Model, validation: Any, report: Callable[[str], None]) -> pd.DataFrame:
    """Return the history of no epoch: the metrics on the validation set, before any step."""
    held_out = validation if isinstance(validation, tuple) else (validation,)
    measured = {
        f"val_{name}": value for name, value in learner.evaluate(*held_out, verbose=0, return_dict=True).items()
    }
    report("epoch 0: " + ", ".join(f"{name} {value:.4f}" for name, value in measured.items()))
    return pd.DataFrame({"learning_rate": 0.0, "epoch": 0, "metric": measured.keys(), "value": measured.values()})


def _lowest_loss(history: pd.DataFrame) -> float:
    losses = history.loc[history["metric"] == "val_loss", "value"]
    return float(losses.fillna(np.inf).min())


def network_of(
    model: ModelSettings, weights: Arrays, settings: Optimization | None = None
) -> tuple[keras.Model, dict[str, keras.Variable]]:
    """The network that has these weights, and its variables by name; `settings` where it is to learn.

    StudyError where the weights are not the network's.
    """
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    if isinstance(model, ImageModel):
        whole = registry.build(model.network, width=model.width, input_size=model.input_size, classes=model.classes)
        network = resized(whole, shapes)
        variables = named_variables(network)
    else:
        gnmt = registry.module(model.network)
        network = gnmt.GNMT(shapes, *([settings.dropout, settings.guidance, settings.seed] if settings else []))
        variables = gnmt.named_variables(network)
    _load(variables, weights)
    return network, variables


def _load(variables: Mapping[str, keras.Variable], weights: Arrays) -> None:
    if odd := variables.keys() ^ weights.keys():
        raise StudyError(f"weights and network do not have the same variables: {', '.join(sorted(odd)[:3])}")
    for name, variable in variables.items():
        if tuple(variable.shape) != weights[name].shape:
            raise StudyError(f"{name}: weights of shape {weights[name].shape} for a network's {tuple(variable.shape)}")
        variable.assign(weights[name])


def _training_data(
    model: ModelSettings, retraining: Retraining, examples: Any, validation: Any
) -> tuple[keras.utils.PyDataset, Any]:
    if retraining.examples is not None:
        examples = drawn(examples, model, retraining.examples, retraining.seed, section="retraining", split="training")
    if isinstance(model, ImageModel):
        return images.training_data(model, retraining, examples, validation)
    return sentences.training_data(retraining, examples, validation)
