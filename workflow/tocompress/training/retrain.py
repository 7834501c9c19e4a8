"""Retraining: what pruning left of a network goes on learning, on the grids of its parent if that was quantized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from tocompress.training import images, sentences
from tocompress.training.examples import Examples, drawn
from tocompress.training.fake_quantization import FakeQuantized, Grid
from tocompress.training.fit import fit
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
    """The weights after retraining, in the same order, and the history; see `fit`.

    `weights` are those of `model`'s network, of as many channels as they have. Kernels that `grids` names are read
    from their grids; what is returned is float, to be put on the same grids. The same call gives the same bits on one
    machine. Raises StudyError where the weights are not the network's.
    """
    with reproducible(retraining.seed):
        network, variables = network_of(model, weights, retraining)
        batches, held_out = _training_data(model, retraining, examples, validation)
        history = fit(
            FakeQuantized(network, variables, grids) if grids else network,
            retraining,
            batches,
            held_out,
            resume_folder=resume_folder,
            report=report,
            patience=retraining.patience,
        )
    return {name: np.asarray(keras.ops.convert_to_numpy(variables[name])) for name in weights}, history


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
