"""Make rows of the table `metrics`: scores with their intervals, and their paired changes from the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.schemas.study import VALUE
from tocompress.vocabulary.metrics import Metric

_NAN = float("nan")


class Comparison(NamedTuple):
    """A score against the baseline's, paired: their ratio, and their difference. What does not exist is NaN."""

    ratio: float = _NAN
    ratio_low: float = _NAN
    ratio_high: float = _NAN
    change: float = _NAN
    change_low: float = _NAN
    change_high: float = _NAN


@dataclass(frozen=True)
class Score:
    """A measured score of `n` examples. An interval that does not exist is NaN."""

    metric: Metric
    value: float
    low: float
    high: float
    level: float
    n: int
    compared: Comparison
    label: str | None = None


def measured(scores: Sequence[Score]) -> pd.DataFrame:
    """Return the columns VALUE of measured scores."""
    return _table([_columns(score) for score in scores])


def unavailable(metrics: Iterable[Metric], reason: str) -> pd.DataFrame:
    """Return the columns VALUE that say why the metrics have no value."""
    return _table([_named(metric) | {"basis": "unavailable", "reason": reason} for metric in metrics])


def check_same_examples(predictions: pd.DataFrame, baseline: pd.DataFrame, truth: str) -> None:
    """Raise StudyError unless both are predictions of the same examples with the same column `truth`."""
    columns = ["example", truth]
    ours, theirs = (table[columns].drop_duplicates().sort_values("example") for table in (predictions, baseline))
    if not np.array_equal(ours.to_numpy(), theirs.to_numpy()):
        raise StudyError(
            f"predictions of {len(ours)} and baseline of {len(theirs)} examples differ in '{truth}' or 'example': "
            "predict both again from the same test set"
        )


def _columns(score: Score) -> dict[str, object]:
    own = {name: value for name, value in vars(score).items() if name != "compared"}
    return own | score.compared._asdict() | _named(score.metric) | {"basis": "measured"}


def _named(metric: Metric) -> dict[str, object]:
    return {"metric": metric.name, "unit": metric.unit}


def _table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    return pd.DataFrame([{**dict.fromkeys(VALUE), **row} for row in rows])
