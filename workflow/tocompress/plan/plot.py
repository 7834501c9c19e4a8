"""Plot: figures, the tables behind them, and the report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tocompress.paths import FIGURE_FORMATS
from tocompress.plan.base import Parameters, Stage, Wildcards
from tocompress.plan.search import figure_job
from tocompress.settings.jobs import ReportFiles, ReportJob
from tocompress.vocabulary.variants import Variant


class Plot(Stage):
    """The rules of rules/plot.smk."""

    # Rule figure

    def figures(self, *formats: str) -> list[str]:
        """Return the files of the selected figures, in all formats or in these."""
        return [
            self.paths.figure(kind).format(figure=figure)
            for figure in self.study.study.figures
            for kind in formats or FIGURE_FORMATS
        ]

    @property
    def figure(self) -> Parameters:
        return self.parameters("plot.py", self.study.plot.canonical(), lambda wildcards: [_module(wildcards.figure)])

    # Rule report

    def found(self, file: str) -> list[str]:
        """Return a file of each finished search. The report shows these as they are, and never searches by itself."""
        return [self.paths.search(file).format(model=model) for model in self._finished]

    @property
    def _finished(self) -> list[str]:
        """Return the models whose search is done."""
        files = [self.paths.search(file) for file in ("answer.json", "candidates.parquet")]
        return [model for model in self.study.search if all(Path(file.format(model=model)).is_file() for file in files)]

    @property
    def report(self) -> Parameters:
        modules = map(_module, self.study.study.figures)
        return self.parameters("report.py", self._report_job, list(modules))

    def _report_job(self, _: Wildcards) -> str:
        # Of a text Snakemake would take the words in braces for wildcards.
        return ReportJob(
            report=self.study.report,
            plot=self.study.plot,
            devices=self.study.measured,
            files=self._files(),
            searches=tuple(figure_job(self.study, model) for model in self._finished),
            config=self._selected(),
        ).canonical()

    def _files(self) -> ReportFiles:
        folder = self.paths.compared
        artifacts = {name: os.path.relpath(self.paths.artifact(name), folder) for name in self.study.study.runtimes}
        return ReportFiles(folder=folder, artifacts=artifacts, bundle=self.paths.bundle)

    def _selected(self) -> dict[str, Any]:
        """Return the selection of the study and the definitions of its parts, for people to read."""
        study = self.study
        techniques = {name for _, variant in self.pairs() for name in Variant.parse(variant).techniques}
        named = {
            "models": study.study.models,
            "techniques": sorted(techniques),
            "devices": study.study.devices,
            "data": sorted({study.models[name].data for name in study.study.models}),
            "retraining": [name for name in study.study.models if name in study.retraining],
        }
        chosen = {section: {name: getattr(study, section)[name] for name in names} for section, names in named.items()}
        return {"study": study.study, **chosen, "benchmark": study.benchmark, "evaluation": study.evaluation}


def _module(figure: str) -> str:
    return f"tocompress.reporting.figures.{figure}"
