"""Make the table `compared` of two studies: a row for each value that either of them has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from tocompress.comparing import accuracies
from tocompress.comparing.costs import TO_FP32, VALUE, Cost, Devices, Key, costs
from tocompress.comparing.differences import chance, corrected, interval
from tocompress.comparing.sides import Side
from tocompress.comparing.verdicts import EQUAL, NOT_COMPARABLE, VERDICTS, Limits, verdict, words
from tocompress.measurement.statistics import Interval, exponential
from tocompress.reporting import intervals
from tocompress.schemas.study import COMPARED
from tocompress.settings.jobs import CompareJob
from tocompress.vocabulary.metrics import COSTS, COUNTED, METRICS

_KEY = ["model", "variant", "device", "runtime", "arithmetic", "metric", "label"]
_SHARES = ("operation_share", "integer_share")  # of one process's profile, which says nothing of another session
_NO_INTERVAL = Interval(math.nan, None, None)


@dataclass(frozen=True)
class _Found:
    """A row of the table, and all that its verdict needs."""

    row: dict[str, Any]
    change: Interval = _NO_INTERVAL
    chance: float = math.nan
    limits: Limits | None = None  # None: the row has its verdict


def compare(here: Side, there: Side, settings: CompareJob) -> pd.DataFrame:
    """Return the table `compared`, sorted by verdict and by the size of the difference."""
    found = list(_Comparison(here, there, settings).rows())
    chances = corrected([one.chance for one in found])
    rows = [_judged(one, chance) for one, chance in zip(found, chances, strict=True)]
    rows.sort(key=lambda row: (VERDICTS.index(row["verdict"]), -_distance(row)))
    return pa.Table.from_pylist(rows, schema=COMPARED).to_pandas()


def paired_devices(here: Side, there: Side) -> Devices:
    """Return the devices of the same name. Two studies of one device each may name it as they like."""
    same = [(name, name) for name in here.devices if name in there.devices]
    if same or len(here.devices) != 1 or len(there.devices) != 1:
        return same
    return [(here.devices[0], there.devices[0])]


def _judged(found: _Found, chance: float) -> dict[str, Any]:
    if found.limits is None:
        return found.row
    told = verdict(found.row["metric"], found.change, chance, found.limits)
    return found.row | {"verdict": told, "chance": None if math.isnan(chance) else chance}


def _distance(row: Mapping[str, Any]) -> float:
    ratio, change = row.get("ratio"), row.get("change")
    return abs(math.log(ratio) if ratio else float(change or 0.0))


class _Comparison:
    """Two studies, and their costs."""

    def __init__(self, here: Side, there: Side, settings: CompareJob) -> None:
        self._here, self._there, self._settings = here, there, settings
        self._devices = dict(paired_devices(here, there))
        runtimes = sorted(set(here.study["runtime"].dropna()) & set(there.study["runtime"].dropna()))
        self._costs = costs(here, there, list(self._devices.items()), runtimes, settings)
        points = settings.compare.equal_points
        allowed = 1 - settings.level
        self._of_cost = Limits(1 / (1 + settings.compare.equal), 1 + settings.compare.equal, 1.0, allowed)
        self._of_accuracy = {"fraction": Limits(-points / 100, points / 100, 0.0, allowed)}
        self._of_accuracy["score"] = Limits(-points, points, 0.0, allowed)

    def rows(self) -> Iterator[_Found]:
        for row in self._values().to_dict("records"):
            known = {name: None if pd.isna(value) else value for name, value in row.items()}
            yield self._row(known)
            if self._key(known, TO_FP32) in self._costs:
                yield self._cost(known, TO_FP32)

    def _values(self) -> pd.DataFrame:
        """Return the values of both tables side by side, as far as either of them has one."""
        names = {theirs: ours for ours, theirs in self._devices.items()}
        there = self._there.study.assign(device=self._there.study["device"].map(lambda name: names.get(name, name)))
        tables = [_compared(table) for table in (self._here.study, there)]
        merged = tables[0].merge(tables[1], on=_KEY, how="outer", suffixes=("", "_there"), sort=False)
        return merged[merged["value"].notna() | merged["value_there"].notna()]

    def _row(self, row: Mapping[str, Any]) -> _Found:
        reason = self._why_not(row)
        if reason:
            return _Found(self._told(row, VALUE) | {"reason": reason, "verdict": NOT_COMPARABLE})
        if row["metric"] in COUNTED:
            return self._count(row)
        return self._cost(row, VALUE) if row["metric"] in COSTS else self._accuracy(row)

    def _why_not(self, row: Mapping[str, Any]) -> str | None:
        for value, basis, why, side in (
            (row["value"], row["basis"], row["reason"], self._here),
            (row["value_there"], row["basis_there"], row["reason_there"], self._there),
        ):
            if value is None:
                return f"not in {side.name}" if basis is None else f"unavailable in {side.name}: {why}"
        if row["dataset"] != row["dataset_there"]:
            return f"another test set: {row['dataset']} and {row['dataset_there']}"
        if row["metric"] in COSTS and self._key(row, VALUE) not in self._costs:
            return "timed on other inputs, or without samples in one of the studies"
        return None

    def _count(self, row: Mapping[str, Any]) -> _Found:
        """Return an exact ratio, which leaves nothing to chance."""
        here, there = row["value"], row["value_there"]
        told = self._told(row, VALUE) | {"ratio": here / there if there else None}
        return _Found(told | {"verdict": EQUAL if here == there else words(row["metric"])[here > there]})

    def _cost(self, row: Mapping[str, Any], quantity: str) -> _Found:
        cost = self._costs[self._key(row, quantity)]
        ratio = exponential(interval(cost.difference, self._settings.level))
        told = self._told(row, quantity) | _sides(cost) | _bounds("ratio", ratio) | {"level": self._settings.level}
        return _Found(told, ratio, chance(cost.difference), self._of_cost)

    def _accuracy(self, row: Mapping[str, Any]) -> _Found:
        """Return a change, paired by example where both studies predicted the same ones."""
        level = self._settings.scores.level
        place = row["runtime"], row["model"], row["variant"]
        here, there = self._here.predictions(*place), self._there.predictions(*place)
        reason = None
        if here is not None and there is not None and accuracies.same_examples(here, there):
            language = self._settings.languages.get(row["dataset"])
            change = accuracies.paired(row["metric"], here, there, self._settings.scores, language)
        else:
            change = intervals.difference(_interval(row, ""), _interval(row, "_there"))
            reason = "not paired: predictions are missing, or of other examples"
        told = self._told(row, VALUE) | _bounds("change", change) | {"level": level, "reason": reason}
        told |= {"n_here": row["n"], "n_there": row["n_there"]}
        return _Found(told, change, accuracies.chance(change, level), self._of_accuracy[told["unit"]])

    def _told(self, row: Mapping[str, Any], quantity: str) -> dict[str, Any]:
        """Return the columns that say which value a row is of."""
        unit = METRICS[row["metric"]].unit if quantity == VALUE else "1"
        told = {name: row[name] for name in _KEY} | {"quantity": quantity, "unit": unit}
        told |= {"dataset": row["dataset"] or row["dataset_there"], "here": row["value"], "there": row["value_there"]}
        return told | {"other_device": self._devices.get(row["device"]), "artifact": self._artifact(row)}

    def _artifact(self, row: Mapping[str, Any]) -> str | None:
        if row["runtime"] is None:
            return None
        place = row["runtime"], row["model"], row["variant"]
        digests = self._here.digests.get(place), self._there.digests.get(place)
        if None in digests:
            return None
        return "same" if digests[0] == digests[1] else "another"

    def _key(self, row: Mapping[str, Any], quantity: str) -> Key:
        place = (row[name] for name in ("device", "model", "runtime", "variant", "arithmetic", "metric", "label"))
        return Key(quantity, *place)


def _compared(study: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a study that can be compared with another study's."""
    whole = study["label"].isna()
    costs = study["metric"].isin(COSTS - set(_SHARES)) & whole
    batches = (study["metric"] == "throughput") & (study["label"] != "1")  # 1 is the inverse of the inference time
    judges = study["metric"].isin(accuracies.COMPARED)
    counts = study["metric"].isin(COUNTED) & whole
    columns = [*_KEY, "dataset", "value", "low", "high", "n", "basis", "reason"]
    return study.loc[costs | batches | judges | counts, columns]


def _sides(cost: Cost) -> dict[str, Any]:
    return {
        "here": math.exp(cost.here.value),
        "there": math.exp(cost.there.value),
        "n_here": cost.n_here,
        "n_there": cost.n_there,
    }


def _bounds(name: str, found: Interval) -> dict[str, Any]:
    return {name: _known(found.value), f"{name}_low": _known(found.low), f"{name}_high": _known(found.high)}


def _interval(row: Mapping[str, Any], side: str) -> Interval:
    return Interval(row[f"value{side}"], row[f"low{side}"], row[f"high{side}"])


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
