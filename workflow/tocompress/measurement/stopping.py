"""Decide when times have been measured long enough, and how far they can be trusted.

A value is settled when two half-widths are within the target, a twentieth of the value. One is of its own interval.
The other is of an interval as wide as the session's spread between generations may well make it. For a few generations
may agree by luck, and the intervals of these are often wrong. A time is not settled if the machine changed meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from tocompress.measurement.estimate import (
    REFERENCE,
    Condition,
    Estimate,
    estimates,
    levels,
    log_ratios,
    of_one_input,
)
from tocompress.measurement.statistics import (
    Change,
    Interval,
    batch_interval,
    correlation,
    half_width_left,
    largest_half_width,
    median_interval,
    relative_half_width,
    trend,
)
from tocompress.schemas.benchmark import RECORDED
from tocompress.vocabulary.levels import LEVEL, TARGET

#: A change of the machine counts if its probability by chance is below this.
SIGNIFICANCE = 0.01

_CONDITION = ["variant", "arithmetic"]

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Rule:
    """When to stop. The rule `paper` asks that the time of each input is settled, with `minimum_samples` of it."""

    level: float = LEVEL
    target: float = TARGET
    quantile: float = 0.5
    name: str = "comparison"
    minimum_samples: int = 6


@dataclass(frozen=True)
class Verdict:
    """An estimate, relative half-widths of its time and ratio by their names, and why each is not settled."""

    estimate: Estimate
    time_widths: Mapping[str, float | None]
    ratio_widths: Mapping[str, float | None]
    drift: Change
    target: float

    @property
    def why_time_not(self) -> str | None:
        return _unsteady(self.drift, self.target) or self._too_wide(self.time_widths)

    @property
    def why_ratio_not(self) -> str | None:
        return self._too_wide(self.ratio_widths)

    @property
    def is_compared(self) -> bool:
        """Return whether there is a ratio to another condition."""
        return bool(self.ratio_widths)

    @property
    def reason(self) -> str | None:
        """Return why the time or the ratio is not settled, or None if both are."""
        whys = {"time": self.why_time_not, "ratio": self.why_ratio_not}
        return "; ".join(f"{what}: {why}" for what, why in whys.items() if why) or None

    def _too_wide(self, widths: Mapping[str, float | None]) -> str | None:
        """Return a phrase for the first half-width that is not within the target."""
        for name, width in widths.items():
            interval = "interval" if name == "own" else "interval at the session's largest likely spread"
            after = f"{self.estimate.generations} generation{'s' * (self.estimate.generations != 1)}"
            if width is None:
                return f"no {interval} after {after}"
            if width > self.target:
                return f"{interval} of ±{100 * width:.1f} % after {after}"
        return None


def verdicts(of_generations: pd.DataFrame, level: float = LEVEL, target: float = TARGET) -> dict[Condition, Verdict]:
    """Return the verdict on each condition from log times [generation, condition]."""
    of_times, of_ratios = _usual_spread(of_generations), math.nan
    if REFERENCE in of_generations:
        of_ratios = _usual_spread(log_ratios(of_generations))
    drift = _drift(of_generations)
    found = {}
    for condition, estimate in estimates(of_generations, level).items():
        time_widths = _widths(estimate.value, of_times, estimate.generations, level)
        ratio_widths = {}
        if estimate.ratio is not None and condition != REFERENCE:
            ratio_widths = _widths(estimate.ratio, of_ratios, estimate.generations, level)
        found[condition] = Verdict(estimate, time_widths, ratio_widths, drift, target)
    return found


def _widths(interval: Interval, spread: float, generations: int, level: float) -> dict[str, float | None]:
    return {"own": relative_half_width(interval), "likely": largest_half_width(spread, generations, level)}


def _usual_spread(of_generations: pd.DataFrame) -> float:
    """Return the square root of the mean over conditions of the variance between generations, or NaN."""
    return float(np.sqrt(of_generations.var(axis=0, ddof=1).mean()))


def _drift(of_generations: pd.DataFrame) -> Change:
    """Return how the machine changed over the session, as the reference shows it, which is in every generation."""
    machine = of_generations[REFERENCE] if REFERENCE in of_generations else of_generations.iloc[:, 0]
    machine = (machine - machine.mean()).dropna()
    return trend(machine.index.to_numpy(float), np.exp(machine.to_numpy()))


def _unsteady(drift: Change, target: float) -> str | None:
    if drift.size is None or drift.p is None or drift.p >= SIGNIFICANCE or abs(drift.size) <= target / 2:
        return None
    direction = "higher" if drift.size > 0 else "lower"  # a throughput falls where a time rises
    return f"not stationary: {100 * abs(drift.size):.0f} % {direction} at the end of the session"


def of_runtime(table: pd.DataFrame, runtime: str) -> pd.DataFrame:
    """Return the rows of a runtime."""
    return table[table["runtime"] == runtime]


def still_open(latency: pd.DataFrame, rule: Rule, more: int) -> list[tuple[str, str, str]]:
    """Return the runtime, variant and arithmetic of each condition that should take part in another generation.

    `latency` is of schema `latency`. Each runtime is judged by itself, since times in one vary alike.
    """
    timed = of_one_input(latency)
    found: dict[tuple[str, str, str], Verdict] = {}
    with_open_inputs: list[tuple[str, str, str]] = []
    for runtime in dict.fromkeys(timed["runtime"]):
        here = of_runtime(timed, runtime)
        if rule.name == "paper":
            with_open_inputs += [(runtime, *condition) for condition in dict.fromkeys(_with_open_inputs(here, rule))]
        else:
            judged = verdicts(levels(here, rule.quantile), rule.level, rule.target)
            found |= {(runtime, *condition): verdict for condition, verdict in judged.items()}
    return with_open_inputs or worth_measuring(found, more, rule.level)


def worth_measuring(found: Mapping[_Key, Verdict], more: int, level: float = LEVEL) -> list[_Key]:
    """Return the conditions that are not settled and can be within `more` generations.

    If there are none, return all that are not settled.
    """
    unsettled = [condition for condition, verdict in found.items() if verdict.reason]
    return [condition for condition in unsettled if _reachable(found[condition], more, level)] or unsettled


def _reachable(verdict: Verdict, more: int, level: float) -> bool:
    """Return whether the time or the ratio, where it is not settled, can be within `more` generations."""
    left = half_width_left(verdict.estimate.generations, more, level)

    def can_settle(why_not: str | None, widths: Mapping[str, float | None]) -> bool:
        known = [width for width in widths.values() if width is not None]
        return why_not is not None and all(width * left <= verdict.target for width in known)

    steady = _unsteady(verdict.drift, verdict.target) is None
    of_time = steady and can_settle(verdict.why_time_not, verdict.time_widths)
    return of_time or can_settle(verdict.why_ratio_not, verdict.ratio_widths)


def _with_open_inputs(timed: pd.DataFrame, rule: Rule) -> Iterator[Condition]:
    """Yield the conditions with an input whose time is not settled or whose samples do not agree."""
    for _, of_input in timed.groupby("input_id", sort=False):
        of_processes = verdicts(levels(of_input, rule.quantile), rule.level, rule.target)
        for condition, durations in _durations(of_input):
            widths = _sample_widths(durations, rule.level).values()
            agree = all(width is not None and width <= rule.target for width in widths)
            if len(durations) < rule.minimum_samples or not agree or of_processes[condition].why_time_not:
                yield condition


def _durations(samples: pd.DataFrame) -> Iterator[tuple[Condition, np.ndarray]]:
    """Yield the seconds of each condition, in the order of time."""
    ordered = samples.sort_values("start_s", kind="stable")
    for (variant, arithmetic), of_condition in ordered.groupby(_CONDITION, sort=False):
        yield (variant, arithmetic), of_condition["duration_s"].to_numpy(float)


def _sample_widths(durations: np.ndarray, level: float) -> dict[str, float | None]:
    """Return the half-widths of the median's interval by ranks, and of the mean's interval by batches."""
    return {
        "rank_width": relative_half_width(median_interval(durations, level)),
        "batch_width": relative_half_width(batch_interval(durations, level)),
    }


def diagnose(latency: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Return schema `diagnostics`: for each condition a row of all inputs (`input_id` null) and one of each input."""
    rows: list[dict[str, Any]] = []
    for runtime, timed in of_one_input(latency).groupby("runtime", sort=False):
        parts: list[tuple[str | None, pd.DataFrame]] = [(None, timed)]
        parts += [(str(input_id), of_input) for input_id, of_input in timed.groupby("input_id", sort=False)]
        rows += [
            row | {"runtime": runtime} for input_id, samples in parts for row in _diagnoses(input_id, samples, rule)
        ]
    return pa.Table.from_pylist(rows, schema=RECORDED["diagnostics"]).to_pandas()


