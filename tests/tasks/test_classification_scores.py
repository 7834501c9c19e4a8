import time

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, top_k_accuracy_score

from tocompress.errors import StudyError
from tocompress.schemas.study import METRICS
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification.predictions import best_classes
from tocompress.tasks.classification.scores import outcomes, scores, values_of
from tocompress.tasks.paired import paired_change

SETTINGS = {"level": 0.95, "resamples": 200, "seed": 1}


def noisy_logits(labels, classes, noise, seed):
    return np.eye(classes)[labels] + np.random.default_rng(seed).normal(0, noise, (len(labels), classes))


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(0).integers(0, 12, 300)


@pytest.fixture(scope="module")
def predictions(labels):
    return best_classes(noisy_logits(labels, 12, 0.6, seed=1), labels)


def by_metric(table, column):
    return table.set_index("metric")[column].to_dict()


def test_values_are_scikit_learns(labels, predictions):
    logits = noisy_logits(labels, 12, 0.6, seed=1)
    best = logits.argmax(axis=1)
    assert by_metric(scores(predictions, predictions, **SETTINGS), "value") == pytest.approx(
        {
            "top1": accuracy_score(labels, best),
            "top5": top_k_accuracy_score(labels, logits, k=5),
            "precision": precision_score(labels, best, average="macro"),
            "recall": recall_score(labels, best, average="macro"),
            "f1": f1_score(labels, best, average="macro"),
        },
        abs=1e-12,
    )


def test_a_resample_scores_as_the_examples_repeated():
    random = np.random.default_rng(3)
    labels = random.integers(0, 9, 60)  # so few that resamples miss classes, of twelve of which three never occur
    found = outcomes(best_classes(noisy_logits(labels, 12, 0.7, seed=2), labels))
    for _ in range(20):
        drawn = random.integers(0, 60, 60)
        repeated = type(found)(*(column[drawn] for column in vars(found).values()))
        times = np.bincount(drawn, minlength=60)
        np.testing.assert_allclose(values_of(found, times), values_of(repeated, np.ones(60)), rtol=0, atol=1e-12)


def test_a_class_that_never_occurs_does_not_enter_macro_averages():
    labels = np.array([0, 0, 1, 1])
    predictions = best_classes(np.eye(3)[[0, 0, 1, 2]], labels)
    values = by_metric(scores(predictions, predictions, **SETTINGS), "value")
    assert (values["precision"], values["recall"]) == (1.0, 0.75)


@pytest.mark.parametrize("found", [0, 1, 8, 10])
def test_accuracy_has_wilsons_interval(found):
    labels = np.zeros(10, int)
    predictions = best_classes(np.eye(12)[[0] * found + [1] * (10 - found)], labels)
    top1 = scores(predictions, predictions, **SETTINGS).iloc[0]
    assert (top1["low"], top1["high"]) == tuple(binomtest(found, 10).proportion_ci(0.95, "wilson"))


def test_identical_predictions_have_a_ratio_of_exactly_one(predictions):
    table = scores(predictions, predictions.sample(frac=1, random_state=4), **SETTINGS)
    assert (table[["ratio", "ratio_low", "ratio_high"]] == 1).all(axis=None)


def test_a_worse_variant_has_ratios_below_one_and_values_within_their_intervals(labels, predictions):
    worse = best_classes(noisy_logits(labels, 12, 1.2, seed=8), labels)
    table = scores(worse, predictions, **SETTINGS)
    assert (table["ratio_high"] < 1).all()
    assert table["value"].between(table["low"], table["high"]).all()
    assert table["ratio"].between(table["ratio_low"], table["ratio_high"]).all()


def test_rows_fit_the_table_of_metrics(predictions, tmp_path):
    path = tmp_path / "metrics.parquet"
    write_table(
        path,
        METRICS,
        scores(predictions, predictions, **SETTINGS).assign(runtime="tensorflow", model="vgg", variant="q8"),
    )
    table = read_table(path, METRICS)
    assert table["metric"].tolist() == ["top1", "top5", "precision", "recall", "f1"]
    assert set(table["unit"]) == {"fraction"}
    assert set(table["basis"]) == {"measured"}
    assert (table["n"] == 300).all()
    assert table[["label", "processes", "settled", "ratio_settled", "reason"]].isna().all(axis=None)


def test_other_examples_than_the_baselines_are_an_error(labels, predictions):
    changed = best_classes(noisy_logits(labels, 12, 0.6, seed=1), np.roll(labels, 1))
    for baseline in (changed, predictions[predictions["example"] < 200]):
        with pytest.raises(StudyError, match="same test set"):
            scores(predictions, baseline, **SETTINGS)


def test_a_thousand_resamples_of_two_thousand_examples_take_seconds_not_minutes():
    labels = np.random.default_rng(0).integers(0, 100, 2000)
    predictions = best_classes(noisy_logits(labels, 100, 0.5, seed=1), labels)
    start = time.process_time()
    table = scores(predictions, predictions, level=0.95, resamples=1000, seed=1)
    assert time.process_time() - start < 10
    assert table["ratio"].eq(1).all()


def test_a_change_is_paired_and_in_the_unit_of_the_score(labels, predictions):
    worse = best_classes(noisy_logits(labels, 12, 1.2, seed=8), labels)
    table = scores(worse, predictions, **SETTINGS).set_index("metric")
    ours, theirs = outcomes(worse), outcomes(predictions)
    assert table.loc["top1", "change"] == pytest.approx(ours.top1.mean() - theirs.top1.mean())
    expected = paired_change(theirs.top1, ours.top1, SETTINGS["level"])
    assert tuple(table.loc["top1", ["change", "change_low", "change_high"]]) == expected
    assert (table["change_high"] < 0).all()
    assert table["change"].between(table["change_low"], table["change_high"]).all()
