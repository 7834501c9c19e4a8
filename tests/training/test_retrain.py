"""Retraining learns, gives the same bits twice and after a stop, and keeps to its parent's grids."""

import keras
import numpy as np
import pytest

from tocompress.data.glyphs import render
from tocompress.errors import StudyError
from tocompress.models import gnmt, registry
from tocompress.models.variables import named_variables
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.settings.training import Retraining
from tocompress.training.fake_quantization import Grid
from tocompress.training.retrain import retrain

SILENT = {"report": lambda line: None}
IMAGES = ImageModel(network="mobilenet_v1", build="initial", width=0.05, input_size=32, classes=100, data="glyphs")
SENTENCES = TranslationModel(
    network="gnmt", build="initial", width=8 / 1024, source_vocabulary=20, target_vocabulary=20, data="phrases"
)
CNN = Retraining(epochs=2, learning_rates=(0.002, 0.0005), examples=96, batch_size=32, patience=2)
RNN = Retraining(epochs=3, learning_rates=(0.001, 0.01), guidance=1.0)
TAUGHT = RNN.model_copy(update={"teacher": 0.5})
POINTWISE = "MobilenetV1/Conv2d_13_pointwise/weights"


def _images(width_of_last=8):
    """Weights of a network whose last layer has lost filters, its examples and its validation set."""
    keras.utils.set_random_seed(1)
    network = registry.build("mobilenet_v1", width=0.05, input_size=32, classes=100)
    weights = {name: variable.numpy() for name, variable in named_variables(network).items()}
    for name, tensor in weights.items():
        if name.startswith("MobilenetV1/Conv2d_13_pointwise"):
            weights[name] = tensor[..., :width_of_last]
    logits = "MobilenetV1/Logits/Conv2d_1c_1x1/weights"
    weights[logits] = weights[logits][:, :, :width_of_last]
    images, labels = render("train", 128, seed=1)
    return weights, (images, labels), (images[:40], labels[:40])  # seen before, so that there is something to gain


def _sentences():
    keras.utils.set_random_seed(1)
    weights = {name: variable.numpy() for name, variable in gnmt.GNMT(gnmt.shapes(20, 20, 8)).named.items()}
    random = np.random.default_rng(1)
    pairs = [
        (list(random.integers(3, 20, source)), list(random.integers(3, 20, target)))
        for source, target in random.integers(1, 7, (150, 2))
    ]
    return weights, pairs, pairs[:20]


@pytest.mark.parametrize(
    ("model", "retraining", "data", "kernel"),
    [
        (IMAGES, CNN, _images, POINTWISE),
        (SENTENCES, TAUGHT, _sentences, gnmt.QUERY_KERNEL),
    ],
    ids=["image", "taught translation"],
)
@pytest.mark.long
def test_a_stopped_retraining_ends_as_one_that_is_not(model, retraining, data, kernel, tmp_path):
    weights, examples, validation = data()
    arguments = (weights, model, retraining, examples, validation, {kernel: Grid(8)})
    teacher = {name: 2 * tensor for name, tensor in weights.items()}
    expected, history = retrain(*arguments, resume_folder=tmp_path / "whole", teacher=teacher, **SILENT)
    assert list(expected) == list(weights)
    assert all(np.isfinite(tensor).all() and tensor.shape == weights[name].shape for name, tensor in expected.items())
    assert (expected[kernel] != weights[kernel]).all()
    assert set(history["metric"]) == {"accuracy", "loss", "val_accuracy", "val_loss", "seconds"}
    assert set(history["learning_rate"]) == {0, *retraining.learning_rates}
    for rate in retraining.learning_rates:
        loss = history[(history["metric"] == "loss") & (history["learning_rate"] == rate)]["value"].to_list()
        assert loss[-1] < loss[0]

    class Stopped(Exception):
        pass

    first_epochs = []

    def stop(line: str) -> None:  # in the middle of the second learning rate
        first_epochs.extend([line] if line.startswith("epoch 1/") else [])
        if len(first_epochs) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        retrain(*arguments, resume_folder=tmp_path / "stopped", teacher=teacher, report=stop)
    resumed, resumed_history = retrain(*arguments, resume_folder=tmp_path / "stopped", teacher=teacher, **SILENT)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(resumed[name], tensor, err_msg=name)
    measured = [table[table["metric"] != "seconds"].reset_index(drop=True) for table in (history, resumed_history)]
    assert measured[0].equals(measured[1])


