"""Benchmark: all variants of a model in one session on a device."""

from __future__ import annotations

from collections.abc import Callable

from tocompress.devices.program import MODULES
from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards, any_of
from tocompress.runtimes import module
from tocompress.settings.jobs import BenchmarkJob, Condition, InputsJob
from tocompress.vocabulary.modes import device_of, in_modes

#: More than any machine has.
ALL_CORES = 10_000


class Benchmark(Stage):
    """The rules of rules/benchmark.smk."""

    # Rule inputs

    @property
    def inputs(self) -> Parameters:
        return self.parameters("inputs.py", self._inputs_job)

    def _inputs_job(self, wildcards: Wildcards) -> str:
        benchmark, model = self.study.benchmark, self.run_model(wildcards)
        count = benchmark.inputs.images if model.task == "classification" else benchmark.inputs.sentences
        job = InputsJob(model=model, data=self.examples(wildcards), count=count, batches=benchmark.batches)
        return job.canonical(exclude=SPLITS)

    # Rule benchmark

    def artifacts(self, wildcards: Wildcards) -> list[str]:
        """Return the artifacts that a session measures, in the order of its conditions."""
        measured = dict.fromkeys((runtime, variant) for runtime, variant, _ in self._conditions(wildcards))
        return [
            self.paths.artifact(runtime).format(model=wildcards.model, variant=variant) for runtime, variant in measured
        ]

    def _conditions(self, wildcards: Wildcards) -> tuple[Condition, ...]:
        """Return all that a session measures: the variants that each runtime of the device can execute."""
        study, model = self.study, wildcards.model
        return tuple(
            Condition(runtime, variant, arithmetic)
            for runtime in study.runtimes_on(wildcards.device)
            for variant in study.variants(model)
            if study.refusal(runtime, model, variant) is None
            for arithmetic in study.arithmetics(runtime, variant)
        )

    def on(self, transport: str) -> str:
        """Return a pattern of the devices of a transport."""
        return any_of(name for name, device in self.study.devices.items() if device.transport == transport)

    def benchmark_threads(self, wildcards: Wildcards) -> int:
        """Return all cores, so that the job runs alone. Snakemake cuts the number to its own.

        On a cluster the job has a node to itself.
        """
        return self.study.devices[wildcards.device].threads if self.on_cluster() else ALL_CORES

    @property
    def node(self) -> dict[str, Callable[[Wildcards], str | None]]:
        """Return the resources by which Slurm gives a session on a local device a node of its own."""

        def partition(wildcards: Wildcards) -> str | None:
            return getattr(self.study.devices[wildcards.device], "partition", None) if self.on_cluster() else None

        def extra(_: Wildcards) -> str | None:
            return "--exclusive" if self.on_cluster() else None

        return {"slurm_partition": partition, "slurm_extra": extra}

    @property
    def benchmark(self) -> Parameters:
        return self.parameters("benchmark.py", self._benchmark_job, self._on_device)

    def _on_device(self, wildcards: Wildcards) -> list[str]:
        """Return the modules of the agent, which is sent as a file, and of the runtimes."""
        runtimes = self.study.runtimes_on(wildcards.device)
        return [*MODULES, *(module(runtime, "operations") for runtime in runtimes)]

    def _benchmark_job(self, wildcards: Wildcards) -> str:
        return BenchmarkJob(
            name=wildcards.device,
            device=self.study.devices[wildcards.device],
            benchmark=self.study.benchmark,
            conditions=self._conditions(wildcards),
        ).canonical(exclude={"benchmark": {"inputs", "arithmetic"}})  # files and conditions hold these

    # Rule mode

    @property
    def in_mode(self) -> str:
        """Return a pattern of the names of devices in their power modes."""
        devices = self.study.devices.items()
        return any_of(name for device, own in devices if own.modes for name in in_modes(device, own.modes))

    def in_all_modes(self, table: str) -> Callable[[Wildcards], str]:
        """Return a function that returns a table of the session of a device in all its modes."""

        def session(wildcards: Wildcards) -> str:
            """Return the table of the session of the device in all its modes."""
            return self.paths.benchmark(table).format(device=device_of(wildcards.in_mode), model=wildcards.model)

        return session

    @property
    def mode(self) -> Parameters:
        return self.parameters("mode.py")
