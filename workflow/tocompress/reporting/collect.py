"""Collect the files of all stages into the one table of the study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tocompress.errors import StudyError
from tocompress.measurement.energy import power_rows
from tocompress.measurement.power import total_rails
from tocompress.measurement.stopping import of_runtime
from tocompress.measurement.summary import memory_rows, operation_rows, time_rows, unavailable_rows
from tocompress.reporting.study import Part, aggregate, artifact_rows, removed_rows
from tocompress.schemas.benchmark import TABLES
from tocompress.schemas.study import ARTIFACT, METRICS, PRUNING
from tocompress.settings.jobs import AggregateJob, StudyDevice, StudyModel
from tocompress.tables import first_row, read_table
from tocompress.tasks.metrics import unavailable
from tocompress.vocabulary.metrics import METRICS as KNOWN
from tocompress.vocabulary.metrics import accuracies

_COSTS = [metric for metric in KNOWN.values() if metric.kind == "cost" and metric.task is None]
_SIZES = [KNOWN["size"], KNOWN["size_deflated"]]

Files = Sequence[str | Path]
#: The file of a session's table, by the table's name, then by device and model.
Sessions = Mapping[str, Mapping[tuple[Any, ...], str | Path]]


def collect(
    settings: AggregateJob, *, artifacts: Files, metrics: Files, pruning: Files, **benchmarks: Files
) -> pd.DataFrame:
    """Return the table `study`. `benchmarks` holds the files of each table of the sessions.

    A file's columns name its model, variant and device. Raise StudyError if a model or variant has no file.
    """
    sessions = {
        name: {row: file for file in files if (row := first_row(file, "device", "model"))}
        for name, files in benchmarks.items()
    }
    parts = [
        *_artifact_parts(settings, _read(ARTIFACT, artifacts)),
        *_accuracy_parts(settings, _read(METRICS, metrics)),
        *_pruning_parts(settings, _read(PRUNING, pruning)),
        *_benchmark_parts(settings, sessions),
        *_refused_parts(settings),
        *_unbenchmarked_parts(settings),
    ]
    return aggregate(parts, [variant for model in settings.models for variant in model.variants])


def _read(schema: pa.Schema, files: Files) -> pd.DataFrame:
    return pd.concat([read_table(file, schema) for file in files] or [schema.empty_table().to_pandas()])


def _of(table: pd.DataFrame, what: str, **key: str) -> pd.DataFrame:
    """Return the rows of a key without its columns. Raise StudyError where there is none."""
    rows = table[(table[list(key)] == pd.Series(key)).all(axis=1)]
    if rows.empty:
        raise StudyError(f"study: no {what} of {' '.join(key.values())} among the files; make it again")
    return rows.drop(columns=list(key))


def _artifact_parts(settings: AggregateJob, artifacts: pd.DataFrame) -> Iterator[Part]:
    for runtime, model in product(settings.runtimes, settings.models):
        own = [
            _of(artifacts, "artifact", runtime=runtime, model=model.name, variant=variant.name).assign(
                variant=variant.name
            )
            for variant in model.variants
            if runtime not in variant.refused
        ]
        yield _part(model, artifact_rows(pd.concat(own)), runtime=runtime)


def _accuracy_parts(settings: AggregateJob, metrics: pd.DataFrame) -> Iterator[Part]:
    for runtime, model in product(settings.runtimes, settings.models):
        scores = accuracies(model.task)
        for variant in model.variants:
            key = {"runtime": runtime, "variant": variant.name}
            if runtime in variant.refused:
                yield _part(model, unavailable([*scores, *_SIZES], variant.refused[runtime]), **key)
            elif model.trained:
                yield _part(model, _of(metrics, "scores", model=model.name, **key), **key, dataset=model.data)
            else:
                yield _part(model, unavailable(scores, "no trained weights"), **key)


def _pruning_parts(settings: AggregateJob, pruning: pd.DataFrame) -> Iterator[Part]:
    for model in settings.models:
        for variant in model.variants:
            if variant.pruned:
                rows = _of(pruning, "table of what was removed", model=model.name, variant=variant.pruned)
                yield _part(model, removed_rows(rows), variant=variant.name)


def _refused_parts(settings: AggregateJob) -> Iterator[Part]:
    """Yield unavailable rows of the costs of variants that a runtime cannot execute."""
    for device, model in product(settings.devices, settings.models):
        for runtime, variant in product(device.runtimes, model.variants):
            if model.benchmarked and runtime in variant.refused:
                key = {"device": device.name, "processor": device.processor, "runtime": runtime}
                yield _part(model, unavailable(_COSTS, variant.refused[runtime]), variant=variant.name, **key)


def _benchmark_parts(settings: AggregateJob, sessions: Sessions) -> Iterator[Part]:
    benchmarked = [model for model in settings.models if model.benchmarked]
    for device in settings.devices:
        for model in benchmarked:
            table = cache(partial(_table, sessions, device.name, model.name))  # each runtime reads the same files
            for runtime in device.runtimes:
                rows = _session_rows(settings, device, runtime, table)
                yield _part(model, rows, device=device.name, processor=device.processor, runtime=runtime)


def _table(sessions: Sessions, device: str, model: str, name: str) -> pd.DataFrame:
    """Return a table of a session. A file without rows names no device and model, so it counts as missing."""
    file, schema = sessions[name].get((device, model)), TABLES[name]
    if file is None and name == "latency":
        raise StudyError(f"study: no benchmark of {model} on {device} among the files; make it again")
    table = schema.empty_table().to_pandas() if file is None else read_table(file, schema)
    return table.drop(columns=["device", "model"])


def _session_rows(
    settings: AggregateJob, device: StudyDevice, runtime: str, table: Callable[[str], pd.DataFrame]
) -> pd.DataFrame:
    """Return the rows of a session in one of its runtimes."""

    def here(name: str) -> pd.DataFrame:
        return of_runtime(table(name), runtime).drop(columns="runtime")

    facts = table("session").set_index("key")["value"]
    times = here("latency")
    target = (settings.level, settings.target)
    parts = {
        "memory": partial(memory_rows, here("memory"), device.processor, *target),
        "operations": partial(_operation_rows, here("operations"), facts, runtime, device, target),
        "power": partial(_power_rows, here("power"), here("windows"), device, *target),
    }
    first = settings.runtimes[0]
    other = None if runtime == first or first not in device.runtimes else of_runtime(table("latency"), first)
    rows = [time_rows(times, here("loading"), settings.quantile, *target, first=other)]
    rows += [_rows_or_why_none(name, part, times, device, facts) for name, part in parts.items()]
    return pd.concat(rows, ignore_index=True)


def _operation_rows(
    operations: pd.DataFrame,
    facts: pd.Series[Any],
    runtime: str,
    device: StudyDevice,
    target: tuple[float, float],
) -> pd.DataFrame:
    """Return the rows of the profiled conditions, and unavailable rows of those that the runtime could not profile."""
    begin, end = f"operations/{runtime}/", "/unavailable"
    failed = [key for key in facts.index if key.startswith(begin) and key.endswith(end)]
    conditions = [key.removeprefix(begin).removesuffix(end).split("/") for key in failed]
    of_failed = pd.DataFrame(conditions, columns=["variant", "arithmetic"])
    parts = [
        unavailable_rows(of_failed[place : place + 1], "operations", f"{device.name}: {facts[key]}")
        for place, key in enumerate(failed)
    ]
    return pd.concat([operation_rows(operations, *target) if len(operations) else None, *parts], ignore_index=True)


def _rows_or_why_none(
    name: str, rows: Callable[[], pd.DataFrame], times: pd.DataFrame, device: StudyDevice, facts: pd.Series[Any]
) -> pd.DataFrame:
    """Return the rows of a session's part. If it failed, return unavailable rows for everything that was timed."""
    reason = facts.get(f"{name}/unavailable")
    if reason is None:
        try:
            return rows()
        except StudyError as error:
            reason = str(error)
    return unavailable_rows(times, name, f"{device.name}: {reason}")


def _power_rows(
    power: pd.DataFrame, windows: pd.DataFrame, device: StudyDevice, level: float, target: float
) -> pd.DataFrame:
    return power_rows(power, windows, total_rails(power["rail"].unique(), device.rails), level, target)


def _unbenchmarked_parts(settings: AggregateJob) -> Iterator[Part]:
    for model in settings.models:
        if not model.benchmarked:
            for variant in model.variants:
                yield _part(model, unavailable(_COSTS, "not benchmarked in this study"), variant=variant.name)


def _part(model: StudyModel, rows: pd.DataFrame, **key: str) -> Part:
    return Part(model.name, model.network, model.build, rows, **key)
