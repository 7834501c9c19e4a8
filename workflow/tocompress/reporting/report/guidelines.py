"""Recommend a variant for each goal and each budget of accuracy, from a study's own numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from tocompress.measurement.statistics import Interval, ratio_interval
from tocompress.reporting.effects import (
    ACCURACY_OF_ALL,
    SEVERAL,
    Effect,
    Effects,
    Option,
    counted,
    groups,
    percent,
    percent_interval,
    reasons,
)
from tocompress.reporting.figures.captions import listing
from tocompress.reporting.study import by_runtime
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE

#: The metrics that may matter most.
GOALS = ("size", "latency", "memory", "energy")
#: Points of top-1 or BLEU that each model may lose at most.
BUDGETS = (0.5, 1.0, 2.0, 5.0)

_MOST = 3  # rivals that are named


@dataclass(frozen=True)
class Choice:
    """The variant for a goal within a budget, its effect on the goal, and a remark."""

    option: str | None
    effect: str
    remark: str


@dataclass(frozen=True)
class Guideline:
    """The choices for one goal, one for each of `BUDGETS`, for models of one size in one runtime."""

    goal: str
    models: str
    choices: tuple[Choice, ...]


def guidelines(study: pd.DataFrame) -> list[Guideline]:
    """Return the guidelines for each of the `groups` of models, runtime by runtime, goal by goal.

    A variant is within a budget where the accuracy of each of its models is shown to fall by no more. It qualifies
    where it is shown to improve on fp32. The best mean is chosen, unless another is shown to be better over the models
    that have both. The interval over models can show it, or the interval of every single
    model. Models of unknown accuracy are left out, and so are goals without any effect.
    """
    tables = by_runtime(study)
    groups = [
        group
        for runtime, own in tables.items()
        for group in _groups(own, f" in {title(runtime)}" if runtime and len(tables) > 1 else "")
    ]
    return [
        Guideline(METRICS[goal].title, name, tuple(_choices(effects, goal, members)))
        for goal in GOALS
        for effects, name, members in groups
        if any(_effects(effects, goal, members))
    ]


def _groups(own: pd.DataFrame, where: str) -> Iterator[tuple[Effects, str, list[str]]]:
    """Yield the effects with each group of models whose accuracy is known, and its name."""
    effects = Effects(own)
    accuracies = [effects.of(ACCURACY_OF_ALL, Option(variant)) for variant in effects.variants]
    judged = {model for effect in accuracies if effect for model in effect.own}
    for name, members in groups(own).items():
        if known := [model for model in members if model in judged]:
            yield effects, counted(len(known), f"{name} model") + where, known


def _effects(effects: Effects, goal: str, members: Sequence[str]) -> dict[Option, Effect]:
    """Return the known effects on a goal over some models."""
    options = [option for variant in effects.variants for option in effects.options(goal, variant)]
    return {option: effect for option in options if (effect := effects.of(goal, option, members))}


def _choices(effects: Effects, goal: str, members: Sequence[str]) -> Iterator[Choice]:
    known = _effects(effects, goal, members)
    for budget in BUDGETS:
        kept = {option: one for option, one in known.items() if _within(effects, option, members, budget)}
        yield _best(kept, len(members)) if kept else Choice(None, "", "no variant is shown to keep that much")


def _within(effects: Effects, option: Option, members: Sequence[str], budget: float) -> bool:
    """Return whether each member that has the variant is shown to lose at most the budget."""
    accuracy = effects.of(ACCURACY_OF_ALL, Option(option.variant), members)
    return accuracy is not None and all(
        interval.low is not None and interval.low >= -budget for interval in accuracy.own.values()
    )


def _best(kept: Mapping[Option, Effect], members: int) -> Choice:
    """Return the best of the variants within a budget."""
    shown = {option: effect for option, effect in kept.items() if effect.smaller}
    if not shown:
        nearest = min(kept, key=lambda option: kept[option].mean.value)
        return Choice(
            None, "", f"none is shown to improve on fp32; {nearest} comes nearest: {_told(kept[nearest], members)}"
        )
    unbeaten = [option for option, one in shown.items() if not any(_better(other, one) for other in shown.values())]
    choice, *rest = sorted(unbeaten or shown, key=lambda option: shown[option].mean.value)
    rivals = [str(option) for option in rest if set(shown[option].own) & set(shown[choice].own)]
    return Choice(
        str(choice), _told(shown[choice], members), f"not told apart from {listing(rivals, _MOST)}" if rivals else ""
    )


def _told(effect: Effect, members: int) -> str:
    """Return an effect as `−74.6 % (−75.0 to −74.1 %, 2 of 11 models)`."""
    of = f"{len(effect.own)} of {counted(members, 'model')}"
    return f"{percent(effect.mean.value)} ({', '.join(filter(None, [percent_interval(effect.mean), of]))})"


def _better(rival: Effect, effect: Effect) -> bool:
    """Return whether `rival` is shown to be smaller over the models that have both."""
    shared = [model for model in rival.own if model in effect.own]
    if not shared or rival is effect:
        return False
    if all(_apart(rival.own[model], effect.own[model]) for model in shared):
        return True
    if len(shared) < SEVERAL:
        return False
    smaller, larger = ([of.own[model].value for model in shared] for of in (rival, effect))
    high = ratio_interval(smaller, larger, effect.level).high
    return high is not None and high < 1


def _apart(lower: Interval, higher: Interval) -> bool:
    return lower.high is not None and higher.low is not None and lower.high < higher.low


def unjudged(study: pd.DataFrame) -> str:
    """Return which models have no accuracy and why, or an empty text."""
    judges = study[study["metric"].map(lambda name: METRICS[name].judges)]
    known = set(judges.loc[judges["value"].notna(), "model"])
    unknown = judges[~judges["model"].isin(known) & judges["variant"].eq(BASELINE)]
    if unknown.empty:
        return ""
    count = counted(unknown["model"].nunique(), "model")
    return f"Nothing is recommended for {count} of unknown accuracy ({listing(reasons(unknown))})."
