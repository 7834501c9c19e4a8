"""The metrics of the study. One row of `_ALL` describes one metric completely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

BASES = ("measured", "estimated", "unavailable")
Task = Literal["classification", "translation"]


@dataclass(frozen=True)
class Metric:
    """A metric of the study's table.

    A `count` is exact, so it has no interval. A `cost` depends on the device. An `accuracy` means something for trained
    weights only. A `class` metric judges one class of pictures, which is its label.
    """

    name: str
    unit: str
    title: str  # in print
    how: str  # a value is measured or computed, in print
    kind: Literal["count", "cost", "accuracy", "class"]
    task: Task | None = None  # the only task with this metric, None for all
    judges: bool = False  # stands for all accuracies of its task
    signed: bool = False  # its label describes the computation, not a part of the variant


_count, _cost = partial(Metric, kind="count"), partial(Metric, kind="cost")
_classification = partial(Metric, kind="accuracy", task="classification")
_translation = partial(Metric, kind="accuracy", task="translation", signed=True)

# fmt: off
_ALL = (
    # name, unit, title, how
    _count("parameters", "1", "parameters", "counted in the weights, batch norm statistics included"),
    _count("macs", "1", "multiply-accumulates", "counted from the shapes of the layers, for one input"),
    _count("filters_removed", "fraction", "filters removed", "counted in the weights"),
    _count("size", "byte", "file size", "size of the file that a device loads"),
    _count("size_deflated", "byte", "compressed file size", "size of that file, compressed"),
    _cost("latency", "ms", "inference time",
          "wall clock from input to output, load excluded; a quantile of each fresh process's runs"
          " (`benchmark.quantile`), geometric mean over generations of processes"),
    _cost("latency_per_token", "ms", "time a token", "as inference time, divided by the tokens generated",
          task="translation"),
    _cost("throughput", "1/s", "throughput",
          "inputs of a batch divided by its inference time; the label is the number of inputs"),
    _cost("processor_time", "ms", "processor time",
          "time of all processors in an inference, the runtime's threads added up; a quantile as of inference time"),
    _cost("load", "ms", "loading time",
          "wall clock of reading and preparing the artifact in a fresh process, up to its first inference;"
          " geometric mean over fresh processes"),
    _cost("first_inference", "ms", "first inference",
          "wall clock of the first inference of a fresh process, in which a runtime may still prepare the artifact;"
          " geometric mean over fresh processes"),
    _cost("memory", "byte", "runtime memory",
          "peak of a fresh process from its second inference on, above that of a control process without a model"),
    _cost("power_mean", "W", "mean power",
          "energy of a block of inferences above idle, divided by its duration; mean over fresh processes"),
    _cost("power_peak", "W", "peak power",
          "99th percentile in a block of the mean power over 100 ms, above idle; mean over fresh processes"),
    _cost("energy", "J", "energy",
          "power above idle, integrated over a block of inferences and the sensor's tail, an inference;"
          " mean over fresh processes"),
    _classification("top1", "fraction", "top-1", "share of the test set whose best class is right", judges=True),
    _classification("top5", "fraction", "top-5", "share of the test set whose class is among the best five"),
    _classification("precision", "fraction", "precision", "mean over classes"),
    _classification("recall", "fraction", "recall", "mean over classes"),
    _classification("f1", "fraction", "F1", "mean over classes"),
    Metric("class_recall", "fraction", "recall of a class", "share of the class's test pictures that is right;"
           " the classes with the lowest of a variant or of fp32", kind="class", task="classification"),
    _translation("bleu", "score", "BLEU", "sacreBLEU on the test set, 0 to 100", judges=True),
    _translation("bleu_tokenized", "score", "BLEU of tokens",
                 "BLEU of tokens on the test set, as tensorflow/nmt's scripts compute it, 0 to 100"),
    _cost("operation_share", "fraction", "share of operation time",
          "share of the time of all profiled operations of an inference"),
    _cost("integer_share", "fraction", "share in integers",
          "share of the profiled operations of an inference that computed in integers, by their time or their number"),
)
# fmt: on

#: Every metric by its name, in the order of the study's table.
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
COUNTED = frozenset(metric.name for metric in _ALL if metric.kind == "count")
COSTS = frozenset(metric.name for metric in _ALL if metric.kind == "cost")
ACCURACY = frozenset(metric.name for metric in _ALL if metric.kind == "accuracy")

#: The accuracies that judge a model, one for each task.
JUDGES = tuple(metric.name for metric in _ALL if metric.judges)


def accuracies(task: Task) -> tuple[Metric, ...]:
    """Return the metrics that score the predictions of a task, in their order."""
    return tuple(metric for metric in _ALL if metric.kind == "accuracy" and metric.task == task)
