"""Publish: on request, put a study into a package that people can take away."""

from __future__ import annotations

from tocompress.plan.base import Parameters, Stage
from tocompress.settings.jobs import PackageJob


class Publish(Stage):
    """The rule of rules/publish.smk."""

    @property
    def package(self) -> Parameters:
        return self.parameters("package.py", self._package_job())

    def _package_job(self) -> str:
        return PackageJob(
            study=self.study.study.name,
            folder=self.paths.root,
            artifacts=self.study.publish.artifacts,
            config=self.study.model_dump(mode="json"),
        ).canonical()
