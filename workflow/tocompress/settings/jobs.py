"""The settings of one job of each rule: the slice of the config that the job's result depends on."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from tocompress.settings.base import Count, Name, Settings
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.data import DataSettings
from tocompress.settings.device import Device
from tocompress.settings.evaluation import Prediction, Scores, Sensitivity
from tocompress.settings.model import ModelSettings
from tocompress.settings.reporting import Plot, Report
from tocompress.settings.technique import Prune
from tocompress.settings.training import Retraining, Training


class _OnDataset(Settings):
    """A model, and a dataset of examples for its task."""

    model: ModelSettings
    data: DataSettings

    @model_validator(mode="after")
    def _task_is_the_same(self) -> _OnDataset:
        if self.model.task != self.data.task:
            raise ValueError(f"{self.model.network} takes no examples of the kind '{self.data.kind}'")
        return self


class TrainJob(_OnDataset):
    """A model to train on its dataset."""

    training: Training


class RankJob(_OnDataset):
    """A model whose channels are ranked on its dataset."""


class PruneJob(_OnDataset):
    """A model to prune by a technique, and its retraining, if there is any."""

    technique: Prune
    retraining: Retraining | None


class SensitivityJob(_OnDataset):
    """A model to scan on its dataset."""

    sensitivity: Sensitivity


class InputsJob(_OnDataset):
    """A model, and the number of inputs of its dataset that it is timed on."""

    count: Count


class BenchmarkJob(Settings):
    """All variants of a model, to be measured on a device in one session."""

    name: str
    device: Device
    benchmark: Benchmark
    variants: tuple[str, ...]


class PredictJob(_OnDataset):
    """A model whose artifact is run over its test set."""

    runtime: str
    prediction: Prediction


class ScoreJob(Settings):
    """The task of predictions, and how they are scored."""

    task: str
    scores: Scores
    language: str | None = Field(description="language of translations in Moses' tokens (null: plain text)")


class StudyVariant(Settings):
    """The facts of a variant in its rows of the study's table."""

    name: str
    methods: tuple[str, ...] = ()  # of its techniques, in their order
    bits: int | None = None  # the fewest bits in which a technique stores weights
    granularity: str | None = None  # of quantization
    pruned: str | None = None  # the pruned variant: itself or one of its parents


class StudyModel(Settings):
    """The facts of a model in its rows of the study's table."""

    name: str
    network: str
    build: str
    data: str
    trained: bool
    benchmarked: bool
    variants: tuple[StudyVariant, ...]


class StudyDevice(Settings):
    """The facts of a device in its rows of the study's table."""

    name: str
    processor: str
    runtime: str
    rails: tuple[str, ...] | None = None


class AggregateJob(Settings):
    """The models and devices of a study."""

    models: tuple[StudyModel, ...]
    devices: tuple[StudyDevice, ...]
    runtimes: tuple[str, ...]
    level: float
    target: float


class ClaimsJob(Settings):
    """The part of a study's config that its claims depend on."""

    techniques: dict[str, str] = Field(description="method of each technique")
    data: dict[str, str] = Field(description="kind of each dataset")


class SensitivityFigureJob(Settings):
    """The model that was scanned, its dataset, and how the figure is drawn."""

    model: Name
    network: str
    data: Name
    criterion: str
    plot: Plot


class ReportJob(Settings):
    """How the report looks, and the part of the config that it shows."""

    report: Report
    plot: Plot
    devices: tuple[str, ...]
    config: dict[str, Any] = Field(description="the study's selection and its definitions, to be shown")
