"""Turn the samples of one session into rows of the study's table: time, memory, shares of operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tocompress.measurement.records import CONTROL
from tocompress.measurement.rows import conditions, frame, measured, ratio_to_baseline, unavailable
from tocompress.measurement.statistics import between_processes, mean_interval
from tocompress.measurement.stopping import diagnose
from tocompress.vocabulary.levels import LEVEL, TARGET
from tocompress.vocabulary.operations import DEQUANTIZATION

#: Metrics of each part of a session that may be unavailable.
_METRICS = {
    "memory": ("memory",),
    "operations": ("operation_share",),
    "power": ("power_mean", "power_peak", "energy"),
}


def latency_rows(latency: pd.DataFrame, level: float = LEVEL, target: float = TARGET) -> pd.DataFrame:
    """Return rows of `latency` and, for translations, `latency_per_token` (ms), of each input and of all (no label).

    The value is the mean of the medians of fresh processes, with Student's interval. `ratio` is to fp32 with the same
    arithmetic, paired by process. Every process ran each input equally often, so medians over all inputs are of the
    same mixture. `converged` and `reason` come from `stopping.diagnose`.
    """
    timed = latency[~latency["warmup"].astype(bool)]
    translations = timed[timed["tokens"].fillna(0) > 0]
    per_token = translations.assign(duration_s=translations["duration_s"] / translations["tokens"].astype(float))
    return frame(
        row
        for metric, samples in (("latency", timed), ("latency_per_token", per_token))
        if len(samples)
        for row in _latency_rows(metric, samples, level, target)
    )


def _latency_rows(metric: str, samples: pd.DataFrame, level: float, target: float) -> Iterator[dict[str, Any]]:
    verdicts = _verdicts(samples, level, target)
    groups: list[tuple[str | None, pd.DataFrame]] = [(None, samples)]
    groups += [(str(input_id), group) for input_id, group in samples.groupby("input_id", sort=False)]
    for label, group in groups:
        by_process = group.groupby(["variant", "arithmetic", "process"])["duration_s"]
        medians, counts = 1000 * by_process.median(), by_process.size()
        for condition in conditions(medians):
            of_processes = medians[condition]
            yield (
                measured(
                    condition,
                    metric,
                    between_processes(of_processes.to_numpy(), level),
                    level,
                    target,
                    label=label,
                    n=int(counts[condition].sum()),
                    processes=len(of_processes),
                    ratio=ratio_to_baseline(medians, condition, level),
                )
                | verdicts[*condition, label]
            )


def _verdicts(samples: pd.DataFrame, level: float, target: float) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return `converged` and `reason` by variant, arithmetic and input (None: all)."""
    diagnostics = diagnose(samples, level, target).astype(object)
    rows = diagnostics.where(diagnostics.notna(), None).to_dict("records")
    return {
        (row["variant"], row["arithmetic"], row["input_id"]): {key: row[key] for key in ("converged", "reason")}
        for row in rows
    }


def memory_rows(
    memory: pd.DataFrame, processor: str = "cpu", level: float = LEVEL, target: float = TARGET
) -> pd.DataFrame:
    """Return the rows of `memory` (byte): the peak of a worker less the peak of the same round's control worker.

    Without a label it is the peak while inferring: the runs after the first, once the memory freed by loading has been
    given back. The label `loading` is the peak from reading the artifact to the end of the first inference, in which
    the runtime optimizes the graph and holds several copies of its constants. On a `gpu` the graphics memory, which
    only grows, is part of it.
    """
    peak_bytes = memory["vm_hwm"] + memory["nvmap"] if processor == "gpu" else memory["vm_hwm"]
    peaks = memory.assign(peak=peak_bytes).pivot(
        index=["variant", "arithmetic", "process"], columns="phase", values="peak"
    )
    if peaks.isna().to_numpy().any():
        reason = _why_no_peaks(memory)
        return frame(unavailable(condition, "memory", reason) for condition in conditions(peaks["last"]))
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
                n=len(over_control[condition]),
                processes=len(over_control[condition]),
                ratio=ratio_to_baseline(over_control, condition, level),
            )
            for condition in conditions(over_control)
        ]
    return frame(rows)


def _why_no_peaks(memory: pd.DataFrame) -> str:
    if memory["vm_hwm"].isna().any():
        return "the device's kernel does not tell a process's peak memory by phase"
    return "the device does not tell how much graphics memory a process has (a Jetson does, to root)"


def _over_control(peak: pd.Series[float]) -> pd.Series[float]:
    """Return how far each model's peak is over the peak of the control worker of the same process number."""
    of_control = peak.index.get_level_values("variant") == CONTROL
    control = peak[of_control].droplevel(["variant", "arithmetic"])
    models = peak[~of_control].astype(float)
    return models - control.reindex(models.index.get_level_values("process")).to_numpy(dtype=float)


def operation_rows(operations: pd.DataFrame, level: float = LEVEL, target: float = TARGET) -> pd.DataFrame:
    """Return rows of `operation_share`: the fraction of a run's time, by class (the label), averaged over runs.

    A class that any variant spends time in has a row for all variants, zero where it does not occur. The runs are of
    one process. The share of dequantization is a lower bound: the runtime reorders weights that it does not know to be
    constant, and that time hides inside the convolutions.
    """
    keys = ["variant", "arithmetic", "run"]
    seconds = operations.pivot_table(
        index=keys, columns="operation_class", values="duration_s", aggfunc="sum", fill_value=0.0
    )
    if DEQUANTIZATION not in seconds:
        seconds[DEQUANTIZATION] = 0.0
    shares = seconds.div(seconds.sum(axis=1), axis=0)
    return frame(
        measured(
            condition,
            "operation_share",
            mean_interval(shares[label][condition].to_numpy(), level),
            level,
            target,
            label=label,
            n=len(shares[label][condition]),
            processes=1,
        )
        for condition in conditions(shares)
        for label in sorted(shares)
    )


def unavailable_rows(latency: pd.DataFrame, part: str, reason: str) -> pd.DataFrame:
    """Return unavailable rows for the metrics of a part (memory, operations, power), for every variant timed."""
    conditions = latency[["variant", "arithmetic"]].drop_duplicates().itertuples(index=False, name=None)
    return frame(unavailable(condition, metric, reason) for condition in conditions for metric in _METRICS[part])
