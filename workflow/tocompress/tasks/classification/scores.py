"""Compute top-1 and top-5 accuracy, and macro precision, recall and F1 (paper, III-B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tocompress.tasks.bootstrap import compared, interval, resample
from tocompress.tasks.metrics import Comparison, Score, check_same_examples, measured
from tocompress.tasks.paired import paired_change
from tocompress.tasks.wilson import wilson
from tocompress.vocabulary.metrics import METRICS, accuracies

TOP = 5


_WORST = 5  # classes


@dataclass(frozen=True)
class Outcomes:
    """The outcome of each example: `label` and `predicted` int64 [N], `top1` and `top5` bool [N]."""

    label: np.ndarray
    predicted: np.ndarray
    top1: np.ndarray
    top5: np.ndarray


def scores(
    predictions: pd.DataFrame,
    baseline: pd.DataFrame,
    *,
    level: float,
    resamples: int,
    seed: int,
    names: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the table `metrics` of `image_predictions`, with ratios to the baseline on the same examples.

    Macro averages are over the classes among the labels, so all variants average over the same classes. A class that is
    never predicted has precision 0. Intervals are Wilson's for top-1 and top-5, Agresti and Min's for their changes,
    and from a bootstrap over examples for the others. With `names` of the classes, the classes with the lowest recall
    have rows of their own. Raise StudyError where the tables hold different examples.
    """
    check_same_examples(predictions, baseline, "label")
    ours, theirs = outcomes(predictions), outcomes(baseline)
    n = len(ours.label)
    once = np.ones(n, np.int64)
    values, baseline_values = values_of(ours, once), values_of(theirs, once)
    drawn = resample(lambda times: values_of(ours, times), n, resamples=resamples, seed=seed)
    baseline_drawn = resample(lambda times: values_of(theirs, times), n, resamples=resamples, seed=seed)
    rows = []
    for index, metric in enumerate(accuracies("classification")):
        value = float(values[index])
        against = compared(value, float(baseline_values[index]), drawn[:, index], baseline_drawn[:, index], level)
        low, high = interval(drawn[:, index], level)
        if metric.name in ("top1", "top5"):
            before, after = getattr(theirs, metric.name), getattr(ours, metric.name)
            low, high = wilson(after, level)
            change, change_low, change_high = paired_change(before, after, level)
            against = against._replace(change=change, change_low=change_low, change_high=change_high)
        rows.append(Score(metric, value, low, high, level, n, against))
    return measured([*rows, *_worst_classes(ours, theirs, names, level)])


def _worst_classes(ours: Outcomes, theirs: Outcomes, names: Sequence[str], level: float) -> list[Score]:
    """Return the recall of the classes that are among the worst of the predictions or of the baseline."""
    if not names:
        return []
    classes = np.unique(ours.label)
    hits = {label: ours.top1[ours.label == label] for label in classes}

    def worst(outcomes: Outcomes) -> list[int]:
        return sorted(classes, key=lambda label: outcomes.top1[outcomes.label == label].mean())[:_WORST]

    return [
        Score(
            METRICS["class_recall"],
            float(hits[label].mean()),
            *wilson(hits[label], level),
            level,
            len(hits[label]),
            Comparison(),  # of a few examples, it says little
            names[label],
        )
        for label in dict.fromkeys([*worst(theirs), *worst(ours)])
    ]


def outcomes(predictions: pd.DataFrame) -> Outcomes:
    """Return the outcomes of `image_predictions`, in the order of `example`."""
    ordered = predictions.sort_values("example", kind="stable")
    hits = (ordered["label"] == ordered["predicted"]) & (ordered["rank"] <= TOP)
    best = ordered[ordered["rank"] == 1]
    label, predicted = best["label"].to_numpy(np.int64), best["predicted"].to_numpy(np.int64)
    return Outcomes(label, predicted, label == predicted, hits.groupby(ordered["example"]).any().to_numpy(bool))


def values_of(outcomes: Outcomes, times: np.ndarray) -> np.ndarray:
    """Return the scores with each example counted `times` [N], float64 [metrics], in the order of `accuracies`."""
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
