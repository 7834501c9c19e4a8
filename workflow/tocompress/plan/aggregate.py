"""Aggregate: one table of the whole study, and the paper's claims beside it."""

from __future__ import annotations

from tocompress.plan.base import Parameters, Stage
from tocompress.settings.jobs import AggregateJob, ClaimsJob, StudyDevice, StudyModel


class Aggregate(Stage):
    """The rules of rules/aggregate.smk."""

    # Rule aggregate

    def benchmarks(self, table: str) -> list[str]:
        """Return a table of each session of the study."""
        pattern = self.paths.benchmark(table)
        return [
            pattern.format(device=device, model=model)
            for device in self.study.measured
            for model in self.study.benchmarked
        ]

    @property
    def artifact_facts(self) -> list[str]:
        return [
            self.paths.artifact_facts(runtime).format(model=model, variant=variant)
            for runtime in self.study.study.runtimes
            for model, variant in self.executed(runtime)
        ]

    @property
    def metrics(self) -> list[str]:
        return [
            self.paths.metrics.format(runtime=runtime, model=model, variant=variant)
            for runtime in self.study.study.runtimes
            for model, variant in self.executed(runtime)
            if model in self.study.trained
        ]

    @property
    def pruning(self) -> list[str]:
        """Return the tables of pruned channels, once for all variants that share a pruned variant."""
        cuts = dict.fromkeys((model, self.study.pruned_parent(variant)) for model, variant in self.pairs())
        return [self.paths.compression.format(model=model, variant=cut) for model, cut in cuts if cut]

    @property
    def aggregate(self) -> Parameters:
        return self.parameters("aggregate.py", self._aggregate_job())

    def _aggregate_job(self) -> str:
        study = self.study
        return AggregateJob(
            models=tuple(map(self._study_model, study.study.models)),
            devices=tuple(map(self._study_device, study.measured)),
            runtimes=study.study.runtimes,
            quantile=study.benchmark.quantile,
            level=study.benchmark.level,
            target=study.benchmark.target,
        ).canonical()

    def _study_model(self, name: str) -> StudyModel:
        study, model = self.study, self.study.models[name]
        return StudyModel(
            name=name,
            network=model.network,
            task=model.task,
            build=model.build,
            data=model.data,
            trained=model.trained,
            benchmarked=name in study.benchmarked,
            variants=tuple(self.study_variant(name, variant) for variant in study.variants(name)),
        )

    def _study_device(self, name: str) -> StudyDevice:
        device = self.study.device(name)
        runtimes = self.study.runtimes_on(name)
        return StudyDevice(name=name, processor=device.processor, runtimes=runtimes, rails=device.rails)

    # Rule claims

    @property
    def claims(self) -> Parameters:
        return self.parameters("claims.py", self._claims_job())

    def _claims_job(self) -> str:
        methods = {name: technique.method for name, technique in self.study.techniques.items()}
        names = {self.study.models[name].data for name in self.study.study.models}
        return ClaimsJob(techniques=methods, data={name: self.study.data[name].kind for name in names}).canonical()
