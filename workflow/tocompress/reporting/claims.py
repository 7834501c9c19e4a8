"""What the paper states beside this study's values, each reading with a verdict by one rule.

A claim is a region of numbers: the paper's number or range, widened by the equivalence margin, or its bound. A study's
interval that lies wholly within the region `agrees` (two one-sided tests, each at half of what the level leaves). Else
one that excludes no change, on the side that the paper names, has the `same direction`: the effect is there, if of
another size. Else one that lies wholly outside the region `contradicts`. What remains is `undecided`: too wide to tell.
A claim that allows no change ("at most 5 %"), or is of a plain number, has no direction.

Nothing is judged that the study's values do not carry: of another model, dataset or kind of device it is `not
comparable`; a value that did not converge, or too few networks, leave it `undecided`; the accuracy of a cut that was
chosen by its accuracy is `circular`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tocompress.measurement.statistics import Interval
from tocompress.models.registry import NETWORKS
from tocompress.reporting.effects import PERFECT, over_accuracies, over_amounts, over_models
from tocompress.reporting.study import models, whole
from tocompress.reporting.thresholds import largest_cuts
from tocompress.schemas.study import CLAIMS
from tocompress.settings.claims import LARGEST_CUT, Claim, Claims
from tocompress.settings.jobs import ClaimsJob
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import ACCURACY, COSTS, COUNTED, METRICS
from tocompress.vocabulary.operations import OPERATION_CLASSES
from tocompress.vocabulary.variants import BASELINE

AGREES, SAME_DIRECTION, CONTRADICTS, UNDECIDED = "agrees", "same direction", "contradicts", "undecided"
NOT_COMPARABLE, NOT_MEASURED, CIRCULAR = "not comparable", "not measured", "circular"
#: Of a claim in one reading.
VERDICTS = (AGREES, SAME_DIRECTION, CONTRADICTS, UNDECIDED, NOT_COMPARABLE, NOT_MEASURED, CIRCULAR)
#: Of a claim whose readings are judged differently.
DEPENDS = "depends on the reading"

#: So many networks say how networks differ; of fewer each is judged on its own (`over_models`).
_SEVERAL = 3

#: A model is of the published size when its parameters are the published number but for this share: other
#: vocabularies and numbers of classes are that near, other widths are not.
_SAME_SIZE = 0.1

#: What accuracies are published on, by task: a kind of dataset, and its name.
_PUBLISHED_DATA = {"classification": ("imagenet", "ImageNet"), "translation": ("wmt", "WMT")}

#: Of the time of a model that does not have a class of operations.
_NO_SHARE = {"value": 0.0, "low": 0.0, "high": 0.0, "converged": None}


class _Missing(Exception):
    """Why a quantity of a model cannot be had."""


@dataclass(frozen=True)
class _Measured:
    """What a claim is about, of one model."""

    model: str
    interval: Interval  # as the paper prints it
    ratio: Interval  # or value, that it is made of
    perfect: float  # the ratio that a model without a mistake would have; infinite for what has no such end
    level: float | None
    converged: bool
    unmet: tuple[str, ...]  # conditions of the paper that the model does not meet


def claims_table(study: pd.DataFrame, claims: Claims, settings: ClaimsJob) -> pd.DataFrame:
    """The table `claims`: a row a reading of a claim, in their order, from the table `study`.

    Values are of one device, the first with a GPU if any, and of one model a network. A mean is that of `over_models`:
    Student's interval over three models or more, else what the models' own intervals span; where it is of ratios of
    costs, mean and interval are those of the logarithms. Between two variants, or over several variants or classes of
    one model, its own interval is conservative: what the parts share is taken to be independent, or their errors to add
    up.
    """
    source = _Source(study, settings)
    rows = [_row(claim, claims.margin_of(claim), source) for claim in claims.claims]
    return pd.DataFrame(rows, columns=CLAIMS.names)


def by_statement(claims: pd.DataFrame) -> pd.DataFrame:
    """A row for each number or statement of the table `claims`: whether it is a `number`, and its `verdict`.

    The verdict is the one that its readings share, else that it depends on the reading. Readings that were not measured
    or are not comparable or circular are left aside where another is judged.
    """
    by_id = claims.groupby("claim", sort=False)
    shared = by_id["verdict"].agg(lambda verdicts: _shared(set(verdicts)))
    return pd.DataFrame({"number": by_id["paper"].count() > 0, "verdict": shared})


def _shared(verdicts: Collection[str]) -> str:
    if judged := [one for one in verdicts if one in (AGREES, SAME_DIRECTION, CONTRADICTS, UNDECIDED)]:
        return judged[0] if len(judged) == 1 else DEPENDS
    return next(one for one in (NOT_COMPARABLE, NOT_MEASURED, CIRCULAR) if one in verdicts)


def verdict(claim: Claim, margin: float, interval: Interval) -> str:
    """Agrees, same direction, contradicts or undecided; see the module. Without bounds it is undecided."""
    if interval.low is None or interval.high is None:
        return UNDECIDED
    low, high = _region(claim, margin)
    if low <= interval.low and interval.high <= high:
        return AGREES
    direction, no_change = _direction(claim), claim.no_change or 0.0
    if (direction > 0 and interval.low > no_change) or (direction < 0 and interval.high < no_change):
        return SAME_DIRECTION
    return CONTRADICTS if interval.high < low or high < interval.low else UNDECIDED


def _region(claim: Claim, margin: float) -> tuple[float, float]:
    """The numbers that agree with a claim."""
    low = -math.inf if claim.bound == "at most" else claim.numbers[0] - margin
    high = math.inf if claim.bound == "at least" else claim.numbers[-1] + margin
    return low, high


def _direction(claim: Claim) -> int:
    """The side of no change that a claim is on: 1 or -1; 0 where it allows no change, or knows none."""
    if claim.no_change is None:
        return 0
    low, high = _region(claim, 0)
    return int(low > claim.no_change) - int(high < claim.no_change)


def _row(claim: Claim, margin: float, source: _Source) -> dict[str, Any]:
    stated = {
        "claim": claim.id,
        "reading": claim.reading,
        "section": claim.section,
        "figure": claim.figure,
        "statement": claim.statement,
        "unit": claim.unit,
        "paper": claim.paper,
        "paper_high": claim.paper_high,
        "bound": claim.bound,
        "margin": margin,
        "inconsistent_with": ", ".join(claim.inconsistent_with) or None,
    }
    measured, missing = source.measure(claim)
    fewest = 2 if claim.aggregation in ("spread", "difference") else 1
    if len(measured) < fewest:
        return stated | {"verdict": NOT_MEASURED, "reason": _why_missing(missing), "n": 0}
    comparable = [one for one in measured if not one.unmet]
    chosen = comparable if len(comparable) >= fewest else measured
    interval, level = _aggregate(claim, chosen)
    judged, reasons = _judged(claim, margin, chosen, interval)
    exact = interval.low == interval.high
    return stated | {
        "value": interval.value,
        "low": None if exact else interval.low,
        "high": None if exact else interval.high,
        "level": None if exact else level,
        "n": len(chosen),
        "verdict": judged,
        "reason": "; ".join(reasons) or None,
        "models": _named(claim, chosen),
    }


def _judged(claim: Claim, margin: float, measured: Sequence[_Measured], interval: Interval) -> tuple[str, list[str]]:
    """The verdict, and the reasons for it; `interval` is that over all `measured`."""
    lacking = []
    if len(measured) < len(claim.networks):
        lacking.append(f"{len(measured)} of {len(claim.networks)} networks")
    if unsettled := sum(not one.converged for one in measured):
        lacking.append(f"{unsettled} of {len(measured)} not converged")
    if claim.circular:
        return CIRCULAR, ["the cut is chosen by the accuracy that it would be judged by", *lacking]
    if unmet := dict.fromkeys(condition for one in measured for condition in one.unmet):
        return NOT_COMPARABLE, [f"needs {' and '.join(unmet)}", *lacking]
    if claim.aggregation == "each":
        own = {one.model: verdict(claim, margin, one.interval) for one in measured if one.converged}
        # One that contradicts is enough, whichever others are lacking.
        if against := [model for model, judged in own.items() if judged == CONTRADICTS]:
            return CONTRADICTS, [f"by {', '.join(against)}", *lacking]
    needed = min(_SEVERAL, len(claim.networks)) if claim.aggregation == "mean" else len(claim.networks)
    if unsettled or len(measured) < needed:
        return UNDECIDED, lacking
    judged = _weakest(own.values()) if claim.aggregation == "each" else verdict(claim, margin, interval)
    if judged == UNDECIDED:
        known = interval.low is not None
        return UNDECIDED, ["the interval is too wide" if known else "too few observations for an interval", *lacking]
    return judged, lacking


def _weakest(verdicts: Collection[str]) -> str:
    return next(one for one in (UNDECIDED, SAME_DIRECTION, AGREES) if one in verdicts)


def _aggregate(claim: Claim, measured: Sequence[_Measured]) -> tuple[Interval, float | None]:
    """The number over models, and the level of its interval; an extreme has that of the model which it is of."""
    own = [one.interval for one in measured]
    level = min((one.level for one in measured if one.level is not None), default=None)
    if claim.aggregation in ("minimum", "maximum"):
        one = _extreme(claim.aggregation, measured)
        return one.interval, one.level
    if claim.aggregation == "spread":
        return _difference(_extreme("maximum", measured).interval, _extreme("minimum", measured).interval), level
    if claim.aggregation == "difference":
        return _difference(*own), level
    if claim.aggregation == "each":
        return _span(own), level
    level = LEVEL if len(own) >= _SEVERAL else level
    if claim.expressed in ("change", "ratio"):
        ratios = [one.ratio for one in measured]
        accurate = claim.metric in ACCURACY
        mean = over_accuracies(ratios, [one.perfect for one in measured]) if accurate else over_models(ratios)
        return _printed(claim, mean, None), level
    return over_amounts(own, LEVEL), level


def _perfect(baseline: Sequence[Mapping[str, Any]]) -> float:
    if not baseline or not baseline[0]["value"]:
        return math.inf
    return PERFECT.get(baseline[0]["unit"], math.inf) / float(baseline[0]["value"])


def _extreme(aggregation: str, measured: Sequence[_Measured]) -> _Measured:
    pick = max if aggregation == "maximum" else min
    return pick(measured, key=lambda one: one.interval.value)


def _named(claim: Claim, measured: Sequence[_Measured]) -> str:
    names = ", ".join(one.model for one in measured)
    if claim.aggregation not in ("minimum", "maximum") or len(measured) == 1:
        return names
    return f"{_extreme(claim.aggregation, measured).model}, the {claim.aggregation} of {names}"


def _why_missing(missing: Mapping[str, str]) -> str:
    """The reasons, each with its networks unless it is that of all."""
    by_reason: dict[str, list[str]] = {}
    for network, reason in missing.items():
        by_reason.setdefault(reason, []).append(network)
    if len(by_reason) == 1:
        return next(iter(by_reason))
    return "; ".join(f"{reason} ({', '.join(networks)})" for reason, networks in by_reason.items())


class _Source:
    """The values of a study, by model, variant, metric, label and mode of dequantization."""

    def __init__(self, study: pd.DataFrame, settings: ClaimsJob) -> None:
        self._settings = settings
        self._device, self._processor = _device(study)
        rows = study[study["device"].isna() | (study["device"] == self._device)]
        rows = pd.concat(
            [whole(rows, *METRICS).assign(label=None), rows[rows["metric"] == "operation_share"]], ignore_index=True
        )
        rows = rows.astype(object).where(rows.notna(), None)
        self._rows = {
            (row["model"], row["variant"], row["metric"], row["label"], row["dequantization"]): row
            for row in rows.to_dict("records")
        }
        networks = study.drop_duplicates("model").set_index("model")["network"]
        self._models = {
            network: [model for model in models(study) if networks[model] == network] for network in NETWORKS
        }
        self._cuts = {model: cut.by_value for model, cut in largest_cuts(study).items()}

    def measure(self, claim: Claim) -> tuple[list[_Measured], dict[str, str]]:
        """A claim's quantity of a model of each network, one that meets its conditions if any; why there is none."""
        measured: list[_Measured] = []
        missing: dict[str, str] = {}
        for network in claim.networks:
            unmet = {model: self._unmet(claim, network, model) for model in self._models[network]}
            reasons = []
            for model in sorted(unmet, key=lambda model: len(unmet[model])):
                try:
                    measured.append(self._measure(claim, model, unmet[model]))
                    break
                except _Missing as reason:
                    reasons.append(str(reason))
            else:
                missing[network] = reasons[0] if reasons else "not in this study"
        return measured, missing

    def _unmet(self, claim: Claim, network: str, model: str) -> tuple[str, ...]:
        """The conditions under which a number is the paper's, as far as the study's rows tell.

        Of a device they tell the processor. Which GPU it is they do not.
        """
        unmet = []
        facts = NETWORKS[network]
        parameters = self._rows.get((model, BASELINE, "parameters", None, None), {}).get("value")
        if parameters is None or abs(parameters / facts.parameters - 1) > _SAME_SIZE:
            unmet.append("a model of the published size")
        if claim.metric in ACCURACY:
            kind, name = _PUBLISHED_DATA[facts.task]
            dataset = self._value(model, BASELINE, claim.metric, None, claim).get("dataset")
            if self._settings.data.get(str(dataset)) != kind:
                unmet.append(f"{name} (here {dataset})")
        if claim.metric in COSTS and self._processor != "gpu":
            unmet.append(f"the GPU of a board (here the {self._processor} of '{self._device}')")
        return tuple(unmet)

    def _measure(self, claim: Claim, model: str, unmet: tuple[str, ...]) -> _Measured:
        variants = [self._found(claim, model, self._variant(variant, model)) for variant in claim.variants]
        baseline = self._found(claim, model, self._variant(claim.baseline, model)) if claim.compared else []
        column = "ratio" if claim.compared else "value"
        interval = _average([_sum(_interval(row, column) for row in rows) for rows in variants])
        used = [*baseline, *(row for rows in variants for row in rows)]
        if claim.compared and claim.baseline != BASELINE:
            interval = _quotient(interval, _interval(baseline[0], column))
        return _Measured(
            model=model,
            interval=_printed(claim, interval, baseline[0]["value"] if baseline else None),
            ratio=interval,
            perfect=_perfect(baseline),
            level=min((row["level"] for row in used if row["level"] is not None), default=None),
            converged=all(row["converged"] is not False for row in used),
            unmet=unmet,
        )

    def _variant(self, variant: str, model: str) -> str:
        if variant != LARGEST_CUT:
            return variant
        cut = self._cuts.get(model)
        if cut is None:
            why = "keeps the accuracy within 5 %" if model in self._cuts else "has a known accuracy"
            raise _Missing(f"no pruned variant {why}")
        return cut

    def _found(self, claim: Claim, model: str, variant: str) -> list[dict[str, Any]]:
        """The rows of a variant that a claim is about: of its classes of operations, where the model has them."""
        if claim.labels:
            shares = [self._value(model, variant, claim.metric, label, claim) for label in OPERATION_CLASSES]
            known = [row for row in shares if row.get("value") is not None]
            if known:
                return [row for row in known if row["label"] in claim.labels] or [known[0] | _NO_SHARE]
        row = self._value(model, variant, claim.metric, None, claim)
        if row.get("ratio" if claim.compared else "value") is None:
            raise _Missing(self._why(claim, model, variant, row))
        return [row]

    def _value(self, model: str, variant: str, metric: str, label: str | None, claim: Claim) -> dict[str, Any]:
        """The row of a value: empty where there is none."""
        keys = [(model, variant, metric, label, mode) for mode in (claim.dequantization, None)]
        return next((self._rows[key] for key in keys if key in self._rows), {})

    def _why(self, claim: Claim, model: str, variant: str, row: Mapping[str, Any]) -> str:
        if row.get("value") is not None:
            return f"no ratio of {variant} to {BASELINE}"
        if row.get("reason"):
            return str(row["reason"])
        if any(key[:2] == (model, variant) for key in self._rows):
            return f"no {claim.metric} in this study"
        return f"variant {variant} was not made"


