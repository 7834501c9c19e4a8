"""Decide when a latency has been measured long enough, and how far it can be trusted.

The rule asks that the samples of each input agree, and that fresh processes agree. The median's interval by ranks
tolerates rare interruptions. The mean's interval by batches is wide where neighbouring samples are alike. Student's
interval between processes is the reported one. Each must be within a target fraction of its value.

Few processes may agree by luck, and these are often off. If values scatter by 10 %, intervals that are narrow after
five to eight processes hold the truth only three times in four. So the session's usual spread must make the interval
narrow as well. It is the median over conditions, so one condition that scatters does not hold up the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tocompress.measurement.statistics import (
    Change,
    batch_interval,
    between_processes,
    converged,
    correlation,
    expected_half_width,
    median_interval,
    relative_half_width,
    relative_spread,
    shared_change,
    trend,
)
from tocompress.schemas.benchmark import RECORDED
from tocompress.vocabulary.levels import LEVEL, TARGET

#: Variant, arithmetic.
Condition = tuple[str, str]

#: A change of the machine counts if its probability by chance is below this.
SIGNIFICANCE = 0.01

_CONDITION = ["variant", "arithmetic"]
_INPUT = [*_CONDITION, "input_id"]
_PROCESS = [*_INPUT, "process"]

#: Stands for all inputs while rows are made, because pandas leaves nulls out of groups.
_ALL = ""


@dataclass(frozen=True)
class Rule:
    """When to stop. `minimum_samples` counts for each input. At 95 %, bounds of a median by ranks need 6 samples."""

    level: float = LEVEL
    target: float = TARGET
    minimum_processes: int = 5
    minimum_samples: int = 6


class Machine(NamedTuple):
    """How the machine itself changed: over the session and within its blocks."""

    drift: Change
    drift_within: Change


def unfinished(latency: pd.DataFrame, rule: Rule) -> set[Condition]:
    """Return the conditions of `latency` (schema `latency`, as measured so far) that need another process.

    A condition is finished when it has the minimum of processes and samples, and its intervals are within the target.
    Every input has the median's by ranks and the mean's by batches. All inputs together have `process_widths`.
    """
    timed = _timed(latency)
    by_process = timed.groupby([*_CONDITION, "process"], sort=False)["duration_s"].median().reset_index()
    medians = dict(_grouped(by_process, _CONDITION, "duration_s"))
    spread = usual_spread(medians.values())
    processes_differ = {
        condition
        for condition, observed in medians.items()
        if len(observed) < rule.minimum_processes
        or not within(rule.target, process_widths(observed, spread, rule.level))
    }
    samples_differ = {
        (variant, arithmetic)
        for (variant, arithmetic, _), durations in _grouped(timed, _INPUT, "duration_s")
        if len(durations) < rule.minimum_samples
        or not converged(median_interval(durations, rule.level), rule.target)
        or not converged(batch_interval(durations, rule.level), rule.target)
    }
    return processes_differ | samples_differ


def usual_spread(medians: Iterable[np.ndarray]) -> float:
    """Return the median over conditions of the relative spread of process medians, or NaN if each has only one."""
    spreads = [relative_spread(observed) for observed in medians if len(observed) > 1]
    return float(np.median(spreads)) if spreads else math.nan


def process_widths(medians: np.ndarray, spread: float, level: float) -> dict[str, float | None]:
    """Return relative half-widths between processes, from the condition's own spread and the session's usual one."""
    if len(medians) < 2:
        return {"process_width": None, "usual_width": None}
    own = relative_half_width(between_processes(medians, level))
    return {"process_width": own, "usual_width": expected_half_width(spread, len(medians), level)}


def within(target: float, widths: Mapping[str, float | None]) -> bool:
    """Return whether every width is known and at most the target."""
    return all(width is not None and width <= target for width in widths.values())


def diagnose(latency: pd.DataFrame, level: float = LEVEL, target: float = TARGET) -> pd.DataFrame:
    """Return schema `diagnostics`: for each condition a row of all inputs (`input_id` null) and one of each input.

    `stationary` is false in all rows where the machine changed significantly (p < `SIGNIFICANCE`) and by more than half
    the target. A change is over the session (process medians relative to their condition's, against time) or from the
    first to the last third of its blocks.

    `converged` means stationary, and all intervals of the row are within the target: `process_widths`, and for one
    input also the intervals by ranks and by batches. `reason` says why a row is not converged.

    `autocorrelation` and `drift_within` use durations relative to their input, so inputs may differ in length. Both are
    null for fewer than three samples of an input in a process.
    """
    timed = _timed(latency)
    alike = timed.groupby(_PROCESS)["duration_s"]
    timed = timed.assign(relative=timed["duration_s"] / alike.transform("median"), repeats=alike.transform("size"))
    samples = pd.concat([timed.assign(input_id=_ALL), timed], ignore_index=True)
    blocks = _blocks(timed, samples)
    machine = _machine(blocks[blocks["input_id"] == _ALL])
    spreads = {
        input_id: usual_spread(medians for _, medians in _grouped(of_input, _CONDITION, "median_s"))
        for input_id, of_input in blocks.groupby("input_id", sort=False)
    }
    samples_of, blocks_of = (table.groupby(_INPUT, sort=False).indices for table in (samples, blocks))
    samples, blocks = samples.drop(columns=_INPUT), blocks.drop(columns=_INPUT)  # rows of these are slow to take
    rows = [
        _diagnosis(key, samples.iloc[places], blocks.iloc[blocks_of[key]], machine, spreads[key[2]], level, target)
        for key, places in samples_of.items()
    ]
    return pa.Table.from_pylist(rows, schema=RECORDED["diagnostics"]).to_pandas()


def _timed(latency: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that count, in the order of time."""
    return latency[~latency["warmup"].astype(bool)].sort_values("start_s", kind="stable", ignore_index=True)


def _grouped(table: pd.DataFrame, keys: list[str], column: str) -> Iterator[tuple[Any, np.ndarray]]:
    values = table[column].to_numpy(dtype=float)
    for key, places in table.groupby(keys, sort=False).indices.items():
        yield key, values[places]


def _blocks(timed: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return `start_s`, `median_s` and `growth` (last third to first) of each process, for all inputs and for each."""
    blocks = samples.groupby(_PROCESS, sort=False).agg(start_s=("start_s", "min"), median_s=("duration_s", "median"))
    of_inputs = _growth(timed)
    of_all = np.exp(np.log(of_inputs).groupby([*_CONDITION, "process"]).mean()).reset_index().assign(input_id=_ALL)
    growth = pd.concat([of_all, of_inputs.reset_index()])
    return blocks.reset_index().merge(growth, on=_PROCESS, how="left")


def _growth(timed: pd.DataFrame) -> pd.Series[float]:
    """Return the ratio of the last third's median to the first's, by process and input, of three samples at least."""
    runs = timed.groupby(_PROCESS)["start_s"]
    third = (3 * runs.cumcount() // runs.transform("size")).rename("third")
    medians = timed.groupby([*_PROCESS, third])["duration_s"].median().unstack("third").reindex(columns=[0, 2])
    return (medians[2] / medians[0]).rename("growth").dropna()


def _machine(blocks: pd.DataFrame) -> Machine:
    """Return the changes that the blocks of all conditions share."""
    by_condition = blocks.groupby(_CONDITION)["median_s"]
    relative = blocks["median_s"] / by_condition.transform("median")
    drift = trend(blocks["start_s"].to_numpy(), relative.to_numpy(), levels=by_condition.ngroups)
    return Machine(drift, shared_change(blocks["growth"].dropna().to_numpy()))


def _diagnosis(
    key: tuple[str, str, str],
    samples: pd.DataFrame,
    blocks: pd.DataFrame,
    machine: Machine,
    spread: float,
    level: float,
    target: float,
) -> dict[str, Any]:
    variant, arithmetic, input_id = key
    durations, medians = samples["duration_s"].to_numpy(dtype=float), blocks["median_s"].to_numpy(dtype=float)
    one_input = input_id != _ALL
    widths = process_widths(medians, spread, level)
    widths |= _sample_widths(durations, level) if one_input else {}
    median, p90, p99 = np.quantile(durations, (0.5, 0.9, 0.99)).tolist()
    autocorrelation = _autocorrelation(samples)
    drift = trend(blocks["start_s"].to_numpy(dtype=float), medians)
    unsteady = _unsteady(machine, target)
    reason = unsteady or _too_wide(widths, len(medians), len(durations), target)
    return {
        "variant": variant,
        "arithmetic": arithmetic,
        "input_id": input_id if one_input else None,
        "n": len(durations),
        "processes": len(medians),
        "median_s": median,
        "p90_s": p90,
        "p99_s": p99,
        **widths,
        "autocorrelation": autocorrelation,
        "effective_n": None if autocorrelation is None else _effective(len(durations), autocorrelation),
        "drift": drift.size,
        "drift_p": drift.p,
        "drift_within": shared_change(blocks["growth"].dropna().to_numpy()).size,
        **_of_session(machine),
        "stationary": unsteady is None,
        "converged": reason is None,
        "reason": reason,
    }


def _of_session(machine: Machine) -> dict[str, float | None]:
    return {
        "session_drift": machine.drift.size,
        "session_drift_p": machine.drift.p,
        "session_drift_within": machine.drift_within.size,
        "session_drift_within_p": machine.drift_within.p,
    }


def _sample_widths(durations: np.ndarray, level: float) -> dict[str, float | None]:
    return {
        "rank_width": relative_half_width(median_interval(durations, level)),
        "batch_width": relative_half_width(batch_interval(durations, level)),
    }


def _autocorrelation(samples: pd.DataFrame) -> float | None:
    """Return the correlation of neighbouring samples of one process, or None where samples are too few."""
    if samples["repeats"].min() < 3:
        return None
    process, relative = samples["process"].to_numpy(), samples["relative"].to_numpy()
    neighbours = process[1:] == process[:-1]
    return correlation(relative[:-1][neighbours], relative[1:][neighbours])


def _effective(n: int, autocorrelation: float) -> float:
    """Return how many independent samples tell as much about a mean. Alternation may be chance and adds none."""
    repeated = max(autocorrelation, 0.0)
    return n * (1 - repeated) / (1 + repeated)


def _unsteady(machine: Machine, target: float) -> str | None:
    for change, where in ((machine.drift, "the session"), (machine.drift_within, "a block")):
        if change.size is None or change.p is None:
            continue
        if change.p < SIGNIFICANCE and abs(change.size) > target / 2:
            direction = "slower" if change.size > 0 else "faster"
            return f"not stationary: {100 * abs(change.size):.0f} % {direction} at the end of {where}"
    return None


def _too_wide(widths: dict[str, float | None], processes: int, samples: int, target: float) -> str | None:
    """Return a phrase for the first interval that is not within the target."""
    after = {
        "process_width": ("interval", f"{processes} process{'es' * (processes != 1)}"),
        "usual_width": ("interval", f"{processes} processes of the session's usual spread"),
        "rank_width": ("interval of the median by ranks", f"{samples} sample{'s' * (samples != 1)}"),
        "batch_width": ("interval by batch means", f"{samples} sample{'s' * (samples != 1)}"),
    }
    for name, width in widths.items():
        interval, observed = after[name]
        if width is None:
            return f"no {interval} after {observed}"
        if width > target:
            return f"{interval} of ±{100 * width:.1f} % after {observed}"
    return None
