"""Compare two accuracies on one test set, paired by example where predictions are there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from tocompress.errors import StudyError
from tocompress.measurement.statistics import Interval
from tocompress.settings.evaluation import Scores
from tocompress.tasks.classification.scores import outcomes
from tocompress.tasks.metrics import check_same_examples
from tocompress.tasks.paired import paired_change
from tocompress.tasks.translation.scores import resampled
from tocompress.vocabulary.metrics import METRICS

#: The accuracies that are compared.
COMPARED = ("top1", "top5", "bleu")


def same_examples(here: pd.DataFrame, there: pd.DataFrame) -> bool:
    """Return whether two tables of predictions are of the same examples with the same answers."""
    try:
        check_same_examples(here, there, "label" if "label" in here else "reference")
    except StudyError:
        return False
    return True


def paired(metric: str, here: pd.DataFrame, there: pd.DataFrame, scores: Scores, language: str | None) -> Interval:
    """Return `here` less `there` in the metric's unit, from predictions of the same examples."""
    if METRICS[metric].unit == "fraction":
        before, after = (getattr(outcomes(table), metric) for table in (there, here))
        return Interval(*paired_change(before, after, scores.level))
    drawn = [
        resampled(table, language=language, resamples=scores.resamples, seed=scores.seed)[:, 0]
        for table in (here, there)
    ]
    change = drawn[0] - drawn[1]
    margin = float(ndtri((1 + scores.level) / 2) * np.std(change[1:], ddof=1))
    return Interval(float(change[0]), float(change[0]) - margin, float(change[0]) + margin)


def chance(change: Interval, level: float) -> float:
    """Return the probability of such a change between equal studies, from its normal interval."""
    if change.low is None or change.high is None:
        return math.nan
    deviation = (change.high - change.low) / 2 / float(ndtri((1 + level) / 2))
    middle = (change.high + change.low) / 2
    return float(2 * ndtr(-abs(middle) / deviation)) if deviation else float(middle == 0)
