"""The settings of one job of each rule: the slice of the config that the job's result depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tocompress.settings.base import Count, Name, Settings
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.calibration import Calibration
from tocompress.settings.compare import Compare
from tocompress.settings.data import DataSettings
from tocompress.settings.device import Device
from tocompress.settings.evaluation import Prediction, QuantizationSensitivity, Scores, Sensitivity
from tocompress.settings.model import ModelSettings, with_facts
from tocompress.settings.reporting import Plot, Report
from tocompress.settings.technique import Prune, Quantize, Technique
from tocompress.settings.training import Retraining, Training
from tocompress.weights import ModelMetadata


class _OnDataset(Settings):
    """A model, and a dataset of examples for its task."""

    model: ModelSettings
    data: DataSettings

    @model_validator(mode="after")
    def _task_is_the_same(self) -> _OnDataset:
        if self.model.task != self.data.task:
            raise ValueError(f"{self.model.network} takes no examples of the kind '{self.data.kind}'")
        return self

    def of(self, *files: ModelMetadata) -> Self:
        """Return the job with the facts of the model's weights file, which is needed for a model of one's own."""
        model = self.model
        for metadata in files:
            model = with_facts(model, metadata)
        return self.model_copy(update={"model": model})


class TrainJob(_OnDataset):
    """A model to train on its dataset."""

    training: Training


class RankJob(_OnDataset):
    """A model whose channels are ranked on its dataset."""


class QuantizeJob(_OnDataset):
    """A model to quantize by a technique on examples of its dataset."""

    technique: Quantize
    examples: Count
    seed: int


class Recalibration(Settings):
    """The examples that batch norm's statistics are measured on."""

    examples: Count
    seed: int


class PruneJob(_OnDataset):
    """A model to prune by a technique, its retraining and its recalibration, if there are any."""

    technique: Prune
    retraining: Retraining | None
    recalibration: Recalibration | None = None


class SensitivityJob(_OnDataset):
    """A model to scan on its dataset."""

    sensitivity: Sensitivity


class QuantizationSensitivityJob(_OnDataset):
    """A model whose kernels are quantized one by one on its dataset."""

    sensitivity: QuantizationSensitivity


class InputsJob(_OnDataset):
    """A model, the number of inputs of its dataset that it is timed on, and the sizes of their batches."""

    count: Count
    batches: tuple[Count, ...]


class CalibrationJob(_OnDataset):
    """A model, and the images that show how large its activations become."""

    calibration: Calibration


class ExportJob(Settings):
    """How a variant becomes a flatbuffer: in floats, or in integers with activations of these ranges."""

    activations: Literal[8, "dynamic"] | None = None
    range_quantile: float = 1.0


class Condition(NamedTuple):
    """A variant in a runtime, and how its operations compute."""

    runtime: str
    variant: str
    arithmetic: str


class BenchmarkJob(Settings):
    """All variants of a model, to be measured on a device in one session."""

    name: str
    device: Device
    benchmark: Benchmark
    conditions: tuple[Condition, ...] = Field(description="measured conditions, fp32 of each runtime first")


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
    bits: int | None = None  # in which quantization stores weights, but for kernels to keep (None: mixed, or no grid)
    granularity: str | None = None  # of quantization
    options: str | None = None  # of quantization beside its grid, in words
    activations: str | None = None  # how quantized operations read activations
    refused: Mapping[str, str] = {}  # why a runtime cannot execute it, by runtime
    pruned: str | None = None  # the pruned variant: itself or one of its parents


class CheckModelJob(Settings):
    """A model to describe, with its variants and their techniques."""

    model: ModelSettings
    techniques: Mapping[str, Technique] = Field(description="techniques of its variants, by name")
    variants: tuple[StudyVariant, ...]
    runtimes: tuple[str, ...]


class StudyModel(Settings):
    """The facts of a model in its rows of the study's table."""

    name: str
    network: str
    task: Literal["classification", "translation"]
    build: str
    data: str
    trained: bool
    benchmarked: bool
    variants: tuple[StudyVariant, ...]


class StudyDevice(Settings):
    """The facts of a device in its rows of the study's table."""

    name: str
    processor: str
    runtimes: tuple[str, ...]
    rails: tuple[str, ...] | None = None


class AggregateJob(Settings):
    """The models and devices of a study."""

    models: tuple[StudyModel, ...]
    devices: tuple[StudyDevice, ...]
    runtimes: tuple[str, ...]
    quantile: float
    level: float
    target: float


class BundleJob(_OnDataset):
    """A variant of a model to take away, and the command that makes its bundle.

    The command names no config file: another command line that asks for the same study makes no bundle again.
    """

    name: str = Field(description="the model's")
    runtime: str
    variant: str
    techniques: Mapping[str, Technique] = Field(description="techniques of the variant, by name")
    arithmetic: tuple[str, ...]
    command: str


class CompareJob(Settings):
    """Two studies to compare, and how this study judges its values."""

    here: str = Field(description="name of this study")
    there: str = Field(description="name of the other study")
    compare: Compare
    quantile: float
    level: float
    rails: Mapping[str, tuple[str, ...] | None] = Field(description="rails that add up to a device's power, by device")
    scores: Scores
    languages: Mapping[str, str | None] = Field(description="language of translations in Moses' tokens, by dataset")


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


class QuantizationSensitivityFigureJob(Settings):
    """The model whose kernels were scanned, its dataset, and how the figure is drawn."""

    model: Name
    network: str
    data: Name
    plot: Plot


class SearchFigureJob(Settings):
    """The model whose configurations were searched, its dataset, and how the figure is drawn."""

    model: Name
    network: str
    data: Name
    plot: Plot


class ReportFiles(Settings):
    """Where a report finds the files that it leads to. Words in braces stand for a model and its variant."""

    folder: str = Field(description="of the report; the paths of artifacts are relative to it")
    artifacts: dict[str, str] = Field(description="the path of an artifact by its runtime")
    bundle: str = Field(description="the folder of a bundle, which Snakemake makes on request")


class PackageJob(Settings):
    """A study to publish, and the choice of the artifacts that its package holds."""

    study: str
    folder: str
    artifacts: tuple[str, ...]
    config: dict[str, Any] = Field(description="the whole config, defaults included")


class ReportJob(Settings):
    """How the report looks, and the part of the config that it shows."""

    report: Report
    plot: Plot
    devices: tuple[str, ...]
    files: ReportFiles
    searches: tuple[SearchFigureJob, ...] = Field((), description="the finished searches")
    config: dict[str, Any] = Field(description="the study's selection and its definitions, to be shown")
