"""Search a model's configurations, round by round, for the one that meets the requirements at the least cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tocompress.measurement.check import check_power
from tocompress.search.halving import next_round
from tocompress.search.judging import Outcome, level_of
from tocompress.search.observations import observe
from tocompress.search.progress import Observed, Problem, Round, problem
from tocompress.search.space import enumerated
from tocompress.search.trials import Trial, run, trial_of
from tocompress.search.variants import groups_of, knowledge_of
from tocompress.settings.study import Study
from tocompress.vocabulary.metrics import ACCURACY

#: Metrics that need a sensor.
_POWERED = {"energy", "power_mean", "power_peak"}


@dataclass(frozen=True)
class Found:
    """The outcome of a search, with all rounds and the trial of each."""

    problem: Problem
    outcome: Outcome
    history: tuple[Observed, ...]
    trials: tuple[Trial, ...]


def find(
    study: Study, model: str, scan: pd.DataFrame, cores: int, snakefile: Path, report: Callable[[str], None] = print
) -> Found:
    """Return the outcome of the search of a model. `scan` is its table `quantization_sensitivity`.

    Each round is a run of the study's own rules. So a stopped search goes on with the results that it has. Raise
    StudyError where a job fails, and before the first round where a requirement needs a sensor that the device lacks.
    """
    search = study.search[model]
    if _POWERED & {search.minimize, *search.requirements}:
        check_power(search.device, study.device(search.device))
    groups = groups_of(scan, search.space.groups)
    accuracy = next((limit.metric for limit in search.limits if limit.metric in ACCURACY), None)
    asked = problem(search, enumerated(search.space), knowledge_of(scan, groups, accuracy))
    history: list[Observed] = []
    trials: list[Trial] = []
    while isinstance(step := next_round(asked, history), Round):
        names = f"{len(step.configurations)} configurations" if step.kind == "screen" else "the last candidates"
        report(f"round {len(history) + 1}: {names}")
        trial = trial_of(study, model, step, len(history) + 1, groups, level_of(asked, step.configurations))
        seconds = run(trial, asked.metrics, cores, snakefile)
        history.append(Observed(step, observe(trial, asked.metrics), seconds.whole, seconds.building))
        trials.append(trial)
    report(step.why)
    return Found(asked, step, tuple(history), tuple(trials))
