"""Aggregate: from the files of all stages to the one table of the study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from tocompress.errors import StudyError
from tocompress.measurement.energy import power_rows
from tocompress.measurement.power import total_rails
from tocompress.measurement.summary import latency_rows, memory_rows, operation_rows, unavailable_rows
from tocompress.models.registry import NETWORKS
from tocompress.reporting.study import Part, aggregate, artifact_rows, removed_rows
from tocompress.schemas.benchmark import LATENCY, MEMORY, OPERATIONS, POWER, SESSION, WINDOWS
from tocompress.schemas.study import ARTIFACT, METRICS, PRUNING
from tocompress.settings.jobs import AggregateJob, StudyDevice, StudyModel
from tocompress.tables import read_table
from tocompress.tasks.metrics import CLASSIFICATION, TRANSLATION, unavailable
from tocompress.vocabulary.metrics import COSTS

Files = Sequence[str | Path]


def collect(
    settings: AggregateJob,
    *,
    artifacts: Files,
    metrics: Files,
    pruning: Files,
    latency: Files,
    memory: Files,
    power: Files,
    windows: Files,
    operations: Files,
    session: Files,
) -> pd.DataFrame:
    """The table 'study'. Files come in the order of the settings: models and variants; devices and models."""
    return aggregate(
        [
            *_artifact_parts(settings, artifacts),
            *_accuracy_parts(settings, metrics),
            *_pruning_parts(settings, pruning),
            *_benchmark_parts(settings, zip(latency, memory, power, windows, operations, session, strict=True)),
            *_unbenchmarked_parts(settings),
        ]
    )


def _artifact_parts(settings: AggregateJob, artifacts: Files) -> Iterator[Part]:
    files = iter(artifacts)
    for model in settings.models:
        table = pd.concat([read_table(next(files), ARTIFACT) for _ in model.variants], ignore_index=True)
        yield _part(model, artifact_rows(table))


def _accuracy_parts(settings: AggregateJob, metrics: Files) -> Iterator[Part]:
    files = iter(metrics)
    for model in settings.models:
        scores = TRANSLATION if NETWORKS[model.network].kind == "rnn" else CLASSIFICATION
        for variant in model.variants:
            if model.trained:
                yield _part(model, read_table(next(files), METRICS), variant=variant, dataset=model.data)
            else:
                yield _part(model, unavailable(scores, "no trained weights"), variant=variant)


def _pruning_parts(settings: AggregateJob, pruning: Files) -> Iterator[Part]:
    files = iter(pruning)
    for model in settings.models:
        for variant in model.pruned:
            yield _part(model, removed_rows(read_table(next(files), PRUNING)), variant=variant)


def _benchmark_parts(settings: AggregateJob, files: Iterator[tuple[str | Path, ...]]) -> Iterator[Part]:
    benchmarked = [model for model in settings.models if model.benchmarked]
    for device in settings.devices:
        for model in benchmarked:
            samples, footprints, power, windows, profiles, session = next(files)
            facts = read_table(session, SESSION).set_index("key")["value"]
            times = read_table(samples, LATENCY)
            target = (settings.level, settings.target)
            parts = {
                "memory": partial(memory_rows, read_table(footprints, MEMORY), device.processor, *target),
                "operations": partial(operation_rows, read_table(profiles, OPERATIONS), *target),
                "power": partial(_power_rows, read_table(power, POWER), read_table(windows, WINDOWS), device, *target),
            }
            rows = [latency_rows(times, *target)]
            rows += [_rows_or_why_none(name, part, times, device, facts) for name, part in parts.items()]
            yield _part(
                model,
                pd.concat(rows, ignore_index=True),
                device=device.name,
                processor=device.processor,
                runtime=device.runtime,
            )


def _rows_or_why_none(
    name: str, rows: Callable[[], pd.DataFrame], times: pd.DataFrame, device: StudyDevice, facts: pd.Series[Any]
) -> pd.DataFrame:
    """Rows of a part of a session; where it went wrong, those of all that was timed, unavailable."""
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
                yield _part(model, unavailable(COSTS, "not benchmarked in this study"), variant=variant)


def _part(model: StudyModel, rows: pd.DataFrame, **key: str) -> Part:
    return Part(model.name, model.network, model.build, rows, **key)
