"""Say why each variant is faster or slower than fp32 on a device, from measured evidence alone.

A class of operations explains a slow-down if it takes at least half of the added time. `Unknown` stands where the
evidence does not suffice. Shares are of the time of all profiled operations, and are taken as shares of an inference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tocompress.measurement.statistics import Interval
from tocompress.reporting.effects import reasons
from tocompress.reporting.figures.captions import listing
from tocompress.reporting.study import by_runtime, whole
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, INTEGER, ONCE
from tocompress.vocabulary.levels import TARGET
from tocompress.vocabulary.operations import (
    CONVOLUTION,
    DEPTHWISE_CONVOLUTION,
    DEQUANTIZATION,
    MATRIX_MULTIPLICATION,
    OPERATION_CLASSES,
)
from tocompress.vocabulary.processors import NONE, UNKNOWN
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, methods_of

_MULTIPLYING = (CONVOLUTION, DEPTHWISE_CONVOLUTION, MATRIX_MULTIPLICATION)
_MOST = 0.5  # of a change, or of the operations, is most of it
_LITTLE = 0.05  # of fp32's time is too little to notice
_NOTHING = Interval(0.0, 0.0, 0.0)
#: The labels of the share in integers, the better evidence first, and what they are a share of.
_INTEGERS_OF = {"time": "its operation time is", "count": "its operations are"}
_KEYS = ["device", "model", "variant", "arithmetic"]


@dataclass(frozen=True)
class Evidence:
    """All that a study knows about a variant's time in one runtime and arithmetic.

    `shares` are of the operation time, by class, and `baseline_shares` are fp32's. They are empty without a profile,
    and `unprofiled` then says why. `integers` is the share of operations in integers. It is of their time, or else of
    their number. `kept` are the shares in integers of the classes that keep floats. `macs` is the ratio to fp32.
    `products` is a word of `integer_products`. `elsewhere` is the fastest other runtime of the session, and the time
    of its fp32 as a share of this runtime's.
    """

    time: Interval
    arithmetic: str
    methods: tuple[str, ...]
    shares: Mapping[str, Interval] = field(default_factory=dict)
    baseline_shares: Mapping[str, Interval] = field(default_factory=dict)
    integers: float | None = None
    integers_of: str = _INTEGERS_OF["time"]
    kept: Mapping[str, float] = field(default_factory=dict)
    macs: float | None = None
    products: str = UNKNOWN
    unprofiled: str = ""
    elsewhere: tuple[str, float] | None = None

    @property
    def pruned(self) -> bool:
        return PRUNE in self.methods

    @property
    def quantized(self) -> bool:
        return QUANTIZE in self.methods

    @property
    def same(self) -> bool:
        """Return whether the ratio may be 1. With the same shapes, it may also lie within the target of 1."""
        low, high = _bounds(self.time)
        return low <= 1 <= high or (not self.pruned and low >= 1 - TARGET and high <= 1 + TARGET)

    @property
    def saved_macs(self) -> float:
        """Return the share of fp32's multiply-accumulates that are saved, 0 where it is unknown."""
        return 0.0 if self.macs is None else 1 - self.macs

    @property
    def multiplying(self) -> float | None:
        """Return the most of fp32's time that multiplies, as a share. It is None without evidence.

        It is the share of operations that multiply. Where another runtime needs less time for the same network, it is
        taken to be that time.
        """
        known = self.baseline_shares
        of_operations = [sum(known[name].value for name in _MULTIPLYING if name in known)] if known else []
        return min([*of_operations, *([self.elsewhere[1]] if self.elsewhere else [])], default=None)

    @property
    def in_floats(self) -> list[str]:
        """Return the classes that mostly stay in floats."""
        return [name for name in OPERATION_CLASSES if self.kept.get(name, 1.0) < _MOST]

    @property
    def multiplies_in_integers(self) -> bool:
        """Return whether no multiplication stays in floats, though other operations do."""
        return bool(self.kept) and not any(name in self.kept for name in _MULTIPLYING)

    def share(self, name: str) -> float:
        """Return a class's share of the operation time, 0 for an absent class."""
        return self.shares.get(name, _NOTHING).value

    def added(self, name: str) -> float:
        """Return the time that a class adds to fp32's, as a share of fp32's."""
        return self.time.value * self.share(name) - self.baseline_shares.get(name, _NOTHING).value

    def explains(self, name: str) -> bool:
        """Return whether a class takes most of the added time, and surely more than in fp32."""
        least = _bounds(self.time)[0] * _bounds(self.shares.get(name, _NOTHING))[0]
        most_before = _bounds(self.baseline_shares.get(name, _NOTHING))[1]
        return least > most_before and self.added(name) >= _MOST * (self.time.value - 1)


