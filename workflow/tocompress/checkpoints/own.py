"""Import a model that a user brings as a file. Its weights are stored with a graph that every stage can follow."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tocompress.models.keras_alone import keras

# isort: split
from tocompress.checkpoints.architecture import short
from tocompress.checkpoints.keras_file import read
from tocompress.errors import StudyError, about
from tocompress.models.flat import flat, kernels_of_batch_norms, takes_pixels
from tocompress.models.registry import KERAS
from tocompress.models.variables import named_variables
from tocompress.vocabulary.variants import BASELINE
from tocompress.weights import ModelMetadata, Weights, check_numbers, write_weights

#: Outputs may differ by so much of their standard deviation between the file and the flat graph.
_TOLERANCE = 1e-4
_LEAST_DEVIATION = 1e-3  # of the largest output
_SMALLEST = float(np.finfo(np.float32).tiny)
_PROBES = 2  # images


def import_model(name: str, file: str | Path, path: str | Path) -> None:
    """Write the weights of the model in `file` to `path`, with its flat graph in their header.

    Raise StudyError for a file that is no image classifier, and where the flat graph gives other probabilities.
    """
    loaded = read(Path(file))
    with about(file):
        try:
            model, activations = flat(loaded.model)
        except (AttributeError, TypeError, ValueError) as error:  # of Keras, for a call that it cannot repeat
            raise StudyError(f"its graph cannot be made flat ({short(error)}); please report its layers") from error
        _check_same(loaded.model, model, activations)
        variables = named_variables(model)
        weights: Weights = {key: keras.ops.convert_to_numpy(value) for key, value in variables.items()}
        check_numbers(weights)
    for note in (*loaded.notes, *_notes(model)):
        print(f"{file}: {note}", file=sys.stderr)
    write_weights(path, weights, metadata_of(name, model))


def metadata_of(name: str, model: keras.Model) -> ModelMetadata:
    """Return the metadata of the model called `name`, from its flat graph."""
    _, height, width, channels = model.input_shape
    return ModelMetadata(
        model=name,
        network=KERAS,
        variant=BASELINE,
        trained=True,
        width=1.0,
        shape=(height, width, channels),
        classes=model.output_shape[-1],
        graph=model.to_json(),
        takes_pixels=takes_pixels(model),
    )


def _check_same(model: keras.Model, flat: keras.Model, activations: Iterable[str]) -> None:
    """Raise StudyError where the flat graph, with the activations that it lacks, gives other outputs than the file."""
    high = 255.0 if takes_pixels(flat) else 1.0
    images = np.random.default_rng(1).uniform(0, high, (_PROBES, *flat.input_shape[1:])).astype(np.float32)
    expected, outputs = (network.predict(images, verbose=0) for network in (model, flat))
    for activation in activations:
        outputs = keras.ops.convert_to_numpy(getattr(keras.activations, activation)(outputs))
    # All outputs may be equal, for example of a head that begins with zeros.
    deviation = max(float(expected.std()), _LEAST_DEVIATION * float(np.abs(expected).max()), _SMALLEST)
    difference = float(np.abs(outputs.astype(np.float64) - expected).max()) / deviation
    if not difference <= _TOLERANCE:
        raise StudyError(
            f"the flat graph gives other outputs than the file ({difference:.1e} of their deviation); please report the"
            " model's layers"
        )


def _notes(model: keras.Model) -> list[str]:
    """Return sentences about the flat graph for people."""
    stays = [
        name.removesuffix(".BatchNorm") for name, kernel in kernels_of_batch_norms(model).items() if kernel is None
    ]
    return [f"no kernel can take in the batch norms {', '.join(stays)}; they stay"] if stays else []
