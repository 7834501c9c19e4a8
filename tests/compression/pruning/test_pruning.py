"""A pruned model is smaller by the share that was asked for, and what was quantized still is."""

import numpy as np
import pandas as pd
import pytest

from tocompress.checkpoints.acquire import initial
from tocompress.compression.pruning import prune as pruning
from tocompress.compression.pruning.prune import prune
from tocompress.compression.pruning.ranking import channels_of, float_weights
from tocompress.compression.quantization.grid import halve_weights, is_symmetric, quantize_weights
from tocompress.compression.statistics import recalibrated
from tocompress.errors import StudyError
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.settings.jobs import PruneJob, Recalibration
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.settings.technique import Prune
from tocompress.settings.training import Retraining
from tocompress.weights import QuantizedTensor

CNN = ImageModel(network="mobilenet_v1", build="initial", width=0.1, input_size=32, classes=10, data="glyphs")
#: It has the fewest layers, so a step of its training is traced soonest.
VGG = ImageModel(network="vgg_16", build="initial", width=0.05, input_size=32, classes=10, data="glyphs")
GNMT = TranslationModel(
    network="gnmt", build="initial", width=8 / 1024, source_vocabulary=20, target_vocabulary=20, data="phrases"
)
GLYPHS = Glyphs(kind="glyphs")
PHRASES = NumberPhrases(kind="number_phrases", codes="", source_vocabulary="", target_vocabulary="")


def data_of(model):
    return GLYPHS if model.task == "classification" else PHRASES


RETRAINING = Retraining(epochs=1, batch_size=16, learning_rates=(1e-3,))


def inputs(model, retraining=None, recalibration=None, **technique):
    technique = Prune(method="prune", **technique)
    return PruneJob(
        technique=technique, model=model, data=data_of(model), retraining=retraining, recalibration=recalibration
    )


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (64, 32, 32, 3)).astype(np.uint8)
    return images, np.arange(64, dtype=np.int32) % 10


@pytest.mark.parametrize("model", [CNN, GNMT], ids=["mobilenet_v1", "gnmt"])
@pytest.mark.parametrize("rounds", [1, 3])
def test_the_share_of_channels_is_removed_whatever_the_number_of_cuts(model, rounds, tmp_path):
    weights = initial(model)
    whole = channels_of(model, weights).count
    pruned = prune(weights, inputs(model, share=0.5, rounds=rounds), None, None, resume_folder=tmp_path)
    assert pruned.removed["channels"].sum() == whole
    assert pruned.removed["removed"].sum() == whole - channels_of(model, pruned.weights).count == round(0.5 * whole)
    assert pruned.history.empty


@pytest.mark.long
def test_what_was_quantized_is_retrained_and_quantized_again(pictures, tmp_path):
    quantized, _ = quantize_weights(initial(VGG), 8, "channel", 256)
    pruned = prune(quantized, inputs(VGG, RETRAINING, share=0.3), pictures, pictures, resume_folder=tmp_path)
    assert pruned.weights.keys() == quantized.keys()
    for name, tensor in quantized.items():
        assert isinstance(pruned.weights[name], QuantizedTensor) == isinstance(tensor, QuantizedTensor)
        if isinstance(tensor, QuantizedTensor):
            assert (pruned.weights[name].bits, pruned.weights[name].axis) == (8, tensor.axis)
    assert "val_loss" in set(pruned.history["metric"])


def test_kernels_that_compute_in_integers_stay_on_symmetric_grids(tmp_path):
    quantized, table = quantize_weights(initial(CNN), 8, "channel", 1, symmetric=True)
    pruned = prune(quantized, inputs(CNN, share=0.3), None, None, resume_folder=tmp_path)
    assert all(is_symmetric(pruned.weights[name]) for name in table["tensor"])


@pytest.mark.long
@pytest.mark.parametrize("retraining", [None, RETRAINING], ids=["cut", "retrained"])
def test_smaller_floats_stay_so(retraining, pictures, tmp_path):
    halved, _ = halve_weights(initial(VGG), 256)
    pruned = prune(halved, inputs(VGG, retraining, share=0.3), pictures, pictures, resume_folder=tmp_path)
    types = {name: tensor.dtype for name, tensor in halved.items()}
    assert {np.dtype(np.float16), np.dtype(np.float32)} == set(types.values())
    assert {name: tensor.dtype for name, tensor in pruned.weights.items()} == types


@pytest.mark.long
def test_each_cut_is_retrained_and_a_stop_in_the_second_changes_nothing(pictures, tmp_path):
    def stopping(line):
        if line.startswith("cut 2/2"):
            raise KeyboardInterrupt

    weights, asked = initial(VGG), inputs(VGG, RETRAINING, share=0.3, rounds=2)
    whole = prune(weights, asked, pictures, pictures, resume_folder=tmp_path / "whole")
    assert whole.history["round"].unique().tolist() == [1, 2]
    with pytest.raises(KeyboardInterrupt):
        prune(weights, asked, pictures, pictures, resume_folder=tmp_path / "stopped", report=stopping)
    resumed = prune(weights, asked, pictures, pictures, resume_folder=tmp_path / "stopped")
    assert all(np.array_equal(tensor, resumed.weights[name]) for name, tensor in whole.weights.items())


