"""Turn the samples of one session into rows of the study's table: time, memory, shares of operations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from tocompress.measurement.estimate import REFERENCE, Condition, across, levels, of_one_input
from tocompress.measurement.records import CONTROL
from tocompress.measurement.rows import conditions, frame, judged, measured, ratio_to_baseline, unavailable
from tocompress.measurement.statistics import Interval, mean_interval
from tocompress.measurement.stopping import verdicts
from tocompress.vocabulary.levels import LEVEL, TARGET
from tocompress.vocabulary.operations import DEQUANTIZATION

_CONDITION = ["variant", "arithmetic"]
_PROCESS = [*_CONDITION, "generation", "process"]

TOO_SHORT = "operations are too short for the runtime's clock"

#: Metrics of each part of a session that may be unavailable.
_METRICS = {
    "memory": ("memory",),
    "operations": ("operation_share", "integer_share"),
    "power": ("power_mean", "power_peak", "energy"),
}


def time_rows(
    latency: pd.DataFrame,
    loading: pd.DataFrame,
    quantile: float,
    level: float = LEVEL,
    target: float = TARGET,
    first: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the rows of all times of a session in one runtime: inferences, tokens, batches, processors, loading.

    `quantile` of a process's runs is its time. `measurement.estimate` describes values and ratios,
    `measurement.stopping` when they are settled. `first` is the latency in the study's first runtime, to whose fp32
    the inference times of another runtime have a ratio too.
    """
    timed = of_one_input(latency)
    translations = timed[timed["tokens"].fillna(0) > 0]
    per_token = translations.assign(duration_s=translations["duration_s"] / translations["tokens"].astype(float))
    batches = latency[~latency["warmup"].astype(bool)]
    first_runs = latency[latency["round"] == 0].sort_values("start_s").groupby(_PROCESS, as_index=False).first()
    rows_of = partial(_rows_of, quantile=quantile, level=level, target=target)
    return frame(
        chain(
            rows_of("latency", timed, by_input=True, first=None if first is None else of_one_input(first)),
            rows_of("latency_per_token", per_token, by_input=True),
            *(
                rows_of("throughput", of_size, scale=float(size), power=-1, label=str(size))
                for size, of_size in batches.groupby("batch")
            ),
            rows_of("processor_time", timed, column="processor_s"),
            rows_of("load", loading.assign(input_id="")),
            rows_of("first_inference", first_runs),
        )
    )


