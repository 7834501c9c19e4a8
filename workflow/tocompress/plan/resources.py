"""Resources: the memory, the time and the disk that a job asks a cluster for.

They follow from the config alone. So they are known in a dry run, and in a group whose files do not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tocompress.models.registry import find
from tocompress.plan.base import Wildcards
from tocompress.plan.benchmark import Benchmark
from tocompress.settings.data import Split
from tocompress.settings.model import ImageModel, KerasModel, ModelSettings
from tocompress.settings.training import Optimization

_BYTES_PER_MB = 1e6
_BYTES_OF_A_FLOAT = 4
#: Of the two Snakemakes beside each script.
_SNAKEMAKES_MB = 500
#: A job that has not ended after a day is ended, and retraining continues in the next one.
_LONGEST_MINUTES = 24 * 60
#: Of one core, for an example forwards: a part of its own, and a part for each MB of weights at 224 x 224 pixels.
_SECONDS, _SECONDS_PER_MB = 0.005, 0.004
_PIXELS = 224 * 224
#: MB of the maps of an image in one layer and the next.
_MAPS = 15
#: Examples of a split where the config does not tell their number: ImageNet's.
_UNKNOWN = {"train": 1_281_167, "calibration": 128_000, "test": 50_000}
#: A step of training computes each example forwards, and twice as much backwards. It keeps the maps of all layers.
_STEP, _KEPT = 3, 12
#: Examples that quantization and ranking run forwards, and changes of a network that a scan judges, at most.
_LEARNING, _CHANGES, _BATCH = 2_000, 300, 100
#: Networks that a session holds in memory at a time, at most. It loads no more than its memory takes.
_LOADED = 8
#: Files of a job in MB: a part of its own, and so many files as large as the weights.
_FILES_MB, _FILES = 200, 3


@dataclass(frozen=True)
class Need:
    """The memory and the time of a rule's jobs. docs/cluster.md has the measured peaks behind them."""

    mb: int
    per_mb: float = 0  # MB of memory for each MB of the model's weights as floats
    minutes: int = 10  # besides the time that the network computes


@dataclass(frozen=True)
class Work:
    """The part of a job that depends on more of the config than the model."""

    seconds: float = 0  # in which a core computes
    maps: float = 0  # as many as of so many images forwards are in memory at a time
    loaded: int = 1  # networks in memory at a time


NEEDS = {
    "extract": Need(600, minutes=30),
    "images": Need(600, minutes=30),
    "sentences": Need(600, minutes=30),
    "photographs": Need(1500, minutes=240),
    "pictures": Need(1500, minutes=480),
    "corpus": Need(1500, minutes=60),
    "acquire": Need(1000, 3),
    "import_model": Need(1500, 6),
    "compress": Need(300, 2.5),
    "quantize": Need(1000, 6),
    "rank": Need(1200, 6),
    "prune": Need(1200, 6),
    "train": Need(1200, 6),
    "trace": Need(900, 2),
    "export": Need(300, 4.5),
    "trace_litert": Need(1000, 6),
    "calibrate": Need(500, 4),
    "export_litert": Need(300, 4.5),
    "inputs": Need(600),
    "benchmark": Need(500, 3, minutes=30),
    "predict": Need(900, 14),
    "predict_shard": Need(900, 14),
    "sensitivity": Need(1200, 6),
    "quantization_sensitivity": Need(1200, 6),
    "bundle": Need(600, 2),
    "check_model": Need(900, 3),
}
#: Of the rules that read and write tables.
_TABLES = Need(500)


def _idle(_: Wildcards) -> Work:
    return Work()


