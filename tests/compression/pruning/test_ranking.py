"""Channels are ranked by the loss without them, one after another, and the table keeps the order."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from tocompress.checkpoints.acquire import acquire, initial
from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.prune import prune
from tocompress.compression.pruning.ranking import channels_of, ranked, scores_on_data, scores_on_weights
from tocompress.data.glyphs import render
from tocompress.data.number_phrases import phrases
from tocompress.schemas.study import IMPORTANCE, SENTENCES
from tocompress.settings.jobs import PruneJob
from tocompress.settings.model import ImageModel
from tocompress.settings.study import Study, load
from tocompress.tables import read_table, write_table
from tocompress.tasks.bootstrap import interval, resample
from tocompress.tasks.examples import Examples, read_examples, shuffled_batches
from tocompress.training.retrain import Arrays, network_of
from tocompress.weights import read_weights

REPOSITORY = Path(__file__).parents[3]


def test_scores_come_back_in_the_order_of_channels(tmp_path):
    channels = Channels({}, {}, {"late": np.int32([1, 3]), "early": np.int32([0, 2, 4])})
    scores = np.float64([0.5, 0.1, 0.4, 0.2, 0.3])
    write_table(
        tmp_path / "importance.parquet", IMPORTANCE, ranked(scores, channels).assign(model="gnmt", variant="fp32")
    )
    table = read_table(tmp_path / "importance.parquet", IMPORTANCE)
    assert table["importance"].to_list() == scores.tolist()
    assert table["group"].to_list() == ["early", "late", "early", "late", "early"]


def test_each_channel_has_a_place_of_its_own_and_no_group_ends_before_the_others():
    model = ImageModel(network="mobilenet_v1", build="initial", width=0.05, input_size=32, classes=10, data="glyphs")
    random = np.random.default_rng(1)
    calibration = random.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8), np.arange(20, dtype=np.int32) % 10
    weights = dict(initial(model))
    channels = channels_of(model, weights)
    importance = scores_on_data(model, weights, channels, calibration)
    places = importance * channels.count
    np.testing.assert_allclose(np.sort(places), np.arange(channels.count), atol=1e-9)
    highest_two = [np.sort(places[ids])[-2:] for ids in channels.groups.values()]
    assert min(np.min(places) for places in highest_two) >= 0.8 * channels.count - 1
    np.testing.assert_array_equal(importance, scores_on_data(model, weights, channels, calibration))


@pytest.mark.parametrize("criterion", ["l1", "l2"])
def test_norms_do_not_see_a_scale_that_batch_norm_undoes(criterion):
    model = ImageModel(network="mobilenet_v1", build="initial", width=0.05, input_size=32, classes=10, data="glyphs")
    weights = dict(initial(model))
    channels = channels_of(model, weights)
    scope, scales = "MobilenetV1/Conv2d_3_pointwise", np.float32([0.1, 30, *[1] * 6])
    other = weights | {
        f"{scope}/weights": weights[f"{scope}/weights"] * scales,
        f"{scope}/BatchNorm/moving_variance": (weights[f"{scope}/BatchNorm/moving_variance"] + 1e-3) * scales**2 - 1e-3,
    }
    np.testing.assert_allclose(
        scores_on_weights(criterion, model, other, channels, seed=1),
        scores_on_weights(criterion, model, weights, channels, seed=1),
        rtol=1e-5,
    )


@pytest.fixture(scope="module")
def study() -> Study:
    return load(yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8")))


def examples(study: Study, name: str, split: str, number: int, folder: Path) -> Examples:
    """Examples of a dataset of the zoo, as the study makes them."""
    model = study.models[name]
    data = study.data[model.data]
    if isinstance(model, ImageModel):
        return render(split, number, seed=1)
    files = {key: str(REPOSITORY / getattr(data, key)) for key in ("codes", "source_vocabulary", "target_vocabulary")}
    pairs = phrases(split, number, seed=1)
    table = pd.DataFrame([vars(pair) for pair in pairs]).assign(example=range(number), plain_reference=None)
    write_table(folder / f"{split}.parquet", SENTENCES, table)
    return read_examples(folder / f"{split}.parquet", model, data.model_copy(update=files))


def hits(study: Study, name: str, weights: Arrays, test: Examples) -> np.ndarray:
    """Whether each picture, or each next token given those before it, is found: bool [N]."""
    network, _ = network_of(study.models[name], weights)
    batches = shuffled_batches(test, study.models[name], 200, 1)
    found = []
    for index in range(len(batches)):
        inputs, truth, *weight = batches[index]
        right = keras.ops.convert_to_numpy(network(inputs, training=False)).argmax(-1) == truth
        found.append(right[weight[0] > 0] if weight else right)
    return np.concatenate(found)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "least", "retrained"),
    [("resnet_v1_50", 0.80, True), ("vgg_16", 0.79, False), ("gnmt", 0.88, False)],
    ids=["resnet", "vgg", "gnmt"],
)
def test_the_zoo_bears_small_cuts_and_retraining_does_no_harm(
    study: Study, name: str, least: float, retrained: bool, tmp_path: Path
):
    model = study.models[name]
    checkpoint = REPOSITORY / model.checkpoint.url
    acquire(name, model, tmp_path / "weights", checkpoint=[checkpoint])
    weights, _ = read_weights(tmp_path / "weights")
    data = {
        split: examples(study, name, split, number, tmp_path)
        for split, number in {"train": 1000, "calibration": 1000, "test": 1000}.items()
    }
    importance = scores_on_data(model, weights, channels_of(model, weights), data["calibration"])

    def pruned(technique: str, *, retrain: bool) -> np.ndarray:
        inputs = PruneJob(
            technique=study.techniques[technique],
            model=model,
            data=study.data[model.data],
            retraining=study.retraining[name] if retrain else None,
        )
        smaller = prune(
            weights,
            inputs,
            data["train"],
            data["calibration"],
            resume_folder=tmp_path / technique,
            importance=importance,
            report=lambda line: None,
        )
        return hits(study, name, smaller.weights, data["test"])

    assert pruned("p15", retrain=False).mean() > least  # ranked by the mean over producers: 67 % of resnet_v1_50
    if retrained:
        difference = pruned("p05", retrain=True).astype(float) - pruned("p05", retrain=False)
        drawn = resample(lambda times: times @ difference / len(times), len(difference), resamples=2_000, seed=1)
        assert interval(drawn, 0.95)[1] >= 0