def _device(study: pd.DataFrame) -> tuple[str | None, str | None]:
    """The device whose values are compared with the paper's, the first with a GPU, else the first; its processor."""
    rows = study[study["device"].notna()]
    known = [*zip(rows["device"], rows["processor"], strict=True)]
    return next((one for one in known if one[1] == "gpu"), known[0] if known else (None, None))


def _interval(row: Mapping[str, Any], column: str) -> Interval:
    """A value or ratio of a row with its bounds; those of an exact one are itself."""
    value = float(row[column])
    if row["metric"] in COUNTED:
        return Interval(value, value, value)
    prefix = "ratio_" if column == "ratio" else ""
    return Interval(value, row[f"{prefix}low"], row[f"{prefix}high"])


def _printed(claim: Claim, interval: Interval, baseline: float | None) -> Interval:
    """A ratio or a value as the paper prints it; a difference takes the baseline's value as known."""
    expressed, scale = claim.expressed, claim.scale
    if expressed == "ratio":
        return interval
    if expressed == "change":
        return _map(interval, lambda ratio: 100 * (ratio - 1))
    if expressed == "value":
        return _map(interval, lambda value: scale * value)
    if expressed == "remainder":
        turned = Interval(interval.value, interval.high, interval.low)
        return _map(turned, lambda value: scale * (1 - value))
    assert baseline is not None  # a difference is compared
    return _map(interval, lambda ratio: scale * baseline * (ratio - 1))


