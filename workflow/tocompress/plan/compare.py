"""Compare: on request, compare this study with the results of another one."""

from __future__ import annotations

from pathlib import Path

from tocompress.errors import StudyError
from tocompress.paths import Paths
from tocompress.plan.aggregate import Aggregate
from tocompress.plan.base import Parameters, Wildcards, stop
from tocompress.settings.data import Wmt
from tocompress.settings.jobs import CompareJob
from tocompress.vocabulary.modes import device_of, mode_of

_TABLES = ("latency", "loading", "memory", "power", "windows", "session")


class Compare(Aggregate):
    """The rule of rules/compare.smk."""

    @property
    def files_here(self) -> list[str]:
        """Return the tables of sessions and artifacts, and the predictions, that this study has."""
        return [
            *(file for table in _TABLES for file in self.benchmarks(table)),
            *self.artifact_facts,
            *(
                self.paths.predictions.format(runtime=runtime, model=model, variant=variant)
                for runtime in self.study.study.runtimes
                for model, variant in self.executed(runtime)
                if model in self.study.trained
            ),
        ]

    def other_study(self, wildcards: Wildcards) -> str:
        """Return the table of the other study. End the program where there is none."""
        other = wildcards.other
        file = _of(other).study
        if file == self.paths.study:
            stop(StudyError(f"compare: '{other}' is this study; name another one"))
        if not Path(file).is_file():
            stop(StudyError(f"compare: there is no {file}; run the study '{other}', or copy its folder there"))
        return file

    def files_there(self, wildcards: Wildcards) -> list[str]:
        """Return the same kinds of files of the other study, as far as its folder holds them."""
        root = Path(_of(wildcards.other).root)
        patterns = ["artifacts/*/*/*.parquet", "predictions/*/*/*.parquet"]
        found = [path for pattern in patterns for path in root.glob(pattern)]
        found += [path for folder in _devices(root) for table in _TABLES for path in folder.glob(f"*/{table}.parquet")]
        return sorted(str(path) for path in found if "." not in path.stem)

    @property
    def compare(self) -> Parameters:
        return self.parameters("compare.py", self._compare_job)

    def _compare_job(self, wildcards: Wildcards) -> str:
        study = self.study
        data = {name: study.data[name] for name in {study.models[model].data for model in study.study.models}}
        return CompareJob(
            here=study.study.name,
            there=wildcards.other,
            compare=study.compare,
            quantile=study.benchmark.quantile,
            level=study.benchmark.level,
            rails={name: study.device(name).rails for name in study.measured},
            scores=study.evaluation.scores,
            languages={name: own.languages[1] if isinstance(own, Wmt) else None for name, own in data.items()},
        ).canonical()


def _of(other: str) -> Paths:
    return Paths(f"results/{other}")


def _devices(root: Path) -> list[Path]:
    """Return the folders of the devices of a study. A device in its modes stands for the session of all of them."""
    folders = [*root.glob("benchmarks/*")]
    in_modes = {device_of(folder.name) for folder in folders if mode_of(folder.name)}
    return [folder for folder in folders if folder.name not in in_modes]
