"""Compare the paper's claims with this study's values. One rule gives each reading of a claim a verdict.

A claim is a region of numbers: the paper's number or range, widened by the equivalence margin, or its bound. The
study's interval `agrees` if it lies wholly within the region (two one-sided tests, each at half of the error that the
level allows). Otherwise it has the `same direction` if it excludes no change on the paper's side: the effect exists,
but has another size. Otherwise it `contradicts` if it lies wholly outside the region. Other intervals are too wide to
tell, so they are `undecided`. A claim that allows no change ("at most 5 %") or states a plain number has no direction.

Some values cannot be judged. Values of another model, dataset or kind of device are `not comparable`. Ratios and values
that are not settled and too few networks are `undecided`. The accuracy of a cut that was chosen by its accuracy is
`circular`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from tocompress.measurement.statistics import Interval
from tocompress.reporting.effects import SEVERAL, over_accuracies, over_amounts, over_models
from tocompress.reporting.intervals import difference, spanned
from tocompress.reporting.quantities import Measured, Quantities, printed
from tocompress.schemas.study import CLAIMS
from tocompress.settings.claims import Claim, Claims
from tocompress.settings.jobs import ClaimsJob
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import ACCURACY

AGREES, SAME_DIRECTION, CONTRADICTS, UNDECIDED = "agrees", "same direction", "contradicts", "undecided"
NOT_COMPARABLE, NOT_MEASURED, CIRCULAR = "not comparable", "not measured", "circular"
#: The verdicts on one reading of a claim.
VERDICTS = (AGREES, SAME_DIRECTION, CONTRADICTS, UNDECIDED, NOT_COMPARABLE, NOT_MEASURED, CIRCULAR)
#: The verdict on a claim whose readings have different verdicts.
DEPENDS = "depends on the reading"


def claims_table(study: pd.DataFrame, claims: Claims, settings: ClaimsJob) -> pd.DataFrame:
    """Return the table `claims` of the table `study`: a row for each reading of a claim, in their order.

    Values come from TensorFlow's graphs, from one device, the first with a GPU if any, and from one model per network.
    A mean has Student's interval from four models on, and the span of the models' own intervals below (`over_models`).
    Means of cost ratios and their intervals are computed from logarithms. A model's own interval is conservative if it
    compares two variants or combines several variants or classes. Their errors are taken as independent, or added up.
    """
    quantities = Quantities(study, settings)
    rows = [_row(claim, claims.margin_of(claim), quantities) for claim in claims.claims]
    return pd.DataFrame(rows, columns=CLAIMS.names)


def by_statement(claims: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each number or statement of the table `claims`: whether it is a `number`, and its `verdict`.

    The verdict is the one that all readings share, else `DEPENDS`. Readings that are not measured, not comparable or
    circular do not count if another reading is judged.
    """
    by_id = claims.groupby("claim", sort=False)
    shared = by_id["verdict"].agg(lambda verdicts: _shared(set(verdicts)))
    return pd.DataFrame({"number": by_id["paper"].count() > 0, "verdict": shared})


def _shared(verdicts: Collection[str]) -> str:
    if judged := [one for one in verdicts if one in (AGREES, SAME_DIRECTION, CONTRADICTS, UNDECIDED)]:
        return judged[0] if len(judged) == 1 else DEPENDS
    return next(one for one in (NOT_COMPARABLE, NOT_MEASURED, CIRCULAR) if one in verdicts)


def verdict(claim: Claim, margin: float, interval: Interval) -> str:
    """Return the verdict on `interval` by the rule above: agrees, same direction, contradicts or undecided.

    An interval without bounds is undecided.
    """
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
    """Return the ends of the numbers that agree with a claim."""
    low = -math.inf if claim.bound == "at most" else claim.numbers[0] - margin
    high = math.inf if claim.bound == "at least" else claim.numbers[-1] + margin
    return low, high


def _direction(claim: Claim) -> int:
    """Return the claim's side of no change, 1 or -1, or 0 if it allows no change or has no such point."""
    if claim.no_change is None:
        return 0
    low, high = _region(claim, 0)
    return int(low > claim.no_change) - int(high < claim.no_change)