def _map(interval: Interval, function: Callable[[float], float]) -> Interval:
    """The interval under a rising function of its value and bounds."""
    low, high = interval.low, interval.high
    return Interval(
        function(interval.value), None if low is None else function(low), None if high is None else function(high)
    )


def _sum(intervals: Iterable[Interval]) -> Interval:
    """The widths add up, as if all parts erred together."""
    values, lows, highs = zip(*intervals, strict=True)
    known = None not in lows and None not in highs
    return Interval(sum(values), sum(lows) if known else None, sum(highs) if known else None)


def _average(intervals: Sequence[Interval]) -> Interval:
    return _map(_sum(intervals), lambda total: total / len(intervals))


def _span(intervals: Sequence[Interval]) -> Interval:
    """The mean, within the bounds of all."""
    values, lows, highs = zip(*intervals, strict=True)
    known = None not in lows and None not in highs
    return Interval(sum(values) / len(values), min(lows) if known else None, max(highs) if known else None)


def _difference(first: Interval, second: Interval) -> Interval:
    """As if both were independent."""
    value = first.value - second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(value, None, None)
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, value - below, value + above)


def _quotient(first: Interval, second: Interval) -> Interval:
    """On the logarithmic scale, as if both were independent, though the baseline that they share cancels."""
    value = first.value / second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(value, None, None)
    if min(first.low, second.low) <= 0:
        return Interval(value, None, None)
    below = math.hypot(math.log(first.value / first.low), math.log(second.high / second.value))
    above = math.hypot(math.log(first.high / first.value), math.log(second.value / second.low))
    return Interval(value, value * math.exp(-below), value * math.exp(above))
