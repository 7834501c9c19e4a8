"""The finding of a study: a sentence, a few numbers behind it, and a warning, all made from the table by rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd

from tocompress.measurement.statistics import Interval
from tocompress.models.registry import NETWORKS
from tocompress.reporting.effects import (
    ACCURACY_OF_ALL,
    Effect,
    Effects,
    Option,
    counted,
    groups,
    percent,
    percent_interval,
)
from tocompress.reporting.figures.captions import few_bits, listing
from tocompress.reporting.study import by_runtime, whole
from tocompress.reporting.style import in_points
from tocompress.vocabulary.arithmetic import INTEGER
from tocompress.vocabulary.levels import LEVEL, TARGET
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, methods_of

_BUDGET = 1.0  # points of accuracy that the recommended variant may lose
_TILES = ("size", ACCURACY_OF_ALL, "latency", "memory", "energy")
_NAMES = {"size": "file size", ACCURACY_OF_ALL: "accuracy", "latency": "inference time"}
_SHARES = {1 / 2: "half", 1 / 3: "a third", 1 / 4: "a quarter", 1 / 5: "a fifth", 1 / 8: "an eighth"}
_NEAR = 0.05  # of a share, within which it is called by its name


@dataclass(frozen=True)
class Tile:
    """A number of the finding: its value, its name, and its interval with the models behind it."""

    value: str
    name: str
    evidence: str


@dataclass(frozen=True)
class Finding:
    """The finding in a sentence, a second sentence on the paper's way where it is another, and the numbers."""

    sentence: str
    beside: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class _Candidate:
    """A variant in one arithmetic of a runtime, with its effects by metric. Each effect is over a group of models."""

    runtime: str | None
    option: Option
    effects: dict[str, tuple[Effect, str]]

    def effect(self, metric: str) -> Effect | None:
        return self.effects[metric][0] if metric in self.effects else None


def finding(study: pd.DataFrame) -> Finding:
    """Return the finding of a table of schema `study`.

    A variant counts where at least half of the models have it, and where few bits were judged on real weights. Its
    accuracy must be shown to fall by at most one point over the judged models. The finding is of the fastest such
    variant. Where none is shown to be faster than fp32, the finding is of the smallest one. The second sentence tells
    of equally many bits in the study's first runtime.
    """
    candidates = [one for runtime, own in by_runtime(study).items() for one in _candidates(runtime, own)]
    kept = [one for one in candidates if _keeps(one.effect(ACCURACY_OF_ALL))]
    faster = [one for one in kept if (time := one.effect("latency")) and time.smaller]
    if not kept:
        return Finding(_none(candidates), "", ())
    first, second = ("latency", "size") if faster else ("size", "latency")
    best = min(faster or kept, key=lambda one: (_value(one, first), _value(one, second)))
    facts = study.drop_duplicates("variant").set_index("variant")
    several = study["runtime"].nunique() > 1
    return Finding(
        f"{_named(best, facts, several)}: {listing(_phrases(best))}.",
        _of_first_runtime(best, candidates, facts),
        tuple(_tiles(best)),
    )


def _candidates(runtime: str | None, own: pd.DataFrame) -> Iterator[_Candidate]:
    """Yield the variants that at least half of the models have, in each timed arithmetic."""
    effects, members = Effects(own), groups(own)
    judged = _most(effects, ACCURACY_OF_ALL)
    for variant in effects.variants:
        accuracy = effects.of(ACCURACY_OF_ALL, Option(variant))
        if accuracy and (2 * len(accuracy.own) < judged or few_bits(own, product(accuracy.own, [variant]))):
            continue
        for option in effects.options("latency", variant) or [Option(variant)]:
            found = {metric: one for metric in _TILES if (one := _effect(effects, metric, option, members))}
            yield _Candidate(runtime, option, found)


def _most(effects: Effects, metric: str) -> int:
    found = (effects.of(metric, Option(variant)) for variant in effects.variants)
    return max((len(effect.own) for effect in found if effect), default=0)


def _effect(
    effects: Effects, metric: str, option: Option, members: Mapping[str, Collection[str]]
) -> tuple[Effect, str] | None:
    """Return the effect over the first group of models that has one, with the name of the group."""
    known = effects.options(metric, option.variant)
    chosen = option if option in known else next(iter(known), None)
    for name, models in members.items():
        if chosen and (effect := effects.of(metric, chosen, models)):
            return effect, name
    return None


def _keeps(accuracy: Effect | None) -> bool:
    return accuracy is not None and accuracy.mean.low is not None and accuracy.mean.low >= -_BUDGET


def _value(candidate: _Candidate, metric: str) -> float:
    effect = candidate.effect(metric)
    return effect.mean.value if effect else float("inf")


def _none(candidates: Sequence[_Candidate]) -> str:
    """Return why there is no finding."""
    if not any(one.effect(ACCURACY_OF_ALL) for one in candidates):
        return "No compressed variant of this study has a known accuracy."
    return f"No variant is shown to keep its accuracy within {_BUDGET:g} point."


