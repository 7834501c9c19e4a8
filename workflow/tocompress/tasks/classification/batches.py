"""Put images into batches, for training and for accuracy."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from tocompress.data.pictures import Encoded, Images, family, network_input, read_pictures
from tocompress.settings.data import Pictures
from tocompress.settings.model import ImageModel
from tocompress.settings.training import Optimization
from tocompress.threads import threads

Examples = tuple[Images, np.ndarray]  # N images, and int32 [N]
Batch = tuple[np.ndarray, np.ndarray]  # float32 [B, height, width, channels], int32 [B]


#: The best class is right.
ACCURACY = "top1"


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of images, preprocessed when they are needed, so that memory holds the pictures as bytes only.

    In learning, each epoch has a new random order, and pictures in files are cropped at random.
    """

    def __init__(
        self, examples: Examples, model: ImageModel, batch_size: int, seed: int, *, learning: bool = True
    ) -> None:
        decoding = learning and isinstance(examples[0], Encoded)
        super().__init__(workers=threads() if decoding else 1)
        self._images, self._labels = examples
        self._model, self._batch_size = model, batch_size
        self._seed, self._learning, self._epoch = seed, learning, 0
        self._random = np.random.default_rng(seed)
        self._order = self._random.permutation(len(self._labels))

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        images = self._images[chosen]
        if not (self._learning and isinstance(images, Encoded)):
            return network_input(images, self._model), self._labels[chosen]
        # Any thread may make the batch, in any order.
        random = np.random.default_rng([self._seed, self._epoch, index])
        return augmented_input(images, self._model, random), self._labels[chosen]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        if self._learning:
            self._order = self._random.permutation(len(self._labels))


def augmented_input(pictures: Encoded, model: ImageModel, random: np.random.Generator) -> np.ndarray:
    """Return pictures as the network learns from them, float32 [N, height, width, channels]."""
    return pictures.augmented(model.shape, family(model), random)


def training_data(
    model: ImageModel, settings: Optimization, examples: Examples, validation: Examples
) -> tuple[Batches, Batches | Batch]:
    """Return the data for `fit`: batches of the examples, and the validation set as the network takes it."""
    batches = Batches(examples, model, settings.batch_size, settings.seed)
    images, labels = validation
    if isinstance(images, Encoded):
        return batches, Batches(validation, model, settings.batch_size, settings.seed, learning=False)
    return batches, (network_input(images, model), labels)


def read_examples(path: str | Path, model: ImageModel, data: Pictures) -> Examples:
    """Return the examples of the split at `path`."""
    return read_pictures(path, model, data)


def count(examples: Examples) -> int:
    """Return the number of examples."""
    return len(examples[1])


def choose(examples: Examples, rows: np.ndarray) -> Examples:
    """Return the examples of these rows."""
    images, labels = examples
    return images[rows], labels[rows]


def shuffled_batches(examples: Examples, model: ImageModel, size: int, seed: int) -> Batches:
    """Return the examples in batches in a random order, as the network takes them."""
    return Batches(examples, model, size, seed, learning=False)
