"""Build the network of a classifier."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from tocompress.models import registry
from tocompress.models.resize import resized
from tocompress.models.variables import named_variables
from tocompress.settings.model import FileModel, ImageModel, KerasModel
from tocompress.settings.training import Optimization

__all__ = ["initial", "named_variables", "of_shapes"]

Classifier = ImageModel | KerasModel


def initial(model: Classifier, seed: int, learning: Optimization | None = None) -> keras.Model:
    """Return the network with the initial weights that `seed` gives. `learning` does not change a CNN."""
    keras.utils.set_random_seed(seed)
    return _whole(model)


def of_shapes(
    model: Classifier, shapes: Mapping[str, tuple[int, ...]], learning: Optimization | None = None
) -> keras.Model:
    """Return the network with variables of these shapes, as pruning leaves them."""
    return resized(_whole(model), shapes)


def _whole(model: Classifier) -> keras.Model:
    if isinstance(model, ImageModel):
        return registry.build(model.network, width=model.width, input_size=model.input_size, classes=model.classes)
    assert isinstance(model, FileModel)  # a job has read the facts of the file
    return registry.module(model.network).rebuilt(model.graph)
