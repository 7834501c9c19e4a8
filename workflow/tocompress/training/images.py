"""Train a convolutional network, under whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from tocompress.data.preprocessing import preprocess
from tocompress.models.registry import NETWORKS, build
from tocompress.settings.model import ImageModel
from tocompress.settings.training import Optimization, Training
from tocompress.training.fit import fit

Examples = tuple[np.ndarray, np.ndarray]  # uint8 [N, H, W, 3], int32 [N]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled batches, preprocessed as they are needed so that memory holds the pictures as bytes only."""

    def __init__(self, examples: Examples, model: ImageModel, batch_size: int, seed: int) -> None:
        super().__init__()
        self._images, self._labels = examples
        self._model, self._batch_size = model, batch_size
        self._random = np.random.default_rng(seed)
        self._order = self._random.permutation(len(self._labels))

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> Examples:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return network_input(self._images[chosen], self._model), self._labels[chosen]

    def on_epoch_end(self) -> None:
        self._order = self._random.permutation(len(self._labels))


def network_input(images: np.ndarray, model: ImageModel) -> np.ndarray:
    """float32 [N, input_size, input_size, 3] as the network takes it."""
    preprocessing = NETWORKS[model.network].preprocessing
    assert preprocessing is not None
    return preprocess(images, model.input_size, preprocessing)


def training_data(
    model: ImageModel, settings: Optimization, examples: Examples, validation: Examples
) -> tuple[Batches, Examples]:
    """What `fit` takes: batches of the examples, and the validation set as the network takes it."""
    held_out = network_input(validation[0], model), validation[1]
    return Batches(examples, model, settings.batch_size, settings.seed), held_out


def train(
    model: ImageModel,
    training: Training,
    examples: Examples,
    validation: Examples,
    *,
    resume_folder: Path,
    report: Callable[[str], None] = print,
) -> tuple[keras.Model, pd.DataFrame]:
    """The network trained from its initial weights, and its history; see `fit`."""
    keras.utils.set_random_seed(training.seed)
    network = build(model.network, width=model.width, input_size=model.input_size, classes=model.classes)
    data = training_data(model, training, examples, validation)
    return network, fit(network, training, *data, resume_folder=resume_folder, report=report)
