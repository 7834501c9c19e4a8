"""What a CNN learns from: pictures as they are, photographs cropped anew each epoch, a batch at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tocompress.checkpoints.acquire import initial
from tocompress.data.imagenet import photographs
from tocompress.data.pictures import read_pictures
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.settings.data import ImageNet
from tocompress.settings.model import ImageModel
from tocompress.settings.training import Retraining
from tocompress.tables import write_table
from tocompress.tasks.classification import batches as images
from tocompress.tasks.examples import read_examples, shuffled_batches
from tocompress.training.retrain import retrain

MODEL = ImageModel(network="mobilenet_v1", build="initial", data="photographs", width=0.25, input_size=64, classes=1001)


@pytest.fixture(scope="module")
def sets(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    """A training and a calibration set of photographs, from folders of synsets."""
    folder = tmp_path_factory.mktemp("sets")
    for file in sorted((shared / "real/images").iterdir())[:24]:
        (folder / "images" / file.stem).mkdir(parents=True)
        (folder / "images" / file.stem / file.name).symlink_to(file)
    settings = ImageNet(kind="imagenet", images="", training=str(folder / "images"), calibration=8, train=14)
    for split in ("train", "calibration"):
        write_table(folder / f"{split}.parquet", PHOTOGRAPHS, photographs(settings, split))
    return {split: read_examples(folder / f"{split}.parquet", MODEL, settings) for split in ("train", "calibration")}


def test_a_batch_to_learn_from_is_another_in_each_epoch_and_the_same_in_each_run(sets: dict[str, tuple]) -> None:
    first, second = (images.Batches(sets["train"], MODEL, 5, seed=3) for _ in range(2))
    assert [len(first[index][1]) for index in range(len(first))] == [5, 5, 4]
    before = first[1]
    np.testing.assert_array_equal(second[1][0], before[0])
    first.on_epoch_end()
    order = [first[index][1] for index in range(3)]
    assert sorted(np.concatenate(order)) == sorted(sets["train"][1])
    assert not np.array_equal(first[1][0], before[0])


def test_what_is_only_looked_at_is_not_cropped_at_random(sets: dict[str, tuple]) -> None:
    pictures, labels = sets["calibration"]
    batch, found = shuffled_batches(sets["calibration"], MODEL, 8, seed=3)[0]
    order = [labels.tolist().index(label) for label in found]
    np.testing.assert_array_equal(batch, pictures[np.array(order)].network_input((64, 64, 3), "inception"))


def test_a_network_with_a_background_counts_labels_from_it(tmp_path: Path) -> None:
    table = pd.DataFrame({"example": [0, 1], "file": "a", "offset": 0, "size": 1, "label": [0, 999]})
    write_table(tmp_path / "test.parquet", PHOTOGRAPHS, table)
    data = ImageNet(kind="imagenet", images="a")
    without = MODEL.model_copy(update={"classes": 1000})
    assert read_pictures(tmp_path / "test.parquet", MODEL, data)[1].tolist() == [1, 1000]
    assert read_pictures(tmp_path / "test.parquet", without, data)[1].tolist() == [0, 999]


@pytest.mark.long
def test_retraining_on_photographs_gives_the_same_bits_each_time(sets: dict[str, tuple], tmp_path: Path) -> None:
    weights = dict(initial(MODEL))
    course = Retraining(epochs=2, batch_size=7, learning_rates=(1e-3,))
    runs = [
        retrain(weights, MODEL, course, sets["train"], sets["calibration"], {}, resume_folder=tmp_path / name)
        for name in ("one", "two")
    ]
    for name, values in runs[0][0].items():
        np.testing.assert_array_equal(values, runs[1][0][name])
    assert any(not np.array_equal(values, weights[name]) for name, values in runs[0][0].items())
    assert runs[0][1].query("metric == 'val_loss'")["value"].notna().all()
