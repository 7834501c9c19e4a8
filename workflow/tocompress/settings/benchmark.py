"""The config's `benchmark`: how inference is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tocompress.settings.base import ONCE, Count, Settings

Arithmetic = Literal["float, dequantized at every inference", "float, dequantized once"]


class Inputs(Settings):
    """How many fixed inputs of the test set are timed."""

    images: Count = Field(10, description="spread over the test set")
    sentences: Count = Field(30, description="spread over the lengths of the test set")


class PowerBlocks(Settings):
    """How power is measured, on a device with a sensor; all in seconds."""

    processes: int = Field(5, ge=2, description="fresh processes of each variant whose power is sampled")
    rail_warmup_seconds: float = Field(0, ge=0, description="sensors are read so long before the first block")
    idle_seconds: float = Field(2, gt=0, description="idling before and after a block")
    tail_seconds: float = Field(3, ge=0, description="after a block and before idling; five times the sensor's memory")
    block_seconds: float = Field(10, gt=0, description="inferences back to back")


class Benchmark(Settings):
    """How a measurement runs; see `measurement.session`."""

    arithmetic: Annotated[tuple[Arithmetic, ...], ONCE] = Field(
        ("float, dequantized at every inference", "float, dequantized once"),
        min_length=1,
        description="how a quantized operation computes; each entry is measured",
    )
    inputs: Inputs = Field(Inputs(), description="what is timed")
    processes: int = Field(5, ge=2, description="fresh processes, hence randomised rounds, of each variant at least")
    maximum_processes: int = Field(
        5, ge=2, description="fresh processes at most of a variant whose time is not settled"
    )
    maximum_seconds: float = Field(3600, gt=0, description="of the rounds; no further one begins after that")
    warmup_seconds: float = Field(0.2, ge=0, description="of a process, before anything is timed, at least")
    warmup_runs: Count = Field(3, description="of a process, before anything is timed, at least")
    block_seconds: float = Field(0.5, gt=0, description="timed seconds of a block")
    minimum_runs: Count = Field(10, description="timed runs of a block, also where they take longer")
    maximum_runs: Count = Field(400, description="timed runs of a block")
    minimum_samples: Count = Field(10, description="timed runs of each input over all processes")
    profiled_runs: Count = Field(5, description="runs that record the time of each operation, spread over the inputs")
    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of intervals")
    target: float = Field(0.05, gt=0, lt=1, description="relative half-width of a converged interval (paper, III-B)")
    power: PowerBlocks = Field(PowerBlocks(), description="how power is measured, where there is a sensor")
    seed: int = Field(1, ge=0, description="of the order of variants")

    @model_validator(mode="after")
    def _maximum_is_no_less(self) -> Benchmark:
        if self.maximum_processes < self.processes:
            raise ValueError(f"maximum_processes is {self.maximum_processes}, but processes {self.processes}")
        return self
