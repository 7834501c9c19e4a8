"""The effects of compression: paired ratios to fp32, averaged over models."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tocompress.measurement.statistics import Interval, mean_interval, ratio_interval
from tocompress.reporting.study import controls, devices, of_device, of_quantized, variants, whole
from tocompress.vocabulary.arithmetic import ARITHMETICS, in_print
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import ACCURACY, COUNTED, JUDGES
from tocompress.vocabulary.variants import BASELINE

#: The score of a model for any task: top-1, or BLEU of a translator.
ACCURACY_OF_ALL = "accuracy"

_BOUNDED = frozenset({*ACCURACY, ACCURACY_OF_ALL})
PERFECT = {"fraction": 1.0, "score": 100.0}  # the score of a model without mistakes, by unit


@dataclass(frozen=True)
class Effect:
    """The ratio to fp32 of one metric under one variant.

    `own` holds each model's ratio with its own interval, `mean` the ratio over models. `unsettled` counts the models
    whose ratio is not settled.
    """

    own: dict[str, Interval]
    mean: Interval
    level: float
    unsettled: int

    def below(self, bound: float) -> bool:
        """Return whether the interval over models, or each model's own, lies below `bound`."""
        return self._shown(lambda interval: interval.high is not None and interval.high < bound)

    def above(self, bound: float) -> bool:
        """Return whether the interval over models, or each model's own, lies above `bound`."""
        return self._shown(lambda interval: interval.low is not None and interval.low > bound)

    def _shown(self, holds: Callable[[Interval], bool]) -> bool:
        return holds(self.mean) or all(map(holds, self.own.values()))


@dataclass(frozen=True)
class Option:
    """A variant, and the arithmetic of its quantized weights. None without any, or where it does not matter."""

    variant: str
    arithmetic: str | None = None

    @property
    def mode(self) -> str:
        """Return the arithmetic in words, or an empty text."""
        return in_print(self.arithmetic) if self.arithmetic else ""

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.variant, self.mode]))


class Effects:
    """The effects in a table `study`, in its first runtime on its first device."""

    def __init__(self, study: pd.DataFrame) -> None:
        rows = whole(study, *study["metric"].unique())
        rows = of_device(rows, *devices(study)[:1])
        scores = rows[rows["metric"].isin(JUDGES)].assign(metric=ACCURACY_OF_ALL)
        rows = pd.concat([rows, scores], ignore_index=True)
        left_out = {BASELINE, *controls(study)}
        self.variants = [name for name in variants(study) if name not in left_out]
        compared = rows[rows["ratio"].notna()]
        modes = of_quantized(compared)
        self._rows = {
            (metric, variant, None if pd.isna(mode) else mode): group.to_dict("records")
            for (metric, variant, mode), group in compared.groupby(["metric", "variant", modes], dropna=False)
        }
        baselines = rows[rows["variant"].eq(BASELINE) & rows["value"].notna()].to_dict("records")
        self._perfect = {
            (row["metric"], row["model"]): PERFECT[row["unit"]] / row["value"]
            for row in baselines
            if row["metric"] in _BOUNDED and row["value"] > 0
        }

    @classmethod
    def across(cls, study: pd.DataFrame) -> Effects:
        """Return the effects relative to fp32 of the study's first runtime, for the rows of another runtime."""
        bounds = {f"ratio{edge}": study[f"across{edge}"] for edge in ("", "_low", "_high")}
        return cls(study.assign(**bounds, ratio_settled=None))

    def options(self, metric: str, variant: str) -> list[Option]:
        """Return the options of a variant that `metric` distinguishes: one, or one per arithmetic."""
        return [Option(variant, mode) for mode in (None, *ARITHMETICS) if (metric, variant, mode) in self._rows]

    def of(self, metric: str, option: Option, models: Collection[str] | None = None) -> Effect | None:
        """Return the effect over all `models` with a ratio (None: any model), or None if there is no ratio."""
        rows = [
            row
            for row in self._rows.get((metric, option.variant, option.arithmetic), [])
            if models is None or row["model"] in models
        ]
        if not rows:
            return None
        level = next((float(row["level"]) for row in rows if not pd.isna(row["level"])), LEVEL)
        own = {str(row["model"]): _own(metric, row) for row in rows}
        if metric in _BOUNDED:
            perfect = [self._perfect.get((metric, model), math.inf) for model in own]
            mean = over_accuracies(list(own.values()), perfect, level)
        else:
            mean = over_models(list(own.values()), level)
        unsettled = sum(not pd.isna(row["ratio_settled"]) and not row["ratio_settled"] for row in rows)
        return Effect(own, mean, level, unsettled)


