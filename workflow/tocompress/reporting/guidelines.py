"""Recommend a variant for each goal, from a study's own numbers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tocompress.measurement.statistics import Interval, mean_interval, ratio_interval
from tocompress.reporting.effects import (
    ACCURACY_OF_ALL,
    Effect,
    Effects,
    Option,
    counted,
    percent,
    percent_interval,
    reasons,
    unsettled,
)
from tocompress.reporting.figures.captions import few_bits, listing
from tocompress.reporting.study import by_runtime, full_size, models
from tocompress.reporting.thresholds import BUDGET
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.runtimes import title

#: The goals that may matter most, and the metric of each.
GOALS = {
    "size": "size",
    "time": "latency",
    "energy": "energy",
    "memory": "memory",
    "accuracy": ACCURACY_OF_ALL,
}
#: The share of accuracy that each model must be shown to keep. A variant that keeps less destroys the model.
_LEAST = 0.5

_HALF = "at most half of the accuracy lost"
_WITHIN = f"at most {100 * BUDGET:g} % of the accuracy lost"
_UNKNOWN = "accuracy unknown"


@dataclass(frozen=True)
class Recommendation:
    """The choice for one kind of model under one condition, or the reason for no choice.

    `effects` holds the effect on every goal: one text per arithmetic that matters, or none if the effect is unknown
    (for accuracy: the reason). It is empty without a choice.
    """

    models: str
    condition: str
    choice: str | None
    effects: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remark: str = ""


def guidelines(study: pd.DataFrame) -> dict[str, list[Recommendation]]:
    """Return the recommendations for each of `GOALS`, for full-size and for reduced models, runtime by runtime.

    A variant qualifies if it is shown to improve on fp32 (for accuracy: to keep all but the paper's 5 %). Of these, the
    variant with the best mean is chosen, unless another is shown to be better over the models that have both. The
    interval over models can show it, or every single model's own interval. A condition on accuracy needs the own
    interval of each model. Models of unknown accuracy have rows without a condition.
    """
    tables = by_runtime(study)
    advisers = [
        _Adviser(own, f" in {title(runtime)}" if runtime and len(tables) > 1 else "") for runtime, own in tables.items()
    ]
    return {goal: [found for adviser in advisers for found in adviser.recommend(goal)] for goal in GOALS}


class _Adviser:
    def __init__(self, study: pd.DataFrame, where: str) -> None:
        self._study = study
        self._effects = Effects(study)
        known, large = models(study), full_size(study)
        groups = {
            f"full-size models{where}": [model for model in known if model in large],
            f"reduced models{where}": [model for model in known if model not in large],
        }
        self._groups = {name: members for name, members in groups.items() if members}
        accuracies = [self._effects.of(ACCURACY_OF_ALL, Option(variant)) for variant in self._effects.variants]
        self._judged = {model for effect in accuracies if effect for model in effect.own}

    def recommend(self, goal: str) -> Iterator[Recommendation]:
        for name, members in self._groups.items():
            if goal == "accuracy":
                yield self._best(goal, name, members, _WITHIN, least=1 - BUDGET)
                continue
            judged = [model for model in members if model in self._judged]
            unjudged = [model for model in members if model not in self._judged]
            if judged:
                yield from self._of_known_accuracy(goal, name, judged)
            if unjudged:
                found = self._best(goal, name, unjudged, _UNKNOWN)
                yield found
                if found.choice is not None and not judged:
                    yield Recommendation(name, _WITHIN, None, remark=self._why(ACCURACY_OF_ALL, members))

    def _of_known_accuracy(self, goal: str, name: str, members: Sequence[str]) -> Iterator[Recommendation]:
        half = self._best(goal, name, members, _HALF, least=_LEAST)
        within = self._best(goal, name, members, _WITHIN, least=1 - BUDGET)
        if half.choice is None:
            yield half
        elif half.choice == within.choice:
            yield replace(half, condition=f"{_HALF}; also with {_WITHIN}")
        else:
            yield from (half, within)

    def _best(
        self, goal: str, name: str, members: Sequence[str], condition: str, *, least: float | None = None
    ) -> Recommendation:
        """Return the best of all variants, or of all that keep the share `least` of every member's accuracy."""
        metric = GOALS[goal]
        effects = {
            option: effect
            for variant in self._effects.variants
            for option in self._effects.options(metric, variant)
            if (effect := self._effects.of(metric, option, members))
        }
        if not effects:
            return Recommendation(name, condition, None, remark=self._why(metric, members))
        allowed = {o: e for o, e in effects.items() if least is None or self._keep(e.own, o.variant, members, least)}
        if not allowed:
            return Recommendation(name, condition, None, remark="no variant is shown to keep that much")
        shown = {o: e for o, e in allowed.items() if goal == "accuracy" or e.below(1)}
        if not shown:
            return Recommendation(name, condition, None, remark=self._nearest(goal, allowed, members))
        unbeaten = {o: e for o, e in shown.items() if not any(_better(goal, rival, e) for rival in shown.values())}
        if not unbeaten:
            return Recommendation(name, condition, None, remark="each is beaten by another, over different models")
        choice, *rest = _ranked(goal, unbeaten)
        ahead = _ranked(goal, shown)
        beaten = ahead[: ahead.index(choice)]
        printed = self._of_every_goal(choice, members)
        remark = _joined(
            *_rivals(shown, choice, rest, beaten),
            *(f"{other}: {note}" for other, found in printed.items() if (note := unsettled(found.values()))),
            self._few_bits([choice, *rest, *beaten], members),
        )
        return Recommendation(name, condition, str(choice), self._told(printed, members), remark)

    def _keep(self, concerned: Iterable[str], variant: str, members: Sequence[str], least: float) -> bool:
        """Return whether all `concerned` and any other member with the variant are shown to keep the share `least`."""
        accuracy = self._effects.of(ACCURACY_OF_ALL, Option(variant), members)
        own = accuracy.own if accuracy else {}
        return all(model in own for model in concerned) and all(
            interval.low is not None and interval.low >= least for interval in own.values()
        )

    def _nearest(self, goal: str, effects: dict[Option, Effect], members: Sequence[str]) -> str:
        """Return which variant comes nearest to an improvement if none is shown."""
        nearest = _ranked(goal, effects)[0]
        return _joined(
            f"no variant is shown to improve on fp32; {nearest} comes nearest: {told(effects[nearest])}",
            unsettled([effects[nearest]]),
            self._few_bits([nearest], members),
        )

    def _of_every_goal(self, choice: Option, members: Sequence[str]) -> dict[str, dict[Option, Effect]]:
        """Return a choice's effects on each goal, one per arithmetic that the goal's metric distinguishes."""
        found: dict[str, dict[Option, Effect]] = {}
        for goal, metric in GOALS.items():
            options = self._effects.options(metric, choice.variant)
            if choice in options:
                options = [choice]
            effects = {option: self._effects.of(metric, option, members) for option in options}
            found[goal] = {option: effect for option, effect in effects.items() if effect}
        return found

    def _told(self, printed: dict[str, dict[Option, Effect]], members: Sequence[str]) -> dict[str, tuple[str, ...]]:
        texts = {
            goal: tuple(
                f"{option.mode}: {told(effect)}" if option.mode and len(effects) > 1 else told(effect)
                for option, effect in effects.items()
            )
            for goal, effects in printed.items()
        }
        return texts | {"accuracy": texts["accuracy"] or (self._why(ACCURACY_OF_ALL, members),)}

    def _few_bits(self, options: Sequence[Option], members: Sequence[str]) -> str:
        return few_bits(self._study, [(model, option.variant) for model in members for option in options])

    def _why(self, metric: str, members: Sequence[str]) -> str:
        metrics = JUDGES if metric == ACCURACY_OF_ALL else (metric,)
        rows = self._study[self._study["metric"].isin(metrics) & self._study["model"].isin(members)]
        return f"unknown: {listing(reasons(rows)) or 'not part of this study'}"


def told(effect: Effect) -> str:
    """Return an effect as `−74.6 % (−75.0 to −74.1 %, 2 models)`."""
    notes = ", ".join(filter(None, [percent_interval(effect.mean), counted(len(effect.own), "model")]))
    return f"{percent(effect.mean.value)} ({notes})"


def _rivals(
    shown: dict[Option, Effect], choice: Option, rest: Sequence[Option], beaten: Sequence[Option]
) -> Iterator[str]:
    """Yield the arguments for other options: `rest` are unbeaten too, `beaten` have better means than the choice."""
    close = [str(option) for option in rest if set(shown[option].own) & set(shown[choice].own)]
    apart = [str(option) for option in rest if str(option) not in close]
    if beaten:
        yield f"better means, but over other models: {listing(map(str, beaten))}"
    if close:
        yield f"not told apart from {listing(close)}"
    if apart:
        yield f"no model has both this and {listing(apart)}"


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _ranked(goal: str, effects: dict[Option, Effect]) -> list[Option]:
    """Return the options, the best mean first."""
    return sorted(effects, key=lambda option: effects[option].mean.value, reverse=goal == "accuracy")


def _better(goal: str, rival: Effect, effect: Effect) -> bool:
    """Return whether `rival` is shown to be better over the models that have both.

    The interval over models of their difference (or ratio) shows it, or intervals that lie apart in every model.
    """
    shared = [model for model in rival.own if model in effect.own]
    if not shared or rival is effect:
        return False
    ahead, behind = (rival, effect) if goal != "accuracy" else (effect, rival)  # the smaller ratio first
    if all(_apart(ahead.own[model], behind.own[model]) for model in shared):
        return True
    if len(shared) < 3:
        return False
    smaller, larger = ([of.own[model].value for model in shared] for of in (ahead, behind))
    if goal == "accuracy":
        high = mean_interval(np.subtract(smaller, larger), effect.level).high
        return high is not None and high < 0
    high = ratio_interval(smaller, larger, effect.level).high
    return high is not None and high < 1


def _apart(lower: Interval, higher: Interval) -> bool:
    return lower.high is not None and higher.low is not None and lower.high < higher.low
