"""Build the network of a model of any task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tocompress.errors import StudyError
from tocompress.settings.model import ModelSettings
from tocompress.settings.training import Optimization
from tocompress.tasks.classification import network as classification
from tocompress.tasks.translation import network as translation

Arrays = dict[str, np.ndarray]  # float32, by variable name

_NETWORKS: dict[str, Any] = {"classification": classification, "translation": translation}


def initial_network(
    model: ModelSettings, seed: int, learning: Optimization | None = None
) -> tuple[keras.Model, dict[str, keras.Variable]]:
    """Return the network with the initial weights that `seed` gives, and its variables by name."""
    task = _NETWORKS[model.task]
    network = task.initial(model, seed, learning)
    return network, task.named_variables(network)


def network_of(
    model: ModelSettings, weights: Arrays, learning: Optimization | None = None
) -> tuple[keras.Model, dict[str, keras.Variable]]:
    """Return the network with these weights, and its variables by name. `learning` says how it will be trained.

    Raise StudyError where the weights do not fit the network.
    """
    task = _NETWORKS[model.task]
    network = task.of_shapes(model, {name: tensor.shape for name, tensor in weights.items()}, learning)
    variables = task.named_variables(network)
    _load(variables, weights)
    return network, variables


def _load(variables: Mapping[str, keras.Variable], weights: Arrays) -> None:
    if odd := variables.keys() ^ weights.keys():
        raise StudyError(f"weights and network do not have the same variables: {', '.join(sorted(odd)[:3])}")
    for name, variable in variables.items():
        if tuple(variable.shape) != weights[name].shape:
            raise StudyError(f"{name}: weights of shape {weights[name].shape} for a network's {tuple(variable.shape)}")
        variable.assign(weights[name])