class Resources(Benchmark):
    """The `resources` of every rule whose jobs can run on a node."""

    def resources(self, rule: str, work: Callable[[Wildcards], Work] = _idle) -> dict[str, Callable[..., int]]:
        """Return the functions that tell a job's needs. A second attempt has twice the memory and twice the time."""
        need = NEEDS.get(rule, _TABLES)

        def mem_mb(wildcards: Wildcards, attempt: int) -> int:
            own = work(wildcards)
            network = need.mb + need.per_mb * self._weights_mb(wildcards)
            maps = own.maps * self._maps_mb(wildcards) if own.maps else 0
            return attempt * round(_SNAKEMAKES_MB + own.loaded * network + maps)

        def runtime(wildcards: Wildcards, attempt: int) -> int:
            minutes = need.minutes + work(wildcards).seconds / 60
            return min(attempt * round(minutes), _LONGEST_MINUTES)

        return {"mem_mb": mem_mb, "runtime": runtime, "disk_mb": self._disk_mb}

    def _disk_mb(self, wildcards: Wildcards) -> int:
        return round(_FILES_MB + _FILES * self._weights_mb(wildcards))

    def _weights_mb(self, wildcards: Wildcards) -> float:
        """Return the size of a model's uncompressed weights as floats, or 0 for a job that is of no model."""
        name = getattr(wildcards, "model", None)
        return megabytes(self.study.models[name]) if name else 0

    def _maps_mb(self, wildcards: Wildcards) -> float:
        """Return the size of the maps of one example of a model."""
        model = self.model(wildcards)
        return _MAPS * getattr(model, "width", 1) * _pixels(model)

    # The work of a job

    def judging(self, wildcards: Wildcards) -> Work:
        """Return the work to judge a variant on its test set, or on a shard of it."""
        prediction = self.study.evaluation.prediction
        examples = prediction.examples or self._examples(wildcards, prediction.split)
        return Work(examples / prediction.shards * self._forwards(wildcards), prediction.batch_size)

    def learning(self, wildcards: Wildcards) -> Work:
        """Return the work to run a network some times over the examples that it learns from."""
        return Work(_LEARNING * self._forwards(wildcards), _BATCH)

    def scanning(self, wildcards: Wildcards) -> Work:
        """Return the work to judge a network with each of some hundred changes."""
        return Work(_CHANGES * self.study.sensitivity.examples * self._forwards(wildcards), _BATCH)

    def retraining(self, wildcards: Wildcards) -> Work:
        """Return the work to retrain with each of the learning rates, or none where the cut is all."""
        retraining = self.study.retraining.get(wildcards.model)
        if retraining is None or not self.model(wildcards).trained:
            return Work()
        examples = len(retraining.learning_rates) * (retraining.examples or self._examples(wildcards, "train"))
        return self._training(wildcards, retraining, examples)

    def training(self, wildcards: Wildcards) -> Work:
        """Return the work to train a checkpoint of the zoo."""
        return self._training(wildcards, self.study.zoo[wildcards.model], self._examples(wildcards, "train"))

    def measuring(self, wildcards: Wildcards) -> Work:
        """Return the work of a session: its time in each power mode, and as much for power and operations."""
        modes = len(self.study.device(wildcards.device).modes) or 1
        loaded = min(len(self._conditions(wildcards)), _LOADED)
        return Work(2 * modes * self.study.benchmark.maximum_seconds, loaded=loaded)

    def _training(self, wildcards: Wildcards, how: Optimization, examples: int) -> Work:
        return Work(_STEP * how.epochs * examples * self._forwards(wildcards), _KEPT * how.batch_size)

    def _examples(self, wildcards: Wildcards, split: Split) -> int:
        """Return the number of examples of a split, or ImageNet's where the config does not tell it."""
        told = getattr(self.study.data[self.model(wildcards).data], split, None)
        return told if isinstance(told, int) else _UNKNOWN[split]

    def _forwards(self, wildcards: Wildcards) -> float:
        """Return an upper limit of the seconds of one example on one core."""
        model = self.model(wildcards)
        return _SECONDS + _SECONDS_PER_MB * megabytes(model) * _pixels(model)


def megabytes(model: ModelSettings) -> float:
    """Return the size of a model's uncompressed weights as floats, in MB.

    A network at another width than 1 has as many parameters as if all its layers became wider alike.
    """
    if isinstance(model, KerasModel):
        path = Path(model.file)
        files = path.rglob("*") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files if file.is_file()) / _BYTES_PER_MB
    parameters = find(model.network).parameters or 0
    return parameters * model.width**2 * _BYTES_OF_A_FLOAT / _BYTES_PER_MB


def _pixels(model: ModelSettings) -> float:
    """Return the pixels of an input as a share of 224 x 224. A sentence, and a file's unknown input, count as 1."""
    return model.input_size**2 / _PIXELS if isinstance(model, ImageModel) else 1