def _rows_of(
    metric: str,
    samples: pd.DataFrame,
    quantile: float,
    level: float,
    target: float,
    *,
    column: str = "duration_s",
    scale: float = 1000.0,
    power: int = 1,
    label: str | None = None,
    by_input: bool = False,
    first: pd.DataFrame | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row of each condition, and with `by_input` a row of each input too.

    A value is `scale` times the seconds to the `power`.
    """
    beside: dict[Condition, Interval] = {}
    if first is not None:
        beside = across(levels(samples, quantile, column), levels(first, quantile, column)[REFERENCE], level)
    groups: list[tuple[str | None, pd.DataFrame]] = [(label, samples)] if len(samples) else []
    groups += [(str(name), group) for name, group in samples.groupby("input_id", sort=False)] if by_input else []
    for name, group in groups:
        of_conditions = group.groupby(_CONDITION)
        runs, processes = of_conditions.size(), of_conditions["process"].nunique()
        logarithms = np.log(scale) + power * levels(group, quantile, column)
        for condition, verdict in verdicts(logarithms, level, target).items():
            n, of_processes = int(runs[condition]), int(processes[condition])
            other = {"across": beside[condition]} if name is None and condition in beside else {}
            yield judged(condition, metric, verdict, level, label=name, n=n, processes=of_processes, **other)


def memory_rows(
    memory: pd.DataFrame, processor: str = "cpu", level: float = LEVEL, target: float = TARGET
) -> pd.DataFrame:
    """Return the rows of `memory` (byte): the peak of a worker less the peak of the same round's control worker.

    Without a label it is the peak while inferring: the runs after the first, once the memory freed by loading has been
    given back. The label `loading` is the peak from reading the artifact to the end of the first inference, in which
    the runtime optimizes the graph and holds several copies of its constants. On a `gpu` the graphics memory, which
    only grows, is part of it.
    """
    peaks = _peaks(memory, processor)
    if peaks.isna().to_numpy().any():
        reason = _why_no_peaks(memory)
        return frame(unavailable(condition, "memory", reason) for condition in conditions(peaks["last"]))
    processes = memory.groupby(_CONDITION)["process"].nunique()
    rows: list[dict[str, Any]] = []
    for label, peak in ((None, peaks["last"]), ("loading", peaks[["loaded", "first"]].max(axis=1))):
        over_control = _over_control(peak)
        rows += [
            measured(
                condition,
                "memory",
                mean_interval(over_control[condition].to_numpy(), level),
                level,
                target,
                label=label,
                n=int(processes[condition]),
                processes=int(processes[condition]),
                ratio=ratio_to_baseline(over_control, condition, level),
            )
            for condition in conditions(over_control)
        ]
    return frame(rows)


def peaks_over_control(memory: pd.DataFrame, processor: str = "cpu") -> pd.Series[float]:
    """Return the peak of each variant, arithmetic and generation while inferring, above the control process's."""
    return _over_control(_peaks(memory, processor)["last"])


def _peaks(memory: pd.DataFrame, processor: str) -> pd.DataFrame:
    """Return the peak of each variant, arithmetic and generation, a column a phase."""
    peak_bytes = memory["vm_hwm"] + memory["nvmap"] if processor == "gpu" else memory["vm_hwm"]
    keys = ["variant", "arithmetic", "generation", "phase"]  # fp32 has two processes in a generation
    return memory.assign(peak=peak_bytes).groupby(keys, dropna=False, sort=False)["peak"].mean().unstack("phase")


def _why_no_peaks(memory: pd.DataFrame) -> str:
    if memory["vm_hwm"].isna().any():
        return "the device's kernel does not tell a process's peak memory by phase"
    return "the device does not tell how much graphics memory a process has (a Jetson does, to root)"


def _over_control(peak: pd.Series[float]) -> pd.Series[float]:
    """Return how far each model's peak is over the peak of the control worker of the same generation."""
    of_control = peak.index.get_level_values("variant") == CONTROL
    control = peak[of_control].droplevel(["variant", "arithmetic"])
    models = peak[~of_control].astype(float)
    return models - control.reindex(models.index.get_level_values("generation")).to_numpy(dtype=float)


def operation_rows(operations: pd.DataFrame, level: float = LEVEL, target: float = TARGET) -> pd.DataFrame:
    """Return rows of `operation_share`: the fraction of a run's time, by class (the label), averaged over runs.

    A class that any variant spends time in has a row for all variants, zero where it does not occur. The runs are of
    one process. The share of dequantization is a lower bound: the runtime reorders weights that it does not know to be
    constant, and that time hides inside the convolutions.
    """
    keys = ["variant", "arithmetic", "run"]
    timed = operations[operations["duration_s"].notna()]
    told = conditions(timed.set_index(_CONDITION))
    rows = [
        unavailable(condition, "operation_share", TOO_SHORT)
        for condition in conditions(operations.set_index(_CONDITION))
        if condition not in told
    ]
    seconds = timed.pivot_table(
        index=keys, columns="operation_class", values="duration_s", aggfunc="sum", fill_value=0.0
    )
    if DEQUANTIZATION not in seconds:
        seconds[DEQUANTIZATION] = 0.0
    shares = seconds.div(seconds.sum(axis=1), axis=0)
    return frame(
        [
            *rows,
            *_share_rows("operation_share", shares, level, target),
            *_share_rows("integer_share", _integer_shares(operations), level, target),
            *_float_rows(operations, level, target),
        ]
    )


def _integer_shares(operations: pd.DataFrame) -> pd.DataFrame:
    """Return the share of operations that computed in integers, by condition and run: of their number and their time.

    The share of time is null where the runtime's clock is too coarse.
    """
    runs = operations.assign(
        number=operations["integer"].astype(float),
        seconds=operations["duration_s"].where(operations["integer"].astype(bool), 0.0 * operations["duration_s"]),
    ).groupby(["variant", "arithmetic", "run"])
    of_time = runs["seconds"].sum(min_count=1) / runs["duration_s"].sum(min_count=1)
    return pd.DataFrame({"count": runs["number"].mean(), "time": of_time})


def _float_rows(operations: pd.DataFrame, level: float, target: float) -> Iterator[dict[str, Any]]:
    """Yield rows of the classes (the label) that stay in floats, at least in part, where others compute in integers.

    Their `integer_share` is by number. Conversions between floats and integers are no such class.
    """
    computing = operations[operations["operation_class"] != DEQUANTIZATION]
    for condition, of_condition in computing.groupby(_CONDITION):
        shares = of_condition.groupby("operation_class")["integer"].mean()
        if not shares.any():
            continue
        runs = int(of_condition["run"].nunique())
        for label, share in shares[shares < 1].items():
            exact = Interval(float(share), float(share), float(share))
            yield measured(condition, "integer_share", exact, level, target, label=str(label), n=runs, processes=1)


def _share_rows(metric: str, shares: pd.DataFrame, level: float, target: float) -> Iterator[dict[str, Any]]:
    """Yield a row of each condition and column of `shares`, which holds a row of each profiled run."""
    for condition in conditions(shares):
        for label in sorted(shares):
            of_runs = shares[label][condition].dropna().to_numpy(float)
            if not len(of_runs):
                yield unavailable(condition, metric, TOO_SHORT) | {"label": label}
                continue
            interval = mean_interval(of_runs, level)
            yield measured(condition, metric, interval, level, target, label=label, n=len(of_runs), processes=1)


def unavailable_rows(latency: pd.DataFrame, part: str, reason: str) -> pd.DataFrame:
    """Return unavailable rows for the metrics of a part (memory, operations, power), for every variant timed."""
    conditions = latency[["variant", "arithmetic"]].drop_duplicates().itertuples(index=False, name=None)
    return frame(unavailable(condition, metric, reason) for condition in conditions for metric in _METRICS[part])
