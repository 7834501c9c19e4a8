"""Put pairs of sentences into batches, for training and for accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from tocompress.data.sets import read_sentences
from tocompress.data.subwords import END_ID, START_ID, Ids, pad
from tocompress.settings.data import Sentences
from tocompress.settings.model import TranslationModel
from tocompress.settings.training import Optimization
from tocompress.tasks.translation.inputs import read_subwords

#: Source ids and target ids of each sentence, without <s> and </s>.
Pairs = Sequence[tuple[Ids, Ids]]

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]  # inputs, the tokens that follow, their weights


#: The next token is right, given the reference's tokens before it.
ACCURACY = "next_token"


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of sentences of like length, in a random order, which is new in each epoch if `shuffled`."""

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
        # Keras on TensorFlow looks at two batches before it begins, and takes a length that both have for the length of
        # all. Its own thread fetches batches and may have begun already, so batch 1 is longer in every epoch.
        return self._longer_than_all(batch) if index == 1 else batch

    def _longer_than_all(self, batch: Batch) -> Batch:
        longest = 1 + max(max(len(source), len(target)) for source, target in self._pairs)
        inputs, following, weight = keras.tree.map_structure(
            lambda array: np.pad(array, [(0, 0), (0, longest)]) if array.ndim == 2 else array, batch
        )
        # The loss must stay the mean over real tokens, whose number stays the same.
        return inputs, following, weight * np.float32(weight.shape[1] / batch[2].shape[1])

    def on_epoch_end(self) -> None:
        if self._shuffled:
            self._shuffle()


def _batch(pairs: Pairs) -> Batch:
    source, source_length = pad([source for source, _ in pairs])
    target, _ = pad([[START_ID, *target] for _, target in pairs])
    following, length = pad([[*target, END_ID] for _, target in pairs])
    counts = np.arange(following.shape[1]) < length[:, None]
    # These weights make the loss the mean over real tokens, without padding.
    weight = (counts * (counts.size / counts.sum())).astype(np.float32)
    return {"source": source, "source_length": source_length, "target": target}, following, weight


def training_data(
    model: TranslationModel, settings: Optimization, pairs: Pairs, validation: Pairs
) -> tuple[Batches, Batches]:
    """Return the data for `fit`: batches of the pairs and of the validation set."""
    return (
        Batches(pairs, settings.batch_size, settings.seed),
        Batches(validation, settings.batch_size, settings.seed, shuffled=False),
    )


def read_examples(path: str | Path, model: TranslationModel, data: Sentences) -> Pairs:
    """Return the pairs of the split at `path`."""
    subwords, table = read_subwords(model, data), read_sentences(path)
    return [
        (np.array(subwords.source_ids(source), np.int32), np.array(subwords.target_ids(reference), np.int32))
        for source, reference in zip(table["source"], table["reference"], strict=True)
    ]


def count(pairs: Pairs) -> int:
    """Return the number of pairs."""
    return len(pairs)


def choose(pairs: Pairs, rows: np.ndarray) -> Pairs:
    """Return the pairs of these rows."""
    return [pairs[row] for row in rows]


def shuffled_batches(pairs: Pairs, model: TranslationModel, size: int, seed: int) -> Batches:
    """Return the pairs in batches in a random order, as the network takes them."""
    return Batches(pairs, size, seed)
