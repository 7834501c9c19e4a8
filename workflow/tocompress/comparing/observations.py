"""Read the costs of one session as logarithms [generation or process, condition], by metric and label."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

import numpy as np
import pandas as pd

from tocompress.comparing.sides import Side
from tocompress.errors import StudyError
from tocompress.measurement.energy import figures_of_processes
from tocompress.measurement.estimate import levels, of_one_input
from tocompress.measurement.power import total_rails
from tocompress.measurement.stopping import of_runtime
from tocompress.measurement.summary import peaks_over_control

#: Metric and label (None: the whole variant) -> logarithms of values in the metric's unit.
Observations = Mapping[tuple[str, str | None], pd.DataFrame]

_CONDITION = ["variant", "arithmetic"]
_PROCESS = [*_CONDITION, "generation", "process"]
_LOG_MS = float(np.log(1000.0))


def observations(
    side: Side, device: str, model: str, runtime: str, quantile: float, rails: Collection[str] | None
) -> Observations:
    """Return the costs of a session in one of its runtimes. A part that the session lacks has no entry.

    `quantile` of a process's runs is its time. `rails` add up to the device's power (None: their names tell).
    """

    def here(name: str) -> pd.DataFrame:
        return of_runtime(side.table(device, model, name), runtime)

    found: dict[tuple[str, str | None], pd.DataFrame] = {}
    found |= _times(here("latency"), here("loading"), quantile)
    found |= _memory(here("memory"), _processor(side, device))
    with suppress(StudyError):  # a session without a known sensor has no power
        found |= _power(here("power"), here("windows"), rails)
    return {key: _finite(table) for key, table in found.items() if table.size}


def _times(latency: pd.DataFrame, loading: pd.DataFrame, quantile: float) -> Observations:
    """Return log times as the study's table has them, and log rates of batches."""
    timed = of_one_input(latency)
    found: dict[tuple[str, str | None], pd.DataFrame] = {
        (metric, None): _LOG_MS + levels(*samples) for metric, samples in _samples(timed, quantile)
    }
    first = latency[latency["round"] == 0].sort_values("start_s").groupby(_PROCESS, as_index=False).first()
    found["first_inference", None] = _LOG_MS + levels(first, quantile)
    found["load", None] = _LOG_MS + levels(loading.assign(input_id=""), quantile)
    batches = latency[~latency["warmup"].astype(bool) & (latency["batch"] > 1)]
    for size, of_size in batches.groupby("batch"):
        found["throughput", str(size)] = float(np.log(size)) - levels(of_size, quantile)
    return found


def _samples(timed: pd.DataFrame, quantile: float) -> Iterator[tuple[str, tuple[pd.DataFrame, float, str]]]:
    translations = timed[timed["tokens"].fillna(0) > 0]
    per_token = translations.assign(duration_s=translations["duration_s"] / translations["tokens"].astype(float))
    yield "latency", (timed, quantile, "duration_s")
    yield "latency_per_token", (per_token, quantile, "duration_s")
    yield "processor_time", (timed, quantile, "processor_s")


def _memory(memory: pd.DataFrame, processor: str) -> Observations:
    """Return the log peaks of a session whose device tells them."""
    if memory.empty or memory["vm_hwm"].isna().any() or (processor == "gpu" and memory["nvmap"].isna().any()):
        return {}
    peaks = peaks_over_control(memory, processor).unstack(_CONDITION)
    return {("memory", None): np.log(peaks.where(peaks > 0))}


def _power(power: pd.DataFrame, windows: pd.DataFrame, rails: Collection[str] | None) -> Observations:
    """Return log powers and energies by process. Raise StudyError for unknown rails."""
    if power.empty:
        return {}
    figures = figures_of_processes(power, windows, total_rails(power["rail"].unique(), rails))
    tables = {metric: figures[metric].unstack(_CONDITION) for metric in figures}
    return {(metric, None): np.log(table.where(table > 0)) for metric, table in tables.items()}


def _processor(side: Side, device: str) -> str:
    own = side.study.loc[side.study["device"] == device, "processor"].dropna()
    return str(own.iloc[0]) if len(own) else "cpu"


def _finite(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with NaN for the logarithm of nothing, as of a clock that is too coarse."""
    return table.replace([np.inf, -np.inf], np.nan)