def _row(claim: Claim, margin: float, quantities: Quantities) -> dict[str, Any]:
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
    measured, missing = quantities.measure(claim)
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


def _judged(claim: Claim, margin: float, measured: Sequence[Measured], interval: Interval) -> tuple[str, list[str]]:
    """Return the verdict and its reasons. `interval` is the number over all `measured`."""
    lacking = []
    if len(measured) < len(claim.networks):
        lacking.append(f"{len(measured)} of {len(claim.networks)} networks")
    if unsettled := sum(not one.settled for one in measured):
        lacking.append(f"{unsettled} of {len(measured)} not settled")
    if claim.circular:
        return CIRCULAR, ["the cut is chosen by the accuracy that it would be judged by", *lacking]
    if unmet := dict.fromkeys(condition for one in measured for condition in one.unmet):
        return NOT_COMPARABLE, [f"needs {' and '.join(unmet)}", *lacking]
    if claim.aggregation == "each":
        own = {one.model: verdict(claim, margin, one.interval) for one in measured if one.settled}
        # One contradicting model is enough, even if others are missing.
        if against := [model for model, judged in own.items() if judged == CONTRADICTS]:
            return CONTRADICTS, [f"by {', '.join(against)}", *lacking]
    needed = min(SEVERAL, len(claim.networks)) if claim.aggregation == "mean" else len(claim.networks)
    if unsettled or len(measured) < needed:
        return UNDECIDED, lacking
    judged = _weakest(own.values()) if claim.aggregation == "each" else verdict(claim, margin, interval)
    if judged == UNDECIDED:
        known = interval.low is not None
        return UNDECIDED, ["the interval is too wide" if known else "too few observations for an interval", *lacking]
    return judged, lacking


def _weakest(verdicts: Collection[str]) -> str:
    return next(one for one in (UNDECIDED, SAME_DIRECTION, AGREES) if one in verdicts)


def _aggregate(claim: Claim, measured: Sequence[Measured]) -> tuple[Interval, float | None]:
    """Return the number over models and the level of its interval. An extreme has the level of its own model."""
    own = [one.interval for one in measured]
    level = min((one.level for one in measured if one.level is not None), default=None)
    if claim.aggregation in ("minimum", "maximum"):
        one = _extreme(claim.aggregation, measured)
        return one.interval, one.level
    if claim.aggregation == "spread":
        return difference(_extreme("maximum", measured).interval, _extreme("minimum", measured).interval), level
    if claim.aggregation == "difference":
        return difference(*own), level
    if claim.aggregation == "each":
        return spanned(own), level
    level = LEVEL if len(own) >= SEVERAL else level
    if claim.expressed in ("change", "ratio"):
        ratios = [one.ratio for one in measured]
        accurate = claim.metric in ACCURACY
        mean = over_accuracies(ratios, [one.perfect for one in measured]) if accurate else over_models(ratios)
        return printed(claim, mean, None), level
    return over_amounts(own, LEVEL), level


def _extreme(aggregation: str, measured: Sequence[Measured]) -> Measured:
    pick = max if aggregation == "maximum" else min
    return pick(measured, key=lambda one: one.interval.value)


def _named(claim: Claim, measured: Sequence[Measured]) -> str:
    names = ", ".join(one.model for one in measured)
    if claim.aggregation not in ("minimum", "maximum") or len(measured) == 1:
        return names
    return f"{_extreme(claim.aggregation, measured).model}, the {claim.aggregation} of {names}"


def _why_missing(missing: Mapping[str, str]) -> str:
    """Return the reasons, each with its networks unless all networks share it."""
    by_reason: dict[str, list[str]] = {}
    for network, reason in missing.items():
        by_reason.setdefault(reason, []).append(network)
    if len(by_reason) == 1:
        return next(iter(by_reason))
    return "; ".join(f"{reason} ({', '.join(networks)})" for reason, networks in by_reason.items())
