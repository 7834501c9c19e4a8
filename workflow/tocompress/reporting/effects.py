"""What compression changes: paired ratios to fp32, averaged over models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tocompress.measurement.statistics import LEVEL, Interval, mean_interval, ratio_interval
from tocompress.reporting.names import named_as_pruning
from tocompress.reporting.study import ACCURACY, BASELINE, EXACT, devices, variants, whole

#: What scores a model, whatever its task: top-1, or BLEU of a translator.
ACCURACY_OF_ALL = "accuracy"

_MODES = {"every_inference": "dequantized at every inference", "once": "dequantized once"}


@dataclass(frozen=True)
class Effect:
    """The ratio to fp32 of one metric under one variant.

    `own` holds each model's ratio with its own interval, `mean` that of `over_models`. `unconverged` counts the models
    whose value did not reach its target width.
    """

    own: dict[str, Interval]
    mean: Interval
    level: float
    unconverged: int

    def below(self, bound: float) -> bool:
        """Whether the ratio is shown to lie below: by the interval over models, or by each model's own."""
        return self._shown(lambda interval: interval.high is not None and interval.high < bound)

    def at_least(self, bound: float) -> bool:
        """Whether the ratio is shown to reach `bound`: by the interval over models, or by each model's own."""
        return self._shown(lambda interval: interval.low is not None and interval.low >= bound)

    def above(self, bound: float) -> bool:
        """Whether the ratio is shown to lie above: by the interval over models, or by each model's own."""
        return self._shown(lambda interval: interval.low is not None and interval.low > bound)

    def _shown(self, holds: Callable[[Interval], bool]) -> bool:
        return holds(self.mean) or all(map(holds, self.own.values()))


@dataclass(frozen=True)
class Option:
    """A variant and how its weights are dequantized, None where that does not matter."""

    variant: str
    dequantization: str | None = None

    @property
    def mode(self) -> str:
        """How quantized weights are dequantized, in words; empty without any."""
        told = self.dequantization is not None and is_quantized(self.variant)
        return _MODES[self.dequantization or ""] if told else ""

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.variant, self.mode]))


class Effects:
    """The effects that a table `study` holds on its first device."""

    def __init__(self, study: pd.DataFrame) -> None:
        rows = whole(study, *study["metric"].unique())
        rows = rows[rows["device"].isna() | rows["device"].isin(devices(study)[:1])]
        rows = rows[rows["ratio"].notna() & rows["variant"].ne(BASELINE)]
        scores = rows[rows["metric"].isin(["top1", "bleu"])].assign(metric=ACCURACY_OF_ALL)
        rows = pd.concat([rows, scores], ignore_index=True)
        modes = rows["dequantization"].astype(object).where(rows["dequantization"].notna(), None)
        self.variants = [variant for variant in variants(study) if variant != BASELINE]
        self._modes = [mode for mode in _MODES if mode in set(modes)]
        self._rows = {
            (metric, variant, None if pd.isna(mode) else mode): group.to_dict("records")
            for (metric, variant, mode), group in rows.groupby(["metric", "variant", modes], dropna=False, sort=False)
        }

    def options(self, metric: str, variant: str) -> list[Option]:
        """The ways to run a variant that `metric` tells apart: one, or for quantized weights one a dequantization.

        Without quantized weights the runtime's default, dequantization while loading, stands for both.
        """
        if (metric, variant, None) in self._rows:
            return [Option(variant)]
        modes = [mode for mode in self._modes if (metric, variant, mode) in self._rows]
        return [Option(variant, mode) for mode in (modes if is_quantized(variant) else modes[-1:])]

    def of(self, metric: str, option: Option, models: Collection[str] | None = None) -> Effect | None:
        """The effect over those of `models` (all, where None) that have a ratio; None where there is none."""
        rows = [
            row
            for row in self._rows.get((metric, option.variant, option.dequantization), [])
            if models is None or row["model"] in models
        ]
        if not rows:
            return None
        level = next((float(row["level"]) for row in rows if not pd.isna(row["level"])), LEVEL)
        own = {str(row["model"]): _own(metric, row) for row in rows}
        mean = over_models(list(own.values()), level, linear=metric in ACCURACY or metric == ACCURACY_OF_ALL)
        return Effect(own, mean, level, sum(_is_false(row["converged"]) for row in rows))


def over_models(own: Sequence[Interval], level: float = LEVEL, *, linear: bool = False) -> Interval:
    """The geometric mean of models' ratios (`linear`, as for accuracies, which may be zero: the arithmetic one).

    From three models on it has Student's interval over models. Two say next to nothing of how models differ, so the
    bounds are what their own intervals span; those of one model are its own.
    """
    ratios = [interval.value for interval in own]
    mean = mean_interval(ratios, level) if linear else ratio_interval(ratios, [1.0] * len(ratios), level)
    if len(own) > 2:
        return mean
    lows, highs = [interval.low for interval in own], [interval.high for interval in own]
    return Interval(mean.value, _all(min, lows), _all(max, highs))


def is_quantized(variant: str) -> bool:
    """Whether a technique other than pruning is part of a variant."""
    return variant != BASELINE and not all(map(named_as_pruning, variant.split("-")))


def percent(ratio: float) -> str:
    """A ratio as a change: `−74.6 %`, on one line."""
    return f"{_signed(ratio)}\N{NO-BREAK SPACE}%"


def percent_interval(interval: Interval) -> str:
    """`−75.0 to −73.9 %`; empty where there are no bounds, or where the value is exact."""
    if interval.low is None or interval.high is None or interval.low == interval.high:
        return ""
    return f"{_signed(interval.low)} to {percent(interval.high)}"


def counted(count: int, thing: str) -> str:
    """`1 model`, `2 models`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def reasons(rows: pd.DataFrame) -> Iterable[str]:
    """Why values of these rows are unavailable, each reason once."""
    found: Iterable[str] = dict.fromkeys(rows.loc[rows["basis"] == "unavailable", "reason"].dropna())
    return found


def _own(metric: str, row: dict[Any, Any]) -> Interval:
    if metric in EXACT:
        return Interval(*[float(row["ratio"])] * 3)
    low, high = (None if pd.isna(row[edge]) else float(row[edge]) for edge in ("ratio_low", "ratio_high"))
    return Interval(float(row["ratio"]), low, high)


def _all(bound: Callable[[list[float]], float], edges: Sequence[float | None]) -> float | None:
    known = [edge for edge in edges if edge is not None]
    return bound(known) if len(known) == len(edges) else None


def _signed(ratio: float) -> str:
    change = round(100 * (ratio - 1), 1)
    return f"{change:+,.1f}".replace("-", "\N{MINUS SIGN}") if change else "0.0"


def _is_false(flag: Any) -> bool:
    return not pd.isna(flag) and not flag
