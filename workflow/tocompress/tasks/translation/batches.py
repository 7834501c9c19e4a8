"""Train the GNMT on pairs of sentences, under whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from tocompress.data.subwords import END_ID, START_ID, Ids, pad
from tocompress.models import registry
from tocompress.settings.model import TranslationModel
from tocompress.settings.training import Optimization, Training
from tocompress.training.fit import fit

#: Source ids and target ids of each sentence, without <s> and </s>.
Pairs = Sequence[tuple[Ids, Ids]]


Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]  # inputs, the tokens that follow, their weights


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of sentences of like length, in a new random order each epoch, or always the same one."""

    def __init__(self, pairs: Pairs, batch_size: int, seed: int, *, shuffled: bool = True) -> None:
        super().__init__()
        self._pairs, self._batch_size, self._shuffled = pairs, batch_size, shuffled
        self._random = np.random.default_rng(seed)
        self._shuffle()

    def _shuffle(self) -> None:
        tie = self._random.random(len(self._pairs))
        lengths = [(len(target), len(source)) for source, target in self._pairs]
        order = sorted(range(len(self._pairs)), key=lambda index: (*lengths[index], tie[index]))
        batches = [order[start : start + self._batch_size] for start in range(0, len(order), self._batch_size)]
        self._batches = [batches[index] for index in self._random.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        batch = _batch([self._pairs[row] for row in self._batches[index]])
        # Keras on TensorFlow looks at two batches before it begins, and takes a length they agree in for everyone's.
        # Not only then: it fetches batches in a thread of its own, and whether it has begun would be left to chance.
        return self._longer_than_all(batch) if index == 1 else batch

    def _longer_than_all(self, batch: Batch) -> Batch:
        longest = 1 + max(max(len(source), len(target)) for source, target in self._pairs)
        inputs, following, weight = keras.tree.map_structure(
            lambda array: np.pad(array, [(0, 0), (0, longest)]) if array.ndim == 2 else array, batch
        )
        # The loss stays the mean over real tokens, of which there are as many.
        return inputs, following, weight * np.float32(weight.shape[1] / batch[2].shape[1])

    def on_epoch_end(self) -> None:
        if self._shuffled:
            self._shuffle()


def _batch(pairs: Pairs) -> Batch:
    source, source_length = pad([source for source, _ in pairs])
    target, _ = pad([[START_ID, *target] for _, target in pairs])
    following, length = pad([[*target, END_ID] for _, target in pairs])
    counts = np.arange(following.shape[1]) < length[:, None]
    # Weighted so that the loss is the mean over real tokens, padding left out.
    weight = (counts * (counts.size / counts.sum())).astype(np.float32)
    return {"source": source, "source_length": source_length, "target": target}, following, weight


def training_data(settings: Optimization, pairs: Pairs, validation: Pairs) -> tuple[Batches, Batches]:
    """What `fit` takes: batches of the pairs, and of the validation set."""
    return (
        Batches(pairs, settings.batch_size, settings.seed),
        Batches(validation, settings.batch_size, settings.seed, shuffled=False),
    )


def train(
    model: TranslationModel,
    training: Training,
    pairs: Pairs,
    validation: Pairs,
    *,
    resume_folder: Path,
    report: Callable[[str], None] = print,
) -> tuple[keras.Model, pd.DataFrame]:
    """The network trained from its initial weights, and its history; see `fit`."""
    keras.utils.set_random_seed(training.seed)
    gnmt = registry.module(model.network)
    shapes = gnmt.shapes(model.source_vocabulary, model.target_vocabulary, gnmt.units(model.width))
    network = gnmt.GNMT(shapes, training.dropout, training.guidance, training.seed)
    data = training_data(training, pairs, validation)
    return network, fit(network, training, training.learning_rate, *data, resume_folder=resume_folder, report=report)
