"""Which variant to choose when one thing matters most, as far as a study's own numbers show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from tocompress.measurement.statistics import Interval
from tocompress.reporting.effects import (
    ACCURACY_OF_ALL,
    Effect,
    Effects,
    Option,
    counted,
    over_models,
    percent,
    percent_interval,
    reasons,
)
from tocompress.reporting.figures.captions import listing
from tocompress.reporting.study import full_size, models
from tocompress.reporting.thresholds import BUDGET

#: What may matter most, and the metric that tells it.
GOALS = {
    "size": "size",
    "time": "latency",
    "energy": "energy",
    "memory": "memory",
    "accuracy": ACCURACY_OF_ALL,
}
_WITHIN = f"at most {100 * BUDGET:g} % of the accuracy lost"


@dataclass(frozen=True)
class Recommendation:
    """What to choose among models of one kind under one condition, or why nothing can be recommended.

    `effects` holds what it does to every goal, a text for each dequantization that matters, none where that is unknown;
    it is empty where nothing is chosen.
    """

    models: str
    condition: str
    choice: str | None
    effects: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remark: str = ""


def guidelines(study: pd.DataFrame) -> dict[str, list[Recommendation]]:
    """For each of `GOALS`, what to choose among full-size and among reduced models.

    A variant qualifies when it is shown to improve on fp32 (for accuracy: to keep all but the paper's 5 %). Of those
    that qualify, the one with the best mean is chosen, provided that no other is shown to be better over the models
    that have both. "Shown" means by the interval over models, or by every single model's own.
    """
    adviser = _Adviser(study)
    return {goal: list(adviser.recommend(goal)) for goal in GOALS}


class _Adviser:
    def __init__(self, study: pd.DataFrame) -> None:
        self._study = study
        self._effects = Effects(study)
        known, large = models(study), full_size(study)
        groups = {
            "full-size model": [model for model in known if model in large],
            "reduced model": [model for model in known if model not in large],
        }
        self._groups = {thing: members for thing, members in groups.items() if members}

    def recommend(self, goal: str) -> Iterator[Recommendation]:
        for thing, members in self._groups.items():
            if goal == "accuracy":
                yield self._best(goal, thing, members, _WITHIN, within=True)
                continue
            free = self._best(goal, thing, members, "at any accuracy")
            within = self._best(goal, thing, members, _WITHIN, within=True)
            if free.choice is not None and free.choice == within.choice:
                yield Recommendation(
                    free.models, f"at any accuracy; also with {_WITHIN}", free.choice, free.effects, free.remark
                )
            elif free.choice is None:
                yield free
            else:
                yield from (free, within)

    def _best(
        self, goal: str, thing: str, members: Sequence[str], condition: str, *, within: bool = False
    ) -> Recommendation:
        metric = GOALS[goal]
        name = f"{thing}s"
        effects = {
            option: effect
            for variant in self._effects.variants
            for option in self._effects.options(metric, variant)
            if (effect := self._effects.of(metric, option, members))
        }
        if not effects:
            return Recommendation(name, condition, None, remark=self._why(metric, members))
        allowed = {o: e for o, e in effects.items() if not within or self._keeps(o.variant, members)}
        if not allowed:
            return Recommendation(name, condition, None, remark="no variant is shown to keep that much")
        shown = {o: e for o, e in allowed.items() if goal == "accuracy" or e.below(1)}
        if not shown:
            nearest = _ranked(goal, allowed)[0]
            remark = f"no variant is shown to improve on fp32; {nearest} comes nearest: {told(allowed[nearest])}"
            return Recommendation(name, condition, None, remark=remark)
        unbeaten = {o: e for o, e in shown.items() if not any(_better(goal, rival, e) for rival in shown.values())}
        if not unbeaten:
            return Recommendation(name, condition, None, remark="each is beaten by another, over different models")
        choice, *rest = _ranked(goal, unbeaten)
        ahead = _ranked(goal, shown)
        beaten = ahead[: ahead.index(choice)]
        remark = _remark(shown, choice, rest, beaten)
        return Recommendation(name, condition, str(choice), dict(self._all_effects(choice, members)), remark)

    def _keeps(self, variant: str, members: Sequence[str]) -> bool:
        effect = self._accuracy(variant, members)
        return effect is not None and effect.at_least(1 - BUDGET)

    def _accuracy(self, variant: str, members: Sequence[str]) -> Effect | None:
        """Over these models or, where none of them is trained, over all that are."""
        option = Option(variant)
        return self._effects.of(ACCURACY_OF_ALL, option, members) or self._effects.of(ACCURACY_OF_ALL, option)

    def _all_effects(self, choice: Option, members: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for goal, metric in GOALS.items():
            if goal == "accuracy":
                effect = self._accuracy(choice.variant, members)
                yield goal, (told(effect, self._thing(effect)),) if effect else ()
                continue
            options = self._effects.options(metric, choice.variant)
            if choice in options:
                options = [choice]
            yield (
                goal,
                tuple(
                    f"{option.mode}: {told(effect)}" if option.mode and len(options) > 1 else told(effect)
                    for option in options
                    if (effect := self._effects.of(metric, option, members))
                ),
            )

    def _thing(self, effect: Effect) -> str:
        """What the models of an effect are, where all are of one kind."""
        kinds = [thing for thing, members in self._groups.items() if set(effect.own) <= set(members)]
        return kinds[0] if kinds else "model"

    def _why(self, metric: str, members: Sequence[str]) -> str:
        metrics = ("top1", "bleu") if metric == ACCURACY_OF_ALL else (metric,)
        rows = self._study[self._study["metric"].isin(metrics) & self._study["model"].isin(members)]
        return f"unknown: {listing(reasons(rows)) or 'not part of this study'}"


def told(effect: Effect, thing: str = "model") -> str:
    """`−74.6 % (−75.0 to −74.1 %, 2 models)`."""
    notes = ", ".join(filter(None, [percent_interval(effect.mean), counted(len(effect.own), thing)]))
    return f"{percent(effect.mean.value)} ({notes})"


def _remark(shown: dict[Option, Effect], choice: Option, rest: Sequence[Option], beaten: Sequence[Option]) -> str:
    """What speaks for others: `rest` are those that none is shown to be better than, `beaten` had the better mean."""
    chosen = shown[choice]
    close = [str(option) for option in rest if set(shown[option].own) & set(chosen.own)]
    apart = [str(option) for option in rest if str(option) not in close]
    notes = [
        f"better means, but over other models: {listing(map(str, beaten))}" if beaten else "",
        f"not told apart from {listing(close)}" if close else "",
        f"no model has both this and {listing(apart)}" if apart else "",
        f"{chosen.unconverged} of {counted(len(chosen.own), 'measurement')} did not converge"
        if chosen.unconverged
        else "",
    ]
    return "; ".join(filter(None, notes))


def _ranked(goal: str, effects: dict[Option, Effect]) -> list[Option]:
    """The best mean first."""
    return sorted(effects, key=lambda option: effects[option].mean.value, reverse=goal == "accuracy")


def _better(goal: str, rival: Effect, effect: Effect) -> bool:
    """Whether `rival` is shown to be better over the models that have both: by the interval over models of what lies
    between the two, or by intervals that are apart in every model."""
    shared = [model for model in rival.own if model in effect.own]
    if not shared or rival is effect:
        return False
    ahead, behind = (rival, effect) if goal != "accuracy" else (effect, rival)  # the smaller ratio first
    apart = all(_apart(ahead.own[model], behind.own[model]) for model in shared)
    if len(shared) < 2:
        return apart
    linear = goal == "accuracy"
    between = [
        Interval(1 + ahead.own[m].value - behind.own[m].value if linear else ahead.own[m].value / behind.own[m].value,
                 None, None)
        for m in shared
    ]  # fmt: skip
    high = over_models(between, effect.level, linear=linear).high
    return apart or (high is not None and high < 1)


def _apart(lower: Interval, higher: Interval) -> bool:
    return lower.high is not None and higher.low is not None and lower.high < higher.low
