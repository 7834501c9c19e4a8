"""Read the measurements of a trial, as observations that were made together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tocompress.measurement.energy import figures_of_processes
from tocompress.measurement.estimate import levels, of_one_input
from tocompress.measurement.power import total_rails
from tocompress.measurement.summary import peaks_over_control
from tocompress.schemas.benchmark import LATENCY, MEMORY, POWER, WINDOWS
from tocompress.schemas.study import ARTIFACT, IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.search.evidence import Evidence
from tocompress.search.trials import Trial
from tocompress.tables import read_table
from tocompress.tasks.classification.scores import outcomes
from tocompress.tasks.translation.scores import resampled

_MS = 1000.0


def observe(trial: Trial, metrics: tuple[str, ...]) -> Evidence:
    """Return the observations of each configuration of a trial, by metric."""
    return Evidence(tuple(trial.variants), {metric: _OF_METRIC[metric](trial) for metric in metrics})


def _sizes(trial: Trial) -> np.ndarray:
    facts = trial.paths.artifact_facts(trial.runtime)
    rows = [read_table(trial.of_variant(facts, variant), ARTIFACT).iloc[0] for variant in trial.variants.values()]
    return np.array([[float(row["size"])] for row in rows])


def _hits(trial: Trial, metric: str) -> np.ndarray:
    judged = [outcomes(table) for table in _predictions(trial, IMAGE_PREDICTIONS)]
    return np.stack([getattr(outcome, metric) for outcome in judged]).astype(float)


def _resamples(trial: Trial) -> np.ndarray:
    data = trial.study.data[trial.study.models[trial.model].data]
    scores, language = trial.study.evaluation.scores, getattr(data, "languages", (None, None))[1]
    return np.stack(
        [
            resampled(table, language=language, resamples=scores.resamples, seed=scores.seed)[1:, 0]
            for table in _predictions(trial, SENTENCE_PREDICTIONS)
        ]
    )


def _predictions(trial: Trial, schema: Any) -> list[pd.DataFrame]:
    return [
        read_table(trial.of_variant(trial.paths.predictions, variant), schema) for variant in trial.variants.values()
    ]


def _latencies(trial: Trial) -> np.ndarray:
    samples = of_one_input(read_table(trial.session("latency"), LATENCY))
    return np.asarray(_MS * np.exp(_of_conditions(trial, levels(samples, trial.study.benchmark.quantile))))


def _peaks(trial: Trial) -> np.ndarray:
    memory = read_table(trial.session("memory"), MEMORY)
    over_control = peaks_over_control(memory, trial.study.device(trial.device).processor)
    return _of_conditions(trial, over_control.unstack(["variant", "arithmetic"]))


def _figures(trial: Trial, metric: str) -> np.ndarray:
    power, windows = read_table(trial.session("power"), POWER), read_table(trial.session("windows"), WINDOWS)
    rails = total_rails(power["rail"].unique(), trial.study.device(trial.device).rails)
    figures = figures_of_processes(power, windows, rails)
    return _of_conditions(trial, figures[metric].unstack(["variant", "arithmetic"]))


def _of_conditions(trial: Trial, table: pd.DataFrame) -> np.ndarray:
    """Return a row of each configuration from a table with a column of each condition."""
    columns = [trial.condition(configuration) for configuration in trial.variants]
    return np.asarray(table[columns].to_numpy(float).T)


_OF_METRIC: dict[str, Callable[[Trial], np.ndarray]] = {
    "size": _sizes,
    "top1": lambda trial: _hits(trial, "top1"),
    "top5": lambda trial: _hits(trial, "top5"),
    "bleu": _resamples,
    "latency": _latencies,
    "memory": _peaks,
    "energy": lambda trial: _figures(trial, "energy"),
    "power_mean": lambda trial: _figures(trial, "power_mean"),
}