def test_retraining_that_only_harms_leaves_the_weights_as_they_were_cut(tmp_path):
    weights, examples, validation = _images()
    harmful = CNN.model_copy(update={"learning_rates": (1.0,), "epochs": 1, "warmup_epochs": 0.0})
    kept, history = retrain(weights, IMAGES, harmful, examples, validation, {}, resume_folder=tmp_path, **SILENT)
    for name, tensor in weights.items():
        np.testing.assert_array_equal(kept[name], tensor, err_msg=name)
    losses = history[history["metric"] == "val_loss"]
    assert losses["epoch"].tolist() == [0, 1]
    assert losses["value"].iloc[0] < losses["value"].iloc[1]


def test_a_rate_that_diverges_is_no_candidate(tmp_path):
    weights, examples, validation = _images()
    rates = CNN.model_copy(update={"learning_rates": (1e30, 0.001), "epochs": 1, "warmup_epochs": 0.0})
    learnt, history = retrain(weights, IMAGES, rates, examples, validation, {}, resume_folder=tmp_path, **SILENT)
    assert set(history["learning_rate"]) == {0, 0.001}
    assert not np.array_equal(learnt[POINTWISE], weights[POINTWISE])


def test_batch_norm_keeps_the_statistics_and_scales_of_the_cut(tmp_path):
    weights, examples, validation = _images()
    helpful = CNN.model_copy(update={"learning_rates": (0.001,), "epochs": 1})
    learnt, _ = retrain(weights, IMAGES, helpful, examples, validation, {}, resume_folder=tmp_path, **SILENT)
    normalizing = [name for name in weights if "/BatchNorm/" in name]
    assert normalizing and all(np.array_equal(learnt[name], weights[name]) for name in normalizing)
    assert not np.array_equal(learnt[POINTWISE], weights[POINTWISE])


def test_a_larger_network_teaches_and_has_to_be_there(tmp_path):
    whole, examples, validation = _images(32)
    # Weights as they begin give all classes the same chance, and would teach nothing but rounding.
    whole["MobilenetV1/Logits/Conv2d_1c_1x1/biases"] = np.linspace(0, 5, 100, dtype=np.float32)
    weights, *_ = _images()
    settings = CNN.model_copy(update={"teacher": 1.0, "learning_rates": (0.002,), "epochs": 1})
    arguments = (weights, IMAGES, settings, examples, validation, {POINTWISE: Grid(8)})
    learnt, history = retrain(*arguments, resume_folder=tmp_path / "one", teacher=whole, **SILENT)
    assert not np.array_equal(learnt[POINTWISE], weights[POINTWISE])
    assert history["value"].notna().all()
    with pytest.raises(StudyError, match="mobilenet_v1: a teacher in retraining needs the uncompressed"):
        retrain(*arguments, resume_folder=tmp_path / "none", **SILENT)


def test_weights_of_another_network_and_too_few_examples_are_named(tmp_path):
    weights, examples, validation = _sentences()
    with pytest.raises(StudyError, match="examples is 500, but the training set holds 150"):
        few = Retraining(epochs=1, learning_rates=(0.01,), examples=500)
        retrain(weights, SENTENCES, few, examples, validation, {}, resume_folder=tmp_path)
    weights, examples, validation = _images()
    with pytest.raises(StudyError, match="do not have the same variables: extra"):
        odd = {**weights, "extra": np.zeros(1, np.float32)}
        retrain(odd, IMAGES, CNN, examples, validation, {}, resume_folder=tmp_path)
