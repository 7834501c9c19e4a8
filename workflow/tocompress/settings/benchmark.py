"""The config's `devices` and `benchmark`: where and how inference is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tocompress.settings.base import Count, Settings

Dequantization = Literal["every_inference", "once"]


class Device(Settings):
    """A named place to measure."""

    transport: Literal["local"] = Field(description="how it is reached: a process on this machine")
    runtime: Literal["tensorflow"] = Field("tensorflow", description="what executes an artifact")
    processor: Literal["cpu"] = "cpu"
    threads: Count = Field(description="threads of the runtime; not taken from --cores, or latency would depend on it")


class Inputs(Settings):
    """How many fixed inputs of the test set are timed."""

    images: Count = 10
    sentences: Count = 30


class Benchmark(Settings):
    """How a measurement runs; see `measurement.session`."""

    dequantization: tuple[Dequantization, ...] = Field(("every_inference", "once"), min_length=1)
    inputs: Inputs = Inputs()
    processes: int = Field(5, ge=2, description="fresh processes, hence randomised rounds, of each variant")
    warmup_seconds: float = Field(0.2, ge=0)
    warmup_runs: Count = 3
    block_seconds: float = Field(0.5, gt=0, description="timed seconds of a block")
    minimum_runs: Count = Field(10, description="timed runs of a block, also where they take longer")
    maximum_runs: Count = Field(400, description="timed runs of a block")
    profiled_runs: Count = Field(5, description="runs that record the time of each operation")
    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of intervals")
    target: float = Field(0.05, gt=0, lt=1, description="relative half-width of a converged interval (paper, III-B)")
    seed: int = Field(1, ge=0, description="of the order of variants")


class Session(Settings):
    """What one job measures: all variants of a model on a device."""

    device: Device
    benchmark: Benchmark
    variants: tuple[str, ...]
