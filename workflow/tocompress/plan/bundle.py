"""Bundle: on request, put an artifact into a folder that people can take away."""

from __future__ import annotations

from tocompress.errors import StudyError
from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards, changed, stop
from tocompress.settings.jobs import BundleJob
from tocompress.settings.model import Checkpoint, KerasModel, ModelSettings
from tocompress.vocabulary.variants import Variant

_PROGRAMS = "tocompress.bundles.programs"


class Bundle(Stage):
    """The rule of rules/bundle.smk."""

    def bundled(self, wildcards: Wildcards) -> str:
        """Return the artifact of a bundle. End the program where the study's table holds no value of it."""
        name, variant = wildcards.model, wildcards.variant
        if (name, variant) not in self.pairs():
            reason = "the study does not select it; add it to `study.variants`, and the model to `study.models`"
            stop(StudyError(f"bundle: '{variant}' of '{name}': {reason}"))
        return self.paths.artifact(wildcards.runtime).format(model=name, variant=variant)

    @property
    def bundle(self) -> Parameters:
        return self.parameters("bundle.py", self._bundle_job, self._programs)

    def _programs(self, wildcards: Wildcards) -> list[str]:
        """Return the modules that a bundle holds as files."""
        return [f"{_PROGRAMS}.{name}" for name in (self.model(wildcards).task, wildcards.runtime)]

    def _bundle_job(self, wildcards: Wildcards) -> str:
        variant, runtime = wildcards.variant, wildcards.runtime
        folder = self.paths.bundle.format(runtime=runtime, model=wildcards.model, variant=variant)
        return BundleJob(
            name=wildcards.model,
            runtime=runtime,
            variant=variant,
            model=self._without_source(wildcards),
            data=self.examples(wildcards),
            techniques={name: self.study.techniques[name] for name in Variant.parse(variant).techniques},
            arithmetic=self.study.arithmetics(runtime, variant),
            command=f"snakemake --cores all {folder}",
        ).canonical(exclude=SPLITS)

    def _without_source(self, wildcards: Wildcards) -> ModelSettings:
        """Return the model without the settings that its weights file reflects."""
        model = self.model(wildcards)
        if isinstance(model, KerasModel):
            return changed(model, file="")
        return changed(model, checkpoint=Checkpoint(url="") if model.trained else None, seed=1)
