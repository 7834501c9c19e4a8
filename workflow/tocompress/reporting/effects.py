"""The effects of compression, paired with fp32 and averaged over models: ratios of costs, points of accuracies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tocompress.measurement.statistics import Interval, mean_interval, ratio_interval
from tocompress.reporting.study import controls, devices, full_size, models, of_device, of_quantized, variants, whole
from tocompress.vocabulary.arithmetic import ARITHMETICS, in_print
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import ACCURACY, COUNTED, JUDGES
from tocompress.vocabulary.variants import BASELINE

#: The score of a model for any task: top-1, or BLEU of a translator.
ACCURACY_OF_ALL = "accuracy"

#: Fewer models tell almost nothing about the differences between models, so each is then looked at alone.
SEVERAL = 4

_JUDGED = frozenset({*ACCURACY, ACCURACY_OF_ALL})
#: The score of a model without mistakes, by unit.
PERFECT = {"fraction": 1.0, "score": 100.0}
#: The columns that an effect is made from.
_READ = [
    *("model", "metric", "variant", "unit", "level", "ratio", "ratio_low", "ratio_high", "ratio_settled"),
    *("change", "change_low", "change_high"),
]
_POINTS = {"fraction": 100.0, "score": 1.0}


@dataclass(frozen=True)
class Effect:
    """The effect of one variant on one metric: the ratio to fp32, or for an accuracy the change in points.

    `own` holds each model's effect with its own interval, `mean` the effect over models. `neutral` is the effect of no
    change, 1 or 0. `unsettled` counts the models whose ratio is not settled.
    """

    own: dict[str, Interval]
    mean: Interval
    level: float
    unsettled: int
    neutral: float = 1.0

    @property
    def smaller(self) -> bool:
        """Return whether a value is shown to be smaller than fp32's."""
        return self.below(self.neutral)

    @property
    def larger(self) -> bool:
        """Return whether a value is shown to be larger than fp32's."""
        return self._shown(lambda interval: interval.low is not None and interval.low > self.neutral)

    def below(self, bound: float) -> bool:
        """Return whether the interval over models, or each model's own, lies below `bound`."""
        return self._shown(lambda interval: interval.high is not None and interval.high < bound)

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


def groups(study: pd.DataFrame) -> dict[str, list[str]]:
    """Return the models of each group that is judged apart, by its name: of full size, a user's own, and small ones."""
    own, large = set(study.loc[study["build"] == "own", "model"]), full_size(study)
    found: dict[str, list[str]] = {"full-size": [], "own": [], "small": []}
    for model in models(study):
        found["own" if model in own else "full-size" if model in large else "small"].append(model)
    return {name: members for name, members in found.items() if members}


class Effects:
    """The effects in a table `study`, in its first runtime on its first device."""

    def __init__(self, study: pd.DataFrame) -> None:
        rows = whole(study, *study["metric"].unique())
        rows = of_device(rows, *devices(study)[:1])
        scores = rows[rows["metric"].isin(JUDGES)].assign(metric=ACCURACY_OF_ALL)
        rows = pd.concat([rows, scores], ignore_index=True)
        left_out = {BASELINE, *controls(study)}
        self.variants = [name for name in variants(study) if name not in left_out]
        compared = rows[rows["change"].where(rows["metric"].isin(_JUDGED), rows["ratio"]).notna()]
        modes = of_quantized(compared).astype(object)
        self._rows = defaultdict[tuple[str, str, str | None], list[dict[Any, Any]]](list)
        for row, mode in zip(compared[_READ].astype(object).to_dict("records"), modes, strict=True):
            self._rows[row["metric"], row["variant"], None if pd.isna(mode) else mode].append(row)

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
        judged = metric in _JUDGED
        mean = (over_amounts if judged else over_models)(list(own.values()), level)
        unsettled = sum(not pd.isna(row["ratio_settled"]) and not row["ratio_settled"] for row in rows)
        return Effect(own, mean, level, unsettled, neutral=0.0 if judged else 1.0)


def over_models(own: Sequence[Interval], level: float = LEVEL) -> Interval:
    """Return the geometric mean of models' ratios, which are positive.

    From four models on, it has Student's interval of the logarithms over models. Fewer models tell almost nothing about
    the differences between models, so the bounds span their own intervals.
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
    """Return the mean with its own bounds from four models on, else with the span of the models' intervals."""
    if len(own) >= SEVERAL:
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
    name, scale = ("change", _POINTS[row["unit"]]) if metric in _JUDGED else ("ratio", 1.0)
    low, high = (None if pd.isna(row[f"{name}_{end}"]) else scale * row[f"{name}_{end}"] for end in ("low", "high"))
    return Interval(scale * float(row[name]), low, high)


def _all(bound: Callable[[list[float]], float], edges: Sequence[float | None]) -> float | None:
    known = [edge for edge in edges if edge is not None]
    return bound(known) if len(known) == len(edges) else None


def _signed(ratio: float) -> str:
    change = round(100 * (ratio - 1), 1)
    return f"{change:+,.1f}".replace("-", "\N{MINUS SIGN}") if change else "0.0"