def _diagnoses(input_id: str | None, samples: pd.DataFrame, rule: Rule) -> Iterator[dict[str, Any]]:
    of_processes = verdicts(levels(samples, rule.quantile), rule.level, rule.target)
    for condition, durations in _durations(samples):
        verdict = of_processes[condition]
        median, p90, p99 = np.quantile(durations, (0.5, 0.9, 0.99)).tolist()
        autocorrelation = correlation(durations[:-1], durations[1:]) if input_id else None
        yield {
            "variant": condition[0],
            "arithmetic": condition[1],
            "input_id": input_id,
            "n": len(durations),
            "generations": verdict.estimate.generations,
            "median_s": median,
            "p90_s": p90,
            "p99_s": p99,
            **{f"{name}_width": width for name, width in verdict.time_widths.items()},
            **{f"ratio_{name}_width": width for name, width in verdict.ratio_widths.items()},
            **(_sample_widths(durations, rule.level) if input_id else {}),
            "autocorrelation": autocorrelation,
            "effective_n": None if autocorrelation is None else _effective(len(durations), autocorrelation),
            "drift": verdict.drift.size,
            "drift_p": verdict.drift.p,
            "settled": verdict.why_time_not is None,
            "ratio_settled": verdict.why_ratio_not is None if verdict.is_compared else None,
            "reason": verdict.reason,
        }


def _effective(n: int, autocorrelation: float) -> float:
    """Return how many independent samples tell as much about a mean. Alternation may be chance and adds none."""
    repeated = max(autocorrelation, 0.0)
    return n * (1 - repeated) / (1 + repeated)
