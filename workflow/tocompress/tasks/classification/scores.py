"""Compute top-1 and top-5 accuracy, and macro precision, recall and F1 (paper, III-B)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from tocompress.tasks.bootstrap import interval, paired_ratio, resample
from tocompress.tasks.metrics import Score, check_same_examples, measured
from tocompress.vocabulary.metrics import accuracies

TOP = 5


@dataclass(frozen=True)
class Outcomes:
    """The outcome of each example: `label` and `predicted` int64 [N], `top1` and `top5` bool [N]."""

    label: np.ndarray
    predicted: np.ndarray
    top1: np.ndarray
    top5: np.ndarray


def scores(
    predictions: pd.DataFrame, baseline: pd.DataFrame, *, level: float, resamples: int, seed: int
) -> pd.DataFrame:
    """Return the table `metrics` of `image_predictions`, with ratios to the baseline on the same examples.

    Macro averages are over the classes among the labels, so all variants average over the same classes. A class that is
    never predicted has precision 0. Intervals are Wilson's for top-1 and top-5, and from a bootstrap over examples for
    the others. Raise StudyError where the tables hold different examples.
    """
    check_same_examples(predictions, baseline, "label")
    ours, theirs = outcomes(predictions), outcomes(baseline)
    n = len(ours.label)
    values, baseline_values = point_values(ours), point_values(theirs)
    drawn = resample(lambda times: resampled_values(ours, times), n, resamples=resamples, seed=seed)
    baseline_drawn = resample(lambda times: resampled_values(theirs, times), n, resamples=resamples, seed=seed)
    rows = []
    for index, metric in enumerate(accuracies("classification")):
        value = float(values[index])
        hits = {"top1": ours.top1, "top5": ours.top5}.get(metric.name)
        low, high = interval(drawn[:, index], level) if hits is None else _wilson(hits, level)
        ratio = paired_ratio(value, float(baseline_values[index]), drawn[:, index], baseline_drawn[:, index], level)
        rows.append(Score(metric, value, low, high, level, n, *ratio))
    return measured(rows)


def outcomes(predictions: pd.DataFrame) -> Outcomes:
    """Return the outcomes of `image_predictions`, in the order of `example`."""
    ordered = predictions.sort_values("example", kind="stable")
    hits = (ordered["label"] == ordered["predicted"]) & (ordered["rank"] <= TOP)
    best = ordered[ordered["rank"] == 1]
    label, predicted = best["label"].to_numpy(np.int64), best["predicted"].to_numpy(np.int64)
    return Outcomes(label, predicted, label == predicted, hits.groupby(ordered["example"]).any().to_numpy(bool))


def point_values(outcomes: Outcomes) -> np.ndarray:
    """Return the scores of all examples, float64 [metrics], in the order of `accuracies`."""
    macro = precision_recall_fscore_support(
        outcomes.label, outcomes.predicted, labels=np.unique(outcomes.label), average="macro", zero_division=0
    )
    return np.array([outcomes.top1.mean(), outcomes.top5.mean(), *macro[:3]])


def resampled_values(outcomes: Outcomes, times: np.ndarray) -> np.ndarray:
    """Return `point_values` with each example counted `times` [N], float64 [metrics], from the counts of each class."""
    classes = 1 + max(outcomes.label.max(), outcomes.predicted.max())

    def count(classes_of_examples: np.ndarray, times: np.ndarray) -> np.ndarray:
        return np.bincount(classes_of_examples, times, classes)

    hits = count(outcomes.label[outcomes.top1], times[outcomes.top1])
    labelled, predicted = count(outcomes.label, times), count(outcomes.predicted, times)
    drawn = labelled > 0
    hits, labelled, predicted = hits[drawn], labelled[drawn], predicted[drawn]
    return np.array(
        [
            hits.sum() / times.sum(),
            times[outcomes.top5].sum() / times.sum(),
            np.mean(hits / np.maximum(predicted, 1)),
            np.mean(hits / labelled),
            np.mean(2 * hits / (labelled + predicted)),
        ]
    )


def _wilson(hits: np.ndarray, level: float) -> tuple[float, float]:
    found = binomtest(int(hits.sum()), len(hits)).proportion_ci(level, "wilson")
    return float(found.low), float(found.high)
