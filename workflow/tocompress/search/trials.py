"""Run the study's own rules on the configurations of a round, as a study whose results lie in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.measurement.estimate import Condition
from tocompress.paths import Paths
from tocompress.running import WITHIN
from tocompress.search.progress import Round
from tocompress.search.space import Configuration
from tocompress.search.variants import Groups, of_all
from tocompress.settings.study import Study, load
from tocompress.vocabulary.arithmetic import ONCE
from tocompress.vocabulary.metrics import ACCURACY, COSTS

#: The examples of the calibration set, and the generations of a session, of a round of the least effort.
_EXAMPLES, _GENERATIONS = 250, 3


@dataclass(frozen=True)
class Trial:
    """A study of one model whose results lie in a folder of their own, and the variant of each configuration."""

    study: Study
    variants: Mapping[Configuration, str]
    judges: bool = False

    @property
    def paths(self) -> Paths:
        return Paths(f"results/{self.study.study.name}", self.study.study.trial)

    @property
    def model(self) -> str:
        return self.study.study.models[0]

    @property
    def runtime(self) -> str:
        return self.study.study.runtimes[0]

    @property
    def device(self) -> str:
        return self.study.measured[0]

    def condition(self, configuration: Configuration) -> Condition:
        """Return the variant and the arithmetic by which a session names a configuration."""
        variant = self.variants[configuration]
        return variant, self.study.arithmetics(self.runtime, variant)[0]

    def of_variant(self, pattern: str, variant: str) -> str:
        """Return a file of a variant."""
        return pattern.format(runtime=self.runtime, model=self.model, variant=variant)

    def session(self, table: str) -> str:
        """Return a table of the session."""
        return self.paths.benchmark(table).format(device=self.device, model=self.model)

    @property
    def config(self) -> Path:
        """Return the file of the study, with which Snakemake makes the trial again."""
        return Path(self.paths.compared, "logs", "config.json")

    @property
    def artifacts(self) -> list[str]:
        """Return the files that tell of the artifacts, which are made beside them."""
        return [self.of_variant(self.paths.artifact_facts(self.runtime), variant) for variant in self.variants.values()]

    def observations(self, metrics: Sequence[str]) -> list[str]:
        """Return the files that hold the observations of some metrics. A judging has all that a study tells."""
        if self.judges:
            return [self.paths.study]
        predictions = [self.of_variant(self.paths.predictions, variant) for variant in self.variants.values()]
        session = [self.session("latency")]
        return (predictions if ACCURACY & {*metrics} else []) + (session if COSTS & {*metrics} else [])


def trial_of(study: Study, model: str, round_: Round, number: int, groups: Groups, level: float) -> Trial:
    """Return the trial of a round. `study` holds the model and the device of the search alone (`plan.search`).

    A judging has the study's own effort and test set, and intervals of `level`.
    """
    judges = round_.kind == "judge"
    variants, techniques = of_all(round_.observed, groups, study.models[model].task)
    config = study.model_dump(mode="json", by_alias=True)
    trial = f"search/{model}/{'judging' if judges else number}"
    config["study"] |= {"trial": trial, "variants": {model: list(variants.values())}}
    config["techniques"] = techniques
    config["benchmark"]["arithmetic"] = [ONCE]
    if judges:
        config["benchmark"]["level"] = config["evaluation"]["scores"]["level"] = level
    else:
        generations = _GENERATIONS * round_.effort
        config["benchmark"] |= {"generations": generations, "maximum_generations": generations}
        config["evaluation"]["prediction"] |= {"split": "calibration", "examples": _EXAMPLES * round_.effort}
    return Trial(load(config), variants, judges)


class Seconds(NamedTuple):
    """The time of a trial, and the part of it that made the artifacts."""

    whole: float
    building: float


def run(trial: Trial, metrics: Sequence[str], cores: int, snakefile: Path) -> Seconds:
    """Make the artifacts and then the observations of a trial. Return the seconds that they took when they were new.

    Raise StudyError where a job fails.
    """
    config = json.dumps(trial.study.model_dump(mode="json", by_alias=True), indent=1)
    record = trial.config.with_name("seconds.json")
    same = trial.config.is_file() and trial.config.read_text(encoding="utf-8") == config
    with replace_on_success(trial.config) as temporary:
        temporary.write_text(config, encoding="utf-8")
    began = time.monotonic()
    make(trial, trial.artifacts, cores, snakefile)
    built = time.monotonic()
    if observations := trial.observations(metrics):
        make(trial, observations, cores, snakefile)
    if same and record.is_file():
        return Seconds(*json.loads(record.read_text(encoding="utf-8")))
    seconds = Seconds(time.monotonic() - began, built - began)
    with replace_on_success(record) as temporary:
        temporary.write_text(json.dumps(seconds), encoding="utf-8")
    return seconds


def make(trial: Trial, targets: Sequence[str], cores: int, snakefile: Path) -> None:
    """Make files of a trial by the rules of the study. Raise StudyError where a job fails."""
    command: list[Any] = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", cores]
    command += ["--configfile", trial.config, "--nolock", "--", *targets]
    environment: Mapping[str, str] = os.environ | {WITHIN: str(os.getpid())}
    if subprocess.run([*map(str, command)], env=environment, check=False).returncode:
        raise StudyError(f"search: a job of {trial.paths.compared} failed; its message stands above")
