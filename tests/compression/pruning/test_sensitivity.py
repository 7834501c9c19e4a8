"""A scan runs one network with each layer's least important channels silenced, as if they had been cut."""

import numpy as np
import pandas as pd
import pytest

from tocompress.checkpoints.acquire import initial
from tocompress.compression.pruning.ranking import channels_of, scores_on_weights
from tocompress.compression.pruning.selection import select
from tocompress.compression.pruning.sensitivity import SHARES, scan
from tocompress.compression.pruning.surgery import cut
from tocompress.errors import StudyError
from tocompress.schemas.study import SENSITIVITY
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.settings.evaluation import Sensitivity
from tocompress.settings.jobs import SensitivityJob
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.settings.training import Optimization
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification import batches as images
from tocompress.tasks.translation import batches as sentences
from tocompress.training.retrain import network_of

EXAMPLES = 60
CNN = ImageModel(network="mobilenet_v1", build="initial", width=0.1, input_size=32, classes=10, data="glyphs")
GNMT = TranslationModel(
    network="gnmt", build="initial", width=4 / 1024, source_vocabulary=20, target_vocabulary=20, data="phrases"
)
SOME = Optimization(epochs=1)


GLYPHS = Glyphs(kind="glyphs")
PHRASES = NumberPhrases(kind="number_phrases", codes="", source_vocabulary="", target_vocabulary="")


def data_of(model):
    return GLYPHS if model.task == "classification" else PHRASES


def quiet(_):
    pass


def inputs(model, **settings):
    sensitivity = Sensitivity(**{"examples": EXAMPLES, **settings})
    return SensitivityJob(model=model, data=data_of(model), sensitivity=sensitivity)


def classes(weights, pictures):
    network, _ = network_of(CNN, weights, SOME)
    return network.predict_on_batch(images.network_input(pictures, CNN)).argmax(axis=1)


@pytest.fixture(scope="module")
def cnn():
    """Weights under which the channels of every layer tell, and pictures labelled as the network sees them."""
    random = np.random.default_rng(1)
    weights = {
        name: array if name.endswith("moving_variance") else array + random.normal(0, 0.3, array.shape)
        for name, array in initial(CNN).items()
    }
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    pictures = random.integers(0, 256, (EXAMPLES, 32, 32, 3)).astype(np.uint8)
    return weights, (pictures, classes(weights, pictures).astype(np.int32))


@pytest.fixture(scope="module")
def scanned(cnn):
    weights, examples = cnn
    return scan(weights, inputs(CNN), examples, quiet)


def test_every_layer_loses_every_share_after_the_uncut_network(scanned, cnn, tmp_path):
    channels = channels_of(CNN, cnn[0])
    whole, layers = scanned.iloc[0], scanned.iloc[1:]
    assert pd.isna(whole["group"])
    assert (whole["channels"], whole["removed"], whole["share"]) == (channels.count, 0, 0)
    assert list(layers["group"].unique()) == list(channels.groups)
    assert layers.groupby("group")["share"].apply(tuple).eq([SHARES] * len(channels.groups)).all()
    assert ((layers["removed"] - layers["share"] * layers["channels"]).abs() <= 1).all()
    write_table(tmp_path / "scan.parquet", SENSITIVITY, scanned)
    assert len(read_table(tmp_path / "scan.parquet", SENSITIVITY)) == 1 + 9 * len(channels.groups)


def test_a_network_has_its_own_answers_right_until_it_is_cut_and_a_scan_repeats_itself(scanned, cnn):
    weights, examples = cnn
    assert (scanned["value"].iloc[0], scanned["high"].iloc[0], scanned["n"].iloc[0]) == (1.0, 1.0, EXAMPLES)
    assert scanned["low"].iloc[0] == pytest.approx(0.94, abs=0.005)  # Wilson's, of 60 of 60
    assert scanned["value"].iloc[1:].nunique() > 5
    again = scan(weights, inputs(CNN), examples, quiet)
    assert again.equals(scanned)


def test_accuracy_is_that_of_the_network_cut_at_this_layer_alone(scanned, cnn):
    weights, (pictures, labels) = cnn
    channels = channels_of(CNN, weights)
    everywhere = select(scores_on_weights("l1", CNN, weights, channels, 1), channels, 0.4, "layerwise", 1, 1)
    found = []
    for group in list(channels.groups)[1::4]:
        keep = np.ones(channels.count, np.bool_)
        keep[channels.groups[group]] = everywhere[channels.groups[group]]
        expected = (classes(cut(dict(weights), channels, keep), pictures) == labels).mean()
        row = scanned[(scanned["group"] == group) & (scanned["share"] == 0.4)].iloc[0]
        assert (row["removed"], row["value"]) == ((~keep).sum(), expected)
        assert row["low"] < expected <= row["high"]
        found.append(expected)
    assert len(set(found)) == len(found)


@pytest.fixture(scope="module")
def translator():
    """Random weights and pairs, and their scan."""
    random = np.random.default_rng(1)
    pairs = [(random.integers(3, 20, length), random.integers(3, 20, length)) for length in random.integers(2, 9, 70)]
    weights = {name: 3 * array for name, array in initial(GNMT).items()}
    return weights, pairs, scan(weights, inputs(GNMT, examples=70), pairs, quiet)


def test_a_translator_is_judged_by_the_next_token_padding_left_out(translator):
    _, pairs, table = translator
    assert set(table["metric"]) == {"next_token"}
    assert set(table["n"]) == {sum(len(target) + 1 for _, target in pairs)}
    assert set(table["kind"].iloc[1:]) == {"units", "embedding dimensions"}


@pytest.mark.long
def test_nothing_of_one_layers_scan_is_left_for_the_next(translator):
    weights, pairs, table = translator
    channels = channels_of(GNMT, weights)
    scores = scores_on_weights("l1", GNMT, weights, channels, 1)
    for group, ids in channels.groups.items():
        keep = np.ones(channels.count, np.bool_)
        keep[ids[np.argsort(scores[ids])[:2]]] = False
        network, _ = network_of(GNMT, cut(dict(weights), channels, keep), SOME)
        source_and_target, following, weight = sentences.Batches(pairs, len(pairs), 1)[0]
        hits = network.predict_on_batch(source_and_target).argmax(axis=2) == following
        (value,) = table.loc[(table["group"] == group) & (table["share"] == 0.5), "value"]
        assert value == hits[weight > 0].mean()


def test_no_layer_loses_its_last_channel(translator):
    _, _, table = translator
    assert (table["removed"][table["share"] == 0.9] == 3).all()  # of 4


def test_more_examples_than_there_are_is_one_line(cnn):
    with pytest.raises(StudyError, match="examples is 61, but the calibration set holds 60"):
        scan(cnn[0], inputs(CNN, examples=EXAMPLES + 1), cnn[1], quiet)


def test_a_network_whose_logits_are_not_finite_is_not_scanned(cnn):
    weights, examples = cnn
    broken = weights | {"MobilenetV1/Conv2d_0/weights": np.full_like(weights["MobilenetV1/Conv2d_0/weights"], np.nan)}
    with pytest.raises(StudyError, match=r"the logits of .*: holds NaN or infinity"):
        scan(broken, inputs(CNN), examples, quiet)