def _named(candidate: _Candidate, facts: pd.DataFrame, several: bool) -> str:
    """Return a variant by its techniques: `8-bit integers (i8) in LiteRT`."""
    row = facts.loc[candidate.option.variant]
    where = f" in {title(candidate.runtime)}" if candidate.runtime and several else ""
    mode = "" if candidate.option.arithmetic == INTEGER else candidate.option.mode
    how = f", {mode}" if mode else ""
    text = f"{_described(row)} ({candidate.option.variant}{how}){where}"
    return text[0].upper() + text[1:]


def _described(row: pd.Series[Any]) -> str:
    methods, bits = methods_of(row["methods"]), row["bits"]
    phrases = []
    if PRUNE in methods:
        phrases.append("fewer filters")
    if QUANTIZE in methods:
        stored = "weights" if pd.isna(row["activations"]) else "integers"
        phrases.append("mixed bits" if pd.isna(bits) else f"{bits:g}-bit {stored}")
    phrases += [method for method in methods if method not in (PRUNE, QUANTIZE)]
    return listing(phrases)


def _phrases(candidate: _Candidate) -> Iterator[str]:
    """Yield the effects on size, accuracy and time in words."""
    if size := candidate.effect("size"):
        yield _size(size.mean.value)
    if accuracy := candidate.effect(ACCURACY_OF_ALL):
        yield _accuracy(accuracy)
    if time := candidate.effect("latency"):
        yield _time(time)


def _size(ratio: float) -> str:
    """Return the share of the size in words where it is near a simple one."""
    share = min(_SHARES, key=lambda known: abs(known - ratio))
    return f"{_SHARES[share]} of the size" if abs(ratio - share) <= _NEAR * share else f"×{ratio:.2f} of the size"


def _accuracy(effect: Effect) -> str:
    change = _points(effect.mean.value)
    if effect.smaller:
        return f"{change.removeprefix(_MINUS)} points of accuracy lost"
    return f"{change} points of accuracy" if effect.larger else "no clear loss of accuracy"


def _time(effect: Effect) -> str:
    if effect.smaller or effect.larger:
        return f"×{effect.mean.value:.2f} of the time"
    return "no clear change of time"


def _of_first_runtime(best: _Candidate, candidates: Sequence[_Candidate], facts: pd.DataFrame) -> str:
    """Return the times under weights of as many bits in the first runtime, where the best is in another."""
    first = candidates[0].runtime
    bits = facts.at[best.option.variant, "bits"]
    if first is None or best.runtime == first or pd.isna(bits):
        return ""
    alike = facts["bits"].eq(bits) & facts["methods"].eq(QUANTIZE) & facts["options"].isna()
    told = [
        f"{one.option.mode}: {_time(time)}".removeprefix(": ")
        for one in candidates
        if one.runtime == first and one.option.variant in set(facts.index[alike]) and (time := one.effect("latency"))
    ]
    return f"In {title(first)}, {bits:g}-bit weights {'; '.join(told)}." if told else ""


def _tiles(candidate: _Candidate) -> Iterator[Tile]:
    for metric, (effect, group) in candidate.effects.items():
        judged = metric == ACCURACY_OF_ALL
        value = f"{_points(effect.mean.value)} points" if judged else percent(effect.mean.value)
        bounds = _interval_in_points(effect.mean) if judged else percent_interval(effect.mean)
        models = f"{counted(len(effect.own), f'{group} model')}"
        evidence = ", ".join(filter(None, [bounds or "exact", models]))
        yield Tile(value, _NAMES.get(metric) or METRICS[metric].title, evidence)


_MINUS = "\N{MINUS SIGN}"


def _points(change: float) -> str:
    return in_points(change, "score", name=False)


def _interval_in_points(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{_points(interval.low)} to {_points(interval.high)} points"


def unsettled(study: pd.DataFrame) -> str:
    """Return how many times and ratios of times are not settled, or an empty text where all are."""
    times = pd.concat([whole(own, "latency") for own in by_runtime(study).values()])
    times = times[times["value"].notna()]
    wide = int((~times["settled"].fillna(True).astype(bool)).sum())
    compared = times[times["ratio"].notna() & times["variant"].ne(BASELINE)]
    loose = int((~compared["ratio_settled"].fillna(True).astype(bool)).sum())
    if not wide and not loose:
        return ""
    clear = int((compared["ratio_low"].gt(1) | compared["ratio_high"].lt(1)).sum())
    chance = round((1 - LEVEL) * len(compared))
    return (
        f"{len(times) - wide} of {counted(len(times), 'time')} and {len(compared) - loose} of"
        f" {counted(len(compared), 'ratio')} to fp32 settled: within ±{100 * TARGET:g} %, on a machine that held still."
        f" A ratio is paired within its session: {clear} of {len(compared)} exclude no change, of which about {chance}"
        " would do so by chance."
    )


def has_networks_of_paper(study: pd.DataFrame) -> bool:
    """Return whether a study has any of the paper's networks. Without them, no number of the paper can be judged."""
    return bool(study["network"].isin(list(NETWORKS)).any())
