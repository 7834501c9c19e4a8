"""Check a model: on request, describe it and the study's plan for it."""

from __future__ import annotations

from tocompress.plan.base import Parameters, Stage, Wildcards
from tocompress.settings.jobs import CheckModelJob
from tocompress.vocabulary.variants import Variant


class CheckModel(Stage):
    """The rule of rules/check_model.smk."""

    @property
    def check_model(self) -> Parameters:
        return self.parameters("check_model.py", self._check_model_job, self.network)

    def _check_model_job(self, wildcards: Wildcards) -> str:
        variants = self.study.variants(wildcards.model)
        names = {name: None for variant in variants for name in Variant.parse(variant).techniques}
        return CheckModelJob(
            model=self.architecture(wildcards),
            techniques={name: self.study.techniques[name] for name in names},
            variants=tuple(self.study_variant(wildcards.model, variant) for variant in variants),
            runtimes=self.study.study.runtimes,
        ).canonical()
