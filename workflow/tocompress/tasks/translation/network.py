"""Build the network of a translation model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from tocompress.models import registry
from tocompress.settings.model import TranslationModel
from tocompress.settings.training import Optimization


def initial(model: TranslationModel, seed: int, learning: Optimization | None = None) -> keras.Model:
    """Return the network with the initial weights that `seed` gives."""
    keras.utils.set_random_seed(seed)
    gnmt = registry.module(model.network)
    shapes = gnmt.shapes(model.source_vocabulary, model.target_vocabulary, gnmt.units(model.width))
    return gnmt.GNMT(shapes, seed=seed, **_regularization(learning))


def of_shapes(
    model: TranslationModel, shapes: Mapping[str, tuple[int, ...]], learning: Optimization | None = None
) -> keras.Model:
    """Return the network with variables of these shapes, as pruning leaves them."""
    seed = {"seed": learning.seed} if learning else {}
    return registry.module(model.network).GNMT(shapes, **seed, **_regularization(learning))


def named_variables(network: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables by their names in tensorflow/nmt's checkpoints."""
    return dict(network.named)


def _regularization(learning: Optimization | None) -> dict[str, Any]:
    return {"dropout": learning.dropout, "guidance": learning.guidance} if learning else {}