def test_each_cut_is_retrained_on_the_grids_in_a_folder_of_its_own(monkeypatch, tmp_path):
    quantized, table = quantize_weights(initial(CNN), 8, "channel", 256)
    counts, folders = [], []

    def retrained(arrays, model, settings, examples, calibration, grids, *, resume_folder, teacher, report):
        assert grids.keys() == set(table["tensor"])
        counts.append(channels_of(model, arrays).count)
        folders.append(resume_folder)
        return arrays, pd.DataFrame({"epoch": [1, 2], "metric": "val_loss"})

    monkeypatch.setattr(pruning, "retrain", retrained)
    asked = inputs(CNN, RETRAINING.model_copy(update={"epochs": 2}), share=0.3, rounds=3)
    pruned = prune(quantized, asked, (), (), resume_folder=tmp_path)
    assert pruned.history["round"].tolist() == [1, 1, 2, 2, 3, 3]
    assert folders == [tmp_path / "1", tmp_path / "2", tmp_path / "3"]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == pruned.removed["channels"].sum() - pruned.removed["removed"].sum()


def test_retraining_without_examples_is_refused(pictures, tmp_path):
    for training, calibration in ((None, pictures), (pictures, None)):
        with pytest.raises(StudyError, match="mobilenet_v1: retraining needs a training and a calibration set"):
            prune(initial(CNN), inputs(CNN, RETRAINING, share=0.3), training, calibration, resume_folder=tmp_path)


def test_statistics_of_the_cut_are_measured_on_the_stored_kernels(monkeypatch, pictures, tmp_path):
    seen = []

    def measured(weights, model, examples, seed, exact):
        seen.append((weights, exact))
        return recalibrated(weights, model, examples, seed, exact)

    monkeypatch.setattr(pruning, "recalibrated", measured)
    quantized, _ = quantize_weights(initial(CNN), 4, "tensor", 1)
    asked = inputs(CNN, recalibration=Recalibration(examples=64, seed=1), share=0.3)
    pruned = prune(quantized, asked, None, pictures, resume_folder=tmp_path)
    [(deployed, exact)] = seen
    for name, array in float_weights(pruned.weights).items():
        if name in exact:  # of the channels that are left
            assert exact[name].shape == array.shape
        else:
            np.testing.assert_array_equal(array, deployed[name], err_msg=name)
    with pytest.raises(StudyError, match="mobilenet_v1: recalibrated statistics need a calibration set"):
        prune(quantized, asked, None, None, resume_folder=tmp_path)


def test_a_share_of_0_only_retrains(monkeypatch, tmp_path):
    weights = initial(CNN)
    asked = inputs(CNN, RETRAINING, share=0)

    def retrained(arrays, *arguments, **keywords):
        return {name: 2 * array for name, array in arrays.items()}, pd.DataFrame({"epoch": [1], "metric": "val_loss"})

    monkeypatch.setattr(pruning, "retrain", retrained)
    pruned = prune(weights, asked, (), (), resume_folder=tmp_path)
    assert pruned.removed["removed"].sum() == 0
    assert all(np.array_equal(pruned.weights[name], 2 * array) for name, array in weights.items())


def test_a_share_that_removes_nothing_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"a share of 0\.0001 of \d+ filters or units removes none"):
        prune(initial(CNN), inputs(CNN, share=0.0001), None, None, resume_folder=tmp_path)


def test_what_is_known_to_matter_stays(tmp_path):
    weights = initial(CNN)
    channels = channels_of(CNN, weights)
    last = list(channels.groups)[-1]
    importance = np.ones(channels.count)
    importance[channels.groups[last]] = 0
    share = (len(channels.groups[last]) - 2) / channels.count
    pruned = prune(weights, inputs(CNN, share=share), None, None, resume_folder=tmp_path, importance=importance)
    lost = pruned.removed.set_index("group")["removed"]
    assert lost[last] == len(channels.groups[last]) - 2  # all but its floor
    assert not lost.drop(last).any()


def test_taylor_ranks_on_the_calibration_set_and_says_so_without(pictures, tmp_path):
    weights = initial(CNN)
    asked = inputs(CNN, share=0.3, criterion="taylor")
    pruned = prune(weights, asked, None, pictures, resume_folder=tmp_path)
    assert not pruned.removed.equals(prune(weights, inputs(CNN, share=0.3), None, None, resume_folder=tmp_path).removed)
    with pytest.raises(StudyError, match="calibration set"):
        prune(weights, asked, None, None, resume_folder=tmp_path)