def causes(study: pd.DataFrame, products: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each timed variant but fp32. It holds the ratio, the share in integers, and why.

    `products` holds a word of `integer_products` for each device.
    """
    rows = [
        {**{name: row[name] for name in _SHOWN}, "integers": evidence.integers, "why": because(evidence)}
        for runtime, own in by_runtime(study).items()
        for row, evidence in _evidence(own, products, _elsewhere(study, runtime))
    ]
    return pd.DataFrame(rows, columns=[*_SHOWN, "integers", "why"])


_SHOWN = ("device", "model", "network", "variant", "runtime", "arithmetic", "ratio", "ratio_low", "ratio_high")


def because(evidence: Evidence) -> str:
    """Return why a variant takes another time than fp32, or the same, as one sentence."""
    if not set(evidence.methods) <= {QUANTIZE, PRUNE}:
        return "Unknown: only the causes of quantization and pruning are known."
    if evidence.time.low is None or evidence.time.high is None:
        return "Unknown: too few observations for an interval."
    if evidence.same:
        tell = _same_in_integers if evidence.arithmetic == INTEGER else _same_in_floats
        within = evidence.time.low >= 1 - TARGET and evidence.time.high <= 1 + TARGET
        return f"{tell(evidence, f'as fast within {_percent(TARGET)}' if within else 'no clear change')}."
    return f"{_slower(evidence) if evidence.time.low > 1 else _faster(evidence)}."


def _slower(evidence: Evidence) -> str:
    if not evidence.shares:
        return f"Unknown: slower, and its operations were not profiled{_why(evidence)}"
    longest = max(evidence.shares, key=evidence.added)
    added = min(evidence.added(longest) / (evidence.time.value - 1), 1.0)
    if not evidence.explains(longest):
        if added >= _MOST:
            return "Unknown: slower, and no class of operations surely takes more time than in fp32"
        return f"Unknown: slower, and {longest} takes only {_percent(max(added, 0.0))} of the added time"
    takes = f"which takes {_of_time(evidence, longest)} and {_percent(added)} of the added time"
    if longest == DEQUANTIZATION:
        return f"Slower: {_DEQUANTIZES.get(evidence.arithmetic, 'it dequantizes')}, {takes}"
    without = evidence.arithmetic == INTEGER and evidence.products == NONE and longest in _MULTIPLYING
    processor = f"{_NO_INSTRUCTIONS}, and " if without else ""
    return f"Slower: {processor}it needs more time than fp32 for {longest}, {takes}"


_NO_INSTRUCTIONS = "the processor has no instructions for products of integers"
_DEQUANTIZES = {
    EVERY_INFERENCE: "it dequantizes its weights at every inference",
    ONCE: "some of its weights are still dequantized at every inference",
    INTEGER: "it converts between floats and integers",
}


def _same_in_floats(evidence: Evidence, told: str) -> str:
    if evidence.pruned and evidence.saved_macs > _LITTLE:
        return _same_though_pruned(evidence, told)
    if not evidence.quantized:
        return f"{told.capitalize()}: {_fewer(evidence)}" if evidence.macs is not None else f"Unknown: {told}"
    if evidence.added(DEQUANTIZATION) > _LITTLE:
        return f"Unknown: {told}, though dequantization takes {_of_time(evidence, DEQUANTIZATION)}"
    if evidence.arithmetic == ONCE:
        return f"{told.capitalize()}: its weights become floats while they are loaded, then it computes as fp32 does"
    if not evidence.shares:
        return f"Unknown: {told}, and its operations were not profiled{_why(evidence)}"
    return f"{told.capitalize()}: dequantization takes only {_of_time(evidence, DEQUANTIZATION)}"


def _same_though_pruned(evidence: Evidence, told: str) -> str:
    if evidence.multiplying is None:
        return f"Unknown: {told}, though {_fewer(evidence)}"
    possible = evidence.saved_macs * evidence.multiplying
    if possible <= _LITTLE:
        return f"{told.capitalize()}: {_fewer(evidence)}, but {_multiplying(evidence)}"
    if _bounds(evidence.time)[0] <= 1 - possible:
        return f"Unknown: {_fewer(evidence)}, and the interval is too wide to show whether time follows"
    return f"Unknown: {told}, though {_fewer(evidence)}"


def _same_in_integers(evidence: Evidence, told: str) -> str:
    if evidence.integers is None:
        return f"Unknown: {told}, and its share in integers was not measured{_why(evidence)}"
    if evidence.integers < _MOST:
        if evidence.integers_of != _INTEGERS_OF["time"]:  # a number says little about time
            return f"Unknown: {told}, while {_in_floats(evidence)}"
        return f"{told.capitalize()}: {_in_floats(evidence)}"
    longest = max(evidence.shares, key=evidence.added, default=None)
    if longest is not None and longest not in _MULTIPLYING and evidence.added(longest) > 2 * _LITTLE:
        what = _DEQUANTIZES[INTEGER] if longest == DEQUANTIZATION else f"it needs more time than fp32 for {longest}"
        return f"{told.capitalize()}: {what}, which takes {_of_time(evidence, longest)}"
    if evidence.products == NONE:
        return f"{told.capitalize()}: {_NO_INSTRUCTIONS}"
    return f"Unknown: {told}, though {_in_integers(evidence)}"


def _faster(evidence: Evidence) -> str:
    fewer = evidence.pruned and evidence.saved_macs > 0
    if evidence.arithmetic == INTEGER:
        told = _faster_in_integers(evidence)
        return f"{told}, and {_fewer(evidence)}" if fewer and not told.startswith("Unknown") else told
    if not fewer:
        return "Unknown: faster, though it computes in floats as fp32 does"
    saved = 1 - evidence.time.value
    if saved >= _MOST * evidence.saved_macs:
        return f"Faster: {_fewer(evidence)}"
    multiplying = 1.0 if evidence.multiplying is None else evidence.multiplying
    if multiplying < 1 - 2 * _LITTLE and saved >= _MOST * evidence.saved_macs * multiplying:
        return f"Faster: {_fewer(evidence)}, but {_multiplying(evidence)}"
    return f"Faster: {_fewer(evidence)}, though it is unknown why time falls by only {_percent(saved)}"


def _faster_in_integers(evidence: Evidence) -> str:
    if evidence.integers is None:
        return f"Unknown: faster, but its share in integers was not measured{_why(evidence)}"
    saved = -sum(map(evidence.added, _MULTIPLYING)) if evidence.shares else 0.0
    most = evidence.integers >= _MOST or saved >= _MOST * (1 - evidence.time.value)
    if not most and not evidence.multiplies_in_integers:
        return f"Unknown: faster, but only {_in_integers(evidence)}"
    told = _in_integers(evidence) if most else "all of its multiplications are in integers"
    rest = f"; {_in_floats(evidence)}" if evidence.integers < 1 - 2 * _LITTLE else ""
    processor = {
        NONE: f"though {_NO_INSTRUCTIONS}",
        UNKNOWN: "with instructions of the processor that are unknown",
    }.get(evidence.products, f"for whose products the processor has instructions ({evidence.products})")
    return f"Faster: {told}, {processor}{rest}"


def _fewer(evidence: Evidence) -> str:
    saved = _percent(evidence.saved_macs) if round(100 * evidence.saved_macs) > 0 else "no"
    return f"it computes {saved} fewer multiply-accumulates"


def _multiplying(evidence: Evidence) -> str:
    share = evidence.multiplying
    assert share is not None
    if evidence.elsewhere and share == evidence.elsewhere[1]:
        return f"fp32 spends most of its time elsewhere, as {evidence.elsewhere[0]} needs {_percent(share)} of it"
    return f"these take only {_percent(share)} of fp32's operation time"


def _in_integers(evidence: Evidence) -> str:
    assert evidence.integers is not None
    return f"{_percent(evidence.integers)} of {evidence.integers_of} in integers"


def _in_floats(evidence: Evidence) -> str:
    """Return the share of operations that stays in floats, with the names of their classes."""
    assert evidence.integers is not None
    name = f" ({listing(evidence.in_floats)})" if evidence.in_floats else ""
    return f"{_percent(1 - evidence.integers)} of {evidence.integers_of} still in floats{name}"


def _of_time(evidence: Evidence, name: str) -> str:
    return f"{_percent(evidence.share(name))} of the operation time"


def _why(evidence: Evidence) -> str:
    return f" ({evidence.unprofiled})" if evidence.unprofiled else ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _elsewhere(study: pd.DataFrame, runtime: str | None) -> dict[tuple[str, str], tuple[str, float]]:
    """Return the fastest other runtime of each device and model, and the time of its fp32 as a share of this one's.

    A runtime that needs more than half of the time tells nothing, since its operations may just be faster.
    """
    times = {}
    for other, own in by_runtime(study).items():
        latency = whole(own, "latency")
        times[other] = latency[latency["variant"] == BASELINE].set_index(["device", "model"])["value"]
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for other in times.keys() - {runtime}:
        for key, share in (times[other] / times[runtime]).dropna().items():
            if share < found.get(key, ("", _MOST))[1]:
                found[key] = title(str(other)), float(share)
    return found


def _evidence(
    own: pd.DataFrame, products: Mapping[str, str], elsewhere: Mapping[tuple[str, str], tuple[str, float]]
) -> Iterator[tuple[dict[Any, Any], Evidence]]:
    """Yield each row with a ratio of time, and its evidence. `own` is of one runtime."""
    times = whole(own, "latency")
    times = times[times["ratio"].notna() & times["variant"].ne(BASELINE)]
    shares, integers = (_by_label(own[own["metric"] == name]) for name in ("operation_share", "integer_share"))
    macs = whole(own, "macs").set_index(["model", "variant"])["ratio"].dropna().to_dict()
    unprofiled = _unprofiled(own)
    baselines = {key[:2]: found for key, found in shares.items() if key[2] == BASELINE}
    for row in times.to_dict("records"):
        key = tuple(row[name] for name in _KEYS)
        in_integers = integers.get(key, {})
        known = next((label for label in _INTEGERS_OF if label in in_integers), None)
        yield (
            row,
            Evidence(
                time=_interval(row, "ratio", "ratio_"),
                arithmetic=row["arithmetic"],
                methods=methods_of(row["methods"]),
                shares=shares.get(key, {}),
                baseline_shares=baselines.get(key[:2], {}),
                integers=in_integers[known].value if known else None,
                integers_of=_INTEGERS_OF[known] if known else "",
                kept={name: in_integers[name].value for name in OPERATION_CLASSES if name in in_integers},
                macs=macs.get((row["model"], row["variant"])),
                products=products.get(row["device"], UNKNOWN),
                unprofiled=listing(unprofiled.get((row["device"], row["model"], row["variant"]), ())),
                elsewhere=elsewhere.get((row["device"], row["model"])),
            ),
        )


def _by_label(rows: pd.DataFrame) -> dict[tuple[Any, ...], dict[str, Interval]]:
    """Return the known values of each variant by their labels."""
    found: dict[tuple[Any, ...], dict[str, Interval]] = {}
    for row in rows[rows["value"].notna()].to_dict("records"):
        found.setdefault(tuple(row[name] for name in _KEYS), {})[row["label"]] = _interval(row, "value", "")
    return found


def _unprofiled(own: pd.DataFrame) -> dict[tuple[Any, ...], Iterable[str]]:
    """Return why a variant of a model could not be profiled on a device."""
    missing = own[own["metric"].eq("operation_share") & own["basis"].eq("unavailable")]
    return {key: reasons(rows) for key, rows in missing.groupby(["device", "model", "variant"])}


def _interval(row: Mapping[Any, Any], column: str, prefix: str) -> Interval:
    low, high = (None if pd.isna(row[edge]) else float(row[edge]) for edge in (f"{prefix}low", f"{prefix}high"))
    return Interval(float(row[column]), low, high)


def _bounds(interval: Interval) -> tuple[float, float]:
    """Return the bounds of an interval, or its value where it has none."""
    value, low, high = interval
    return value if low is None else low, value if high is None else high
