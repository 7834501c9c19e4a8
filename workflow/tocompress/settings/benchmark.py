"""The config's `benchmark`: how inference is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tocompress.settings.base import ONCE, Count, Settings
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE
from tocompress.vocabulary.arithmetic import ONCE as DEQUANTIZED_ONCE

if TYPE_CHECKING:
    Arithmetic = str
else:
    Arithmetic = Literal[EVERY_INFERENCE, DEQUANTIZED_ONCE]


class Inputs(Settings):
    """The number of fixed inputs from the test set that are timed."""

    images: Count = Field(10, description="number of images, spread over the test set")
    sentences: Count = Field(30, description="number of sentences, spread over the lengths in the test set")


class PowerBlocks(Settings):
    """How power is measured on a device with a sensor."""

    processes: int = Field(5, ge=2, description="fresh processes per variant in which power is sampled")
    rail_warmup_seconds: float = Field(0, ge=0, description="time in which sensors are read before the first block")
    idle_seconds: float = Field(2, gt=0, description="idle time before and after a block")
    tail_seconds: float = Field(3, ge=0, description="wait before idling, five times a sensor's time constant")
    block_seconds: float = Field(10, gt=0, description="duration of a block of inferences, back to back")


class Benchmark(Settings):
    """How a measurement runs (see `measurement.session`)."""

    arithmetic: Annotated[tuple[Arithmetic, ...], ONCE] = Field(
        (EVERY_INFERENCE, DEQUANTIZED_ONCE),
        min_length=1,
        description="ways in which a quantized operation computes, each of which is measured",
    )
    inputs: Inputs = Field(Inputs(), description="inputs that are timed")
    batches: Annotated[tuple[Count, ...], ONCE] = Field(
        (1,), min_length=1, description="numbers of inputs of an inference: latency is of 1, throughput of each"
    )
    generations: int = Field(6, ge=2, description="minimum of fresh processes per variant, all loaded at a time")
    maximum_generations: int = Field(
        20, ge=2, description="maximum of generations for variants whose time or ratio is not settled"
    )
    maximum_seconds: float = Field(3600, gt=0, description="time after which no additional generation begins")
    rounds: int = Field(4, ge=2, description="minimum of a generation's rounds, each a slice of every process")
    slice_seconds: float = Field(0.02, ge=0, description="minimum of timed seconds of a slice")
    minimum_runs: Count = Field(3, description="minimum of timed runs of a slice, and of a block for power")
    warmup_seconds: float = Field(0.2, ge=0, description="minimum warm-up time of a process")
    warmup_runs: Count = Field(3, description="minimum of warm-up runs of a process")
    settling_seconds: float = Field(
        30, ge=0, description="wait after a change of the power mode, for a device with `modes`"
    )
    quantile: float = Field(
        0.5,
        gt=0,
        le=0.5,
        description="quantile of a process's runs that is its time: 0.5 is the median, a lower one is less disturbed",
    )
    rule: Literal["comparison", "paper"] = Field(
        "comparison",
        description="`comparison` asks for the time and the ratio of each variant, `paper` for the time of each input",
    )
    minimum_samples: Count = Field(10, description="minimum of timed runs of each input, for the rule `paper`")
    profiled_runs: Count = Field(5, description="runs that record the time of each operation, spread over the inputs")
    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of intervals")
    target: float = Field(0.05, gt=0, lt=1, description="relative half-width of a settled interval (paper, III-B)")
    power: PowerBlocks = Field(PowerBlocks(), description="how power is measured on a device with a sensor")
    seed: int = Field(1, ge=0, description="seed of the order of variants")

    @model_validator(mode="after")
    def _maximum_is_no_less(self) -> Benchmark:
        if self.maximum_generations < self.generations:
            raise ValueError(f"maximum_generations is {self.maximum_generations}, but generations {self.generations}")
        return self

    @field_validator("batches")
    @classmethod
    def _latency_is_measured(cls, batches: tuple[int, ...]) -> tuple[int, ...]:
        if 1 not in batches:
            raise ValueError("1 is missing; latency is the time of one input")
        return batches
