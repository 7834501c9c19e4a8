"""A model's uncompressed weights: read from its checkpoint, or drawn at random."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.checkpoints.download import fetch, unpack
from tocompress.models import registry
from tocompress.settings.model import Checkpoint, ImageModel, TranslationModel
from tocompress.weights import ModelMetadata, Weights, write_weights

if TYPE_CHECKING:
    import keras


def acquire(name: str, model: ImageModel | TranslationModel, path: Path) -> None:
    """Write the weights of the model called `name` to `path`."""
    weights = initial(model) if model.checkpoint is None else imported(model, model.checkpoint)
    write_weights(path, weights, metadata(name, model))


def initial(model: ImageModel | TranslationModel) -> Weights:
    """The random weights that `model.seed` gives."""
    import keras

    keras.utils.set_random_seed(model.seed)
    return values(variables(model))


def imported(model: ImageModel | TranslationModel, checkpoint: Checkpoint) -> Weights:
    """The weights of a TensorFlow checkpoint, by exact name; its other variables are ignored."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        expected = {name: tuple(variable.shape) for name, variable in variables(model).items()}
    with tempfile.TemporaryDirectory() as folder:
        archive, unpacked = Path(folder, Path(checkpoint.url).name), Path(folder, "unpacked")
        fetch(checkpoint.url, archive, sha256=checkpoint.sha256, mirrors=checkpoint.mirrors)
        unpack(archive, unpacked)
        return values(tensorflow_checkpoint.read(tensorflow_checkpoint.find(unpacked, checkpoint.file), expected))


def variables(model: ImageModel | TranslationModel) -> dict[str, keras.Variable]:
    """The variables of a newly built network in its training form, by their names in the checkpoint."""
    if isinstance(model, ImageModel):
        from tocompress.models.variables import named_variables

        return named_variables(
            registry.build(model.network, width=model.width, input_size=model.input_size, classes=model.classes)
        )
    gnmt = registry.module(model.network)
    shapes = gnmt.shapes(model.source_vocabulary, model.target_vocabulary, gnmt.units(model.width))
    named: dict[str, keras.Variable] = gnmt.named_variables(gnmt.GNMT(shapes, seed=model.seed))
    return named


def values(named: dict[str, Any]) -> Weights:
    """Variables as float32 arrays."""
    return {name: np.asarray(variable, np.float32) for name, variable in named.items()}


def metadata(name: str, model: ImageModel | TranslationModel) -> ModelMetadata:
    """What the weights file of the uncompressed model says that it is of."""
    sizes = ("input_size", "classes", "source_vocabulary", "target_vocabulary")
    return ModelMetadata(
        model=name,
        network=model.network,
        variant="fp32",
        trained=model.trained,
        width=model.width,
        **{size: getattr(model, size) for size in sizes if hasattr(model, size)},
    )
