"""Rows of the `metrics` table: scores with their intervals and their paired ratios to the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.schemas.study import METRICS

#: Metrics and their units.
CLASSIFICATION = dict.fromkeys(("top1", "top5", "precision", "recall", "f1"), "fraction")
TRANSLATION = {"bleu": "score", "bleu_tokenized": "score"}


@dataclass(frozen=True)
class Score:
    """A measured score of `n` examples; NaN where a ratio or an interval does not exist."""

    metric: str
    unit: str
    value: float
    low: float
    high: float
    level: float
    n: int
    ratio: float
    ratio_low: float
    ratio_high: float
    label: str | None = None


def measured(scores: Sequence[Score]) -> pd.DataFrame:
    """A `metrics` table of measured scores."""
    return _table([asdict(score) | {"basis": "measured"} for score in scores])


def unavailable(metrics: Mapping[str, str], reason: str) -> pd.DataFrame:
    """A `metrics` table that says why the metrics (name -> unit) have no value."""
    rows = [{"metric": metric, "unit": unit} for metric, unit in metrics.items()]
    return _table([row | {"basis": "unavailable", "reason": reason} for row in rows])


def check_same_examples(predictions: pd.DataFrame, baseline: pd.DataFrame, truth: str) -> None:
    """A StudyError unless both are predictions of the same examples with the same column `truth`."""
    columns = ["example", truth]
    ours, theirs = (table[columns].drop_duplicates().sort_values("example") for table in (predictions, baseline))
    if not np.array_equal(ours.to_numpy(), theirs.to_numpy()):
        raise StudyError(
            f"predictions of {len(ours)} and baseline of {len(theirs)} examples differ in '{truth}' or 'example': "
            "predict both again from the same test set"
        )


def _table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    return pd.DataFrame([{**dict.fromkeys(METRICS.names), **row} for row in rows])
