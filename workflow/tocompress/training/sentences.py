"""Train the GNMT on pairs of sentences, under whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from tocompress.data.subwords import END_ID, START_ID, pad
from tocompress.models import registry
from tocompress.settings.model import TranslationModel
from tocompress.settings.training import Training
from tocompress.training.fit import fit

#: Source ids and target ids of each sentence, without <s> and </s>.
Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of sentences of like length, in random order."""

    def __init__(self, pairs: Pairs, batch_size: int, seed: int) -> None:
        super().__init__()
        self._pairs, self._batch_size = pairs, batch_size
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

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        pairs = [self._pairs[row] for row in self._batches[index]]
        source, source_length = pad([source for source, _ in pairs])
        target, _ = pad([[START_ID, *target] for _, target in pairs])
        following, length = pad([[*target, END_ID] for _, target in pairs])
        counts = np.arange(following.shape[1]) < length[:, None]
        # Weighted so that the loss is the mean over real tokens, padding left out.
        weight = (counts * (counts.size / counts.sum())).astype(np.float32)
        return {"source": source, "source_length": source_length, "target": target}, following, weight

    def on_epoch_end(self) -> None:
        self._shuffle()


def train(
    model: TranslationModel,
    training: Training,
    pairs: Pairs,
    validation: Pairs,
    *,
    resume_folder: Path,
    report: Callable[[str], None] = print,
) -> tuple[keras.Model, pd.DataFrame]:
    """The trained network and its history; see `fit`."""
    keras.utils.set_random_seed(training.seed)
    gnmt = registry.module(model.network)
    shapes = gnmt.shapes(model.source_vocabulary, model.target_vocabulary, gnmt.units(model.width))
    network = gnmt.GNMT(shapes, training.dropout, training.guidance, training.seed)
    batches = Batches(pairs, training.batch_size, training.seed)
    held_out = Batches(validation, training.batch_size, training.seed)
    return network, fit(network, training, batches, held_out, resume_folder=resume_folder, report=report)