def over_models(own: Sequence[Interval], level: float = LEVEL) -> Interval:
    """Return the geometric mean of models' ratios, which are positive.

    From three models on, it has Student's interval of the logarithms over models. Two models tell almost nothing about
    the differences between models, so the bounds span their own intervals. One model keeps its own interval.
    """
    ratios = [interval.value for interval in own]
    return _spanned(own, ratio_interval(ratios, [1.0] * len(ratios), level))


def over_accuracies(own: Sequence[Interval], perfect: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the arithmetic mean of models' ratios of accuracy, which may be zero. Bounds follow `over_models`.

    `perfect` are the ratios of models without mistakes. Student's interval may leave the range from zero to their mean,
    so it is computed for the logit of the mean between these ends (by the delta method).
    """
    mean = mean_interval([interval.value for interval in own], level)
    return _spanned(own, _between(mean, float(np.mean(perfect))))


def over_amounts(own: Sequence[Interval], level: float = LEVEL) -> Interval:
    """Return the arithmetic mean of models' amounts, of either sign. Bounds follow `over_models`."""
    return _spanned(own, mean_interval([interval.value for interval in own], level))


def _spanned(own: Sequence[Interval], mean: Interval) -> Interval:
    """Return the mean with its own bounds from three models on, else with the span of the models' intervals."""
    if len(own) > 2:
        return mean
    lows, highs = [interval.low for interval in own], [interval.high for interval in own]
    return Interval(mean.value, _all(min, lows), _all(max, highs))


def _between(mean: Interval, most: float) -> Interval:
    """Return a mean with bounds that are symmetric for its logit between 0 and `most`.

    If all values lie at one end, the mean lies there too and keeps its bounds.
    """
    value, _, high = mean
    if high is None or not 0 < value < most:
        return mean
    share = value / most
    with np.errstate(over="ignore"):  # an infinite factor puts the bounds at the ends
        factor = float(np.exp((high - value) / (value * (1 - share))))
    return Interval(value, value / (share + (1 - share) * factor), value / (share + (1 - share) / factor))


def percent(ratio: float) -> str:
    """Return a ratio as a change that does not break across lines: `−74.6 %`."""
    return f"{_signed(ratio)}\N{NO-BREAK SPACE}%"


def percent_interval(interval: Interval) -> str:
    """Return an interval as `−75.0 to −73.9 %`, or an empty text without bounds or for an exact value."""
    if interval.low is None or interval.high is None or interval.low == interval.high:
        return ""
    return f"{_signed(interval.low)} to {percent(interval.high)}"


def counted(count: int, thing: str) -> str:
    """Return a count with its noun: `1 model`, `2 models`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def unsettled(effects: Iterable[Effect]) -> str:
    """Return a note as `2 of 3 ratios not settled`, or an empty text if all are settled or exact."""
    found = list(effects)
    wide, total = sum(effect.unsettled for effect in found), sum(len(effect.own) for effect in found)
    return f"{wide} of {counted(total, 'ratio')} not settled" if wide else ""


def reasons(rows: pd.DataFrame) -> Iterable[str]:
    """Return why values of these rows are unavailable, each reason once."""
    found: Iterable[str] = dict.fromkeys(rows.loc[rows["basis"] == "unavailable", "reason"].dropna())
    return found


def _own(metric: str, row: dict[Any, Any]) -> Interval:
    if metric in COUNTED:
        return Interval(*[float(row["ratio"])] * 3)
    low, high = (None if pd.isna(row[edge]) else float(row[edge]) for edge in ("ratio_low", "ratio_high"))
    return Interval(float(row["ratio"]), low, high)


def _all(bound: Callable[[list[float]], float], edges: Sequence[float | None]) -> float | None:
    known = [edge for edge in edges if edge is not None]
    return bound(known) if len(known) == len(edges) else None


def _signed(ratio: float) -> str:
    change = round(100 * (ratio - 1), 1)
    return f"{change:+,.1f}".replace("-", "\N{MINUS SIGN}") if change else "0.0"
