"""Estimate times and ratios to fp32 from short slices that take turns.

A process's time is a quantile of its runs, such as the median or the tenth percentile. Its logarithm is the sum of
three parts: the condition, the machine's state in the generation, and the fresh process. The ratio is of processes of
the same generation, so the machine's state cancels. The variation between generations holds all that a new set of
processes would change, so the intervals rest on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tocompress.measurement.statistics import Interval, exponential, mean_interval, moderated_intervals
from tocompress.vocabulary.arithmetic import FLOAT
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.variants import BASELINE

#: Variant, arithmetic.
Condition = tuple[str, str]

#: The condition that all ratios are to.
REFERENCE: Condition = (BASELINE, FLOAT)

_CONDITION = ["variant", "arithmetic"]


class Estimate(NamedTuple):
    """The time of a condition in the samples' unit, its ratio to the reference, and the generations behind both."""

    value: Interval
    ratio: Interval | None
    generations: int


class Noise(NamedTuple):
    """Standard deviations of log times: the machine from round to round, fresh processes, and slices otherwise."""

    machine: float
    process: float
    sample: float


def of_one_input(latency: pd.DataFrame) -> pd.DataFrame:
    """Return the timed runs of one input, without warm-up and batches."""
    return latency[~latency["warmup"].astype(bool) & (latency["batch"] == 1)]


def levels(samples: pd.DataFrame, quantile: float, column: str = "duration_s") -> pd.DataFrame:
    """Return the log time [generation, condition] of timed runs of one batch. It is null where one took no part.

    A process's time is the mean over inputs of the quantile of its runs. Several processes of a condition in a
    generation are averaged.
    """
    keys = [*_CONDITION, "generation", "process"]
    of_inputs = samples.groupby([*keys, "input_id"], sort=False)[column].quantile(quantile)
    logarithms = np.log(of_inputs.groupby(keys, sort=False).mean())
    return logarithms.groupby([*_CONDITION, "generation"]).mean().unstack(_CONDITION).sort_index()


def estimates(levels: pd.DataFrame, level: float = LEVEL) -> dict[Condition, Estimate]:
    """Return the estimate of each condition from log times [generation, condition].

    The time has Student's interval over the condition's generations. The ratio is of levels in the same generation. Its
    interval shares the spread between the conditions of the session (`moderated_intervals`).
    """
    ratios, generations = _ratios(levels, level), levels.count()
    return {
        condition: Estimate(exponential(time), ratios.get(condition), int(generations[condition]))
        for condition, time in _times(levels, level).items()
    }


def _times(levels: pd.DataFrame, level: float) -> dict[Condition, Interval]:
    """Return log times in the usual state of the machine over all generations, which the reference shows.

    A condition that took part in some generations alone would otherwise have the time of these.
    """
    times = levels.to_numpy()
    if REFERENCE in levels:
        reference = levels[REFERENCE].to_numpy()
        beside = np.where(np.isfinite(times), reference[:, None], np.nan)  # the reference in a condition's generations
        times = times + (np.nanmean(reference) - np.nanmean(beside, axis=0))
    return {
        condition: mean_interval(own[np.isfinite(own)], level) for condition, own in zip(levels, times.T, strict=True)
    }


def _ratios(levels: pd.DataFrame, level: float) -> dict[Condition, Interval]:
    if REFERENCE not in levels:
        return {}
    differences = log_ratios(levels)
    found = moderated_intervals(differences.to_numpy().T, level)
    same = Interval(1.0, 1.0, 1.0)
    return {REFERENCE: same} | dict(zip(differences, map(exponential, found), strict=True))


def across(levels: pd.DataFrame, reference: pd.Series[float], level: float = LEVEL) -> dict[Condition, Interval]:
    """Return the ratio of each condition to a reference of another runtime, from log times of the same generations."""
    differences = levels.sub(reference, axis=0).dropna(how="all")
    found = moderated_intervals(differences.to_numpy().T, level)
    return dict(zip(differences, map(exponential, found), strict=True))


def log_ratios(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the log ratios [generation, condition] to the reference of all other conditions."""
    return levels.sub(levels[REFERENCE], axis=0).drop(columns=[REFERENCE])


def noise(samples: pd.DataFrame) -> Noise:
    """Return how much of the variation of log times is the machine, the process and the rest, from medians of slices.

    A log time is the sum of the condition, the process, the machine's state in the round, and the rest. Sums of squares
    of the table [round, process] of each generation give the variance of each part (analysis of variance).
    """
    keys = [*_CONDITION, "process", "generation", "round"]
    medians = np.log(samples.groupby(keys, sort=False)["duration_s"].median())
    medians -= medians.groupby(_CONDITION).transform("mean")
    tables = [part.unstack(keys[:3]).to_numpy() for _, part in medians.groupby("generation")]
    states = [table.mean(axis=1) for table in tables]
    processes = [table.mean(axis=0) - table.mean() for table in tables]
    rests = [table - process - state[:, None] for table, process, state in zip(tables, processes, states, strict=True)]
    count_rounds, count_processes = np.array([table.shape for table in tables]).T
    conditions = medians.groupby(_CONDITION).ngroups
    sample = _mean_square(rests, np.sum((count_rounds - 1) * (count_processes - 1)))
    process = _mean_square(processes, np.sum(count_processes - 1) - (conditions - 1)) - sample / count_rounds.mean()
    machine = np.var(np.concatenate(states), ddof=1) - (max(process, 0.0) + sample) / count_processes.mean()
    return Noise(*(float(np.sqrt(max(part, 0.0))) for part in (machine, process, sample)))


def _mean_square(deviations: list[np.ndarray], degrees: int) -> float:
    return float(sum(np.sum(part**2) for part in deviations) / max(degrees, 1))
