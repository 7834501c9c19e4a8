"""Benchmark: all variants of a model in one session on a device."""

from __future__ import annotations

from tocompress.devices.program import MODULES
from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards
from tocompress.runtimes import module
from tocompress.settings.jobs import BenchmarkJob, InputsJob

_ALL_CORES = 10_000


class Benchmark(Stage):
    """The rules of rules/benchmark.smk."""

    # Rule inputs

    @property
    def inputs(self) -> Parameters:
        return self.parameters("inputs.py", self._inputs_job)

    def _inputs_job(self, wildcards: Wildcards) -> str:
        inputs, model = self.study.benchmark.inputs, self.run_model(wildcards)
        count = inputs.images if model.task == "classification" else inputs.sentences
        return InputsJob(model=model, data=self.examples(wildcards), count=count).canonical(exclude=SPLITS)

    # Rule benchmark

    def artifacts(self, wildcards: Wildcards) -> list[str]:
        """Return the artifacts of all variants of a model, for the device's runtime."""
        runtime = self.study.devices[wildcards.device].runtime
        return [
            self.paths.artifact(runtime).format(model=wildcards.model, variant=variant)
            for variant in self.study.variants(wildcards.model)
        ]

    def benchmark_threads(self, wildcards: Wildcards) -> int:
        """Return all cores for a local device, so that the job runs alone. Snakemake cuts the number to its own."""
        return _ALL_CORES if self.study.devices[wildcards.device].transport == "local" else 1

    @property
    def benchmark(self) -> Parameters:
        return self.parameters("benchmark.py", self._benchmark_job, self._on_device)

    def _on_device(self, wildcards: Wildcards) -> list[str]:
        """Return the modules of the agent, which is sent as a file, and of the device's runtime."""
        return [*MODULES, module(self.study.devices[wildcards.device].runtime, "operations")]

    def _benchmark_job(self, wildcards: Wildcards) -> str:
        return BenchmarkJob(
            name=wildcards.device,
            device=self.study.devices[wildcards.device],
            benchmark=self.study.benchmark,
            variants=self.study.variants(wildcards.model),
        ).canonical(exclude={"benchmark": {"inputs"}})  # the inputs are a file
