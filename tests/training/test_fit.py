"""A stopped training ends as one that is not, and one that no longer improves ends with its best epoch's weights."""

import keras
import numpy as np
import pytest

from tocompress.settings.training import Training
from tocompress.training.fit import fit

INPUTS = np.random.default_rng(1).normal(size=(32, 3)).astype(np.float32)
LABELS = (INPUTS.sum(1) > 0).astype(np.int32)


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self._random = np.random.default_rng(1)
        self.on_epoch_end()

    def __len__(self):
        return 8

    def __getitem__(self, index):
        rows = self._order[4 * index : 4 * index + 4]
        return INPUTS[rows], LABELS[rows]

    def on_epoch_end(self):
        self._order = self._random.permutation(32)


def _network():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])


def _fit(validation, folder, stops=(), **keywords):
    """The trained network, its history and the epochs done; stopped and called again after the epochs `stops`."""
    done = []

    def report(line):
        done.append(line.partition("/")[0])
        if len(done) in stops:
            raise KeyboardInterrupt

    for _ in stops:
        with pytest.raises(KeyboardInterrupt):
            fit(_network(), validation=validation, batches=Batches(), resume_folder=folder, report=report, **keywords)
    network = _network()
    history = fit(network, validation=validation, batches=Batches(), resume_folder=folder, report=report, **keywords)
    return network, history, done


def test_a_stopped_training_ends_as_one_that_is_not(tmp_path):
    course = {"validation": (INPUTS, LABELS), "settings": Training(epochs=4), "learning_rate": 0.1}
    expected, history, _ = _fit(folder=tmp_path / "whole", **course)
    network, resumed, done = _fit(folder=tmp_path / "stopped", stops=(1, 3), **course)
    assert done == [f"epoch {number}" for number in (1, 2, 3, 4)]
    assert set(history["metric"]) == {"accuracy", "loss", "val_accuracy", "val_loss", "seconds"}
    measured = [table[table["metric"] != "seconds"].reset_index(drop=True) for table in (history, resumed)]
    assert measured[0].equals(measured[1])
    for variable, other in zip(expected.weights, network.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), other.numpy())


@pytest.mark.parametrize("stops", [(), (2, 4)], ids=["at once", "stopped"])
def test_patience_ends_a_training_and_restores_the_best_epoch(stops, tmp_path):
    validation = INPUTS, 1 - LABELS  # what it must not learn: the first epoch is the best
    settings = Training(epochs=50, warmup_epochs=0)
    network, history, done = _fit(validation, tmp_path, stops, settings=settings, learning_rate=0.1, patience=3)
    assert done == [f"epoch {number}" for number in (1, 2, 3, 4)]
    losses = history[history["metric"] == "val_loss"]["value"].to_numpy()
    assert losses.argmin() == 0
    np.testing.assert_allclose(network.evaluate(*validation, verbose=0)[0], losses[0], rtol=1e-5)
