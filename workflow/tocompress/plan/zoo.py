"""Zoo: the checkpoints of zoo/, trained again from initial weights."""

from __future__ import annotations

from tocompress.plan.base import Parameters, Stage, Wildcards, changed
from tocompress.settings.jobs import TrainJob


class Zoo(Stage):
    """The rule of rules/zoo.smk."""

    @property
    def zoo(self) -> list[str]:
        """Return the checkpoints of the selected models that the study trains."""
        return [self.paths.zoo.format(model=model) for model in self.study.study.models if model in self.study.zoo]

    @property
    def train(self) -> Parameters:
        return self.parameters("train.py", self._train_job, self.network)

    def _train_job(self, wildcards: Wildcards) -> str:
        return TrainJob(
            model=changed(self.architecture(wildcards), seed=getattr(self.model(wildcards), "seed", 1)),
            training=self.study.zoo[wildcards.model],
            data=self.training_examples(wildcards),
        ).canonical(exclude={"data": {"test"}})
