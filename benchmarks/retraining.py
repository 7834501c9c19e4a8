"""Compare ways to retrain a pruned network at equal time: plain, with a teacher, recalibrated, and with both.

    PYTHONPATH=workflow nice python benchmarks/retraining.py [models]

Three zoo models lose 30 % and 50 % of their filters by `taylor`. Each is retrained with the settings of the default
study and three seeds. The plain way sees all training examples. The others see fewer, so that the steps, the watch over
them and the recalibration take as long on one core. The time to start a process and to trace a step is left out. The
table shows top-1 on the test set, and the paired difference to the plain way, over the test examples and the seeds.
Results of single ways are kept in results/retraining, so a stopped script goes on. The figure is of the models that
were compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import yaml

from tocompress.checkpoints.acquire import acquire
from tocompress.compression.pruning.ranking import channels_of, scores_on_data
from tocompress.compression.pruning.selection import select
from tocompress.compression.pruning.surgery import cut
from tocompress.compression.statistics import recalibrated, spreads
from tocompress.data.make import write_split
from tocompress.settings.study import Study, load
from tocompress.settings.training import Retraining
from tocompress.tasks.examples import Examples, drawn, read_examples, shuffled_batches
from tocompress.tasks.networks import Arrays, network_of
from tocompress.threads import use_threads
from tocompress.training.fit import compile_for, fit
from tocompress.training.reproducible import reproducible
from tocompress.training.retrain import _before, _begin_again, _learner, _lowest_loss, _training_data
from tocompress.training.teacher import Taught
from tocompress.weights import read_weights

FOLDER = Path("results/retraining")
MODELS = ("resnet_v1_50", "mobilenet_v1", "vgg_16")
SHARES = (0.3, 0.5)
SEEDS = (1, 2, 3)
TEACHER = 0.5


class Way(NamedTuple):
    """A way to retrain: a teacher's share of the loss, and whether batch norm is measured anew."""

    teacher: float
    recalibrates: bool


PLAIN = "plain"
WAYS = {
    PLAIN: Way(0, False),
    "recalibrated": Way(0, True),
    "both": Way(TEACHER, True),
    "teacher": Way(TEACHER, False),
}
Result = dict[str, np.ndarray]  # of a way: `cut` [examples] and `hits` [seeds, examples], and more (see `Cut.result`)


class Cut:
    """A model of the default study that lost a share of its filters, with its data."""

    def __init__(self, study: Study, name: str, share: float) -> None:
        self.study, self.name, self.share = study, name, share
        self.model, self.data = study.models[name], study.data[study.models[name].data]

    def __str__(self) -> str:
        return f"{self.name} p{100 * self.share:.0f}"

    @property
    def ways(self) -> tuple[str, ...]:
        normalized = any(name.endswith("/moving_mean") for name in self.weights)
        return tuple(name for name, way in WAYS.items() if normalized or not way.recalibrates)

    @cached_property
    def whole(self) -> Arrays:
        file = FOLDER / f"{self.name}.safetensors"
        if not file.exists():
            acquire(self.name, self.model, file, checkpoint=[Path(self.model.checkpoint.url)], vocabularies=())
        return read_weights(file)[0]

    @cached_property
    def weights(self) -> Arrays:
        file, channels = FOLDER / f"{self.name}-importance.npy", channels_of(self.model, self.whole)
        if not file.exists():
            np.save(file, scores_on_data(self.model, self.whole, channels, self.examples("calibration")))
        return self._smaller(self.whole)

    def _smaller(self, arrays: Arrays) -> Arrays:
        channels = channels_of(self.model, self.whole)
        keep = select(np.load(FOLDER / f"{self.name}-importance.npy"), channels, self.share, "global", 2, 1)
        return {name: np.asarray(array) for name, array in cut(dict(arrays), channels, keep).items()}

    def examples(self, split: Any) -> Examples:
        file = FOLDER / f"{self.model.data}-{split}.npz"
        if not file.exists():
            write_split(file, self.data, split)
        return read_examples(file, self.model, self.data)

    def measured_anew(self) -> Arrays:
        """The weights with batch norm's statistics on the calibration set, as the rule `prune` makes them."""
        count, seed = self.study.calibration.learning, self.study.calibration.seed
        chosen = drawn(self.examples("calibration"), self.model, count, seed, section="", split="")
        exact = self._smaller(spreads(self.whole, self.model, chosen, seed))
        return recalibrated(self.weights, self.model, chosen, seed, exact)

    @cached_property
    def _judge(self) -> tuple[keras.Model, dict[str, keras.Variable]]:
        return network_of(self.model, self.weights)

    def hits(self, weights: Arrays) -> np.ndarray:
        network, variables = self._judge
        for name, array in weights.items():
            variables[name].assign(array)
        batches = shuffled_batches(self.examples("test"), self.model, 200, 1)
        pairs = (batches[place] for place in range(len(batches)))
        return np.concatenate([network.predict_on_batch(images).argmax(-1) == labels for images, labels in pairs])

    def result(self, way: str) -> Result:
        """The hits before and after retraining, the examples that were seen, and the least seconds of an epoch."""
        file = FOLDER / f"{self.name}-{self.share}-{way}.npz"
        if not file.exists():
            keras.backend.clear_session()
            examples = self.data.train if way == PLAIN else self._affordable(way)
            weights = self.measured_anew() if WAYS[way].recalibrates else self.weights
            changes = {"teacher": WAYS[way].teacher, "examples": examples}
            settings = self.study.retraining[self.name].model_copy(update=changes)
            times: list[float] = []
            learnt = [self.hits(best) for best in self._retrained(weights, settings, times)]
            np.savez(file, cut=self.hits(weights), hits=learnt, examples=examples, epoch=min(times))
        return dict(np.load(file))

    def _retrained(self, weights: Arrays, settings: Retraining, times: list[float]) -> Iterator[Arrays]:
        """Yield what `retrain` returns for each seed. The network is compiled once. `times` gets seconds of epochs."""
        train, held_out = self.examples("train"), self.examples("calibration")
        with reproducible(SEEDS[0]):
            learner, variables = _learner(self.model, weights, {}, settings)
            objective = keras.losses.SparseCategoricalCrossentropy
            if settings.teacher:
                learner = Taught(learner, network_of(self.model, self.whole)[0], settings.teacher)
                objective = keras.losses.CategoricalCrossentropy
            compile_for(settings, learner, -(-settings.examples // settings.batch_size), objective)
            start = [keras.ops.convert_to_numpy(variable).copy() for variable in learner.variables]
            for seed in SEEDS:
                seeded = settings.model_copy(update={"seed": seed})
                _begin_again(learner, start, seed)
                best = weights
                lowest = _lowest_loss(_before(learner, _training_data(self.model, seeded, train, held_out)[1], print))
                for rate in settings.learning_rates:
                    _begin_again(learner, start, seed)
                    data = _training_data(self.model, seeded, train, held_out)
                    began = time.process_time()
                    with tempfile.TemporaryDirectory() as folder:
                        course: Any = {"resume_folder": Path(folder), "patience": settings.patience}
                        epochs = fit(learner, seeded, rate, *data, report=print, **course)
                    times.append((time.process_time() - began) / settings.epochs)
                    if (loss := _lowest_loss(epochs)) < lowest:
                        lowest = loss
                        best = {name: keras.ops.convert_to_numpy(variables[name]).copy() for name in weights}
                yield best

    def _affordable(self, way: str) -> int:
        """The number of training examples that a way has the time for, of which the plain way sees all."""
        watched, seen = self.data.calibration, self.data.train
        rates = len(self.study.retraining[self.name].learning_rates)
        whole, smaller = (self._seconds_of_an_example(weights) for weights in (self.whole, self.weights))
        left = float(self.result(PLAIN)["epoch"]) - watched * smaller
        step = left / seen
        if WAYS[way].recalibrates:
            building = least_seconds(lambda: network_of(self.model, self.weights), 3)
            left -= (least_seconds(self.measured_anew, 3) - building) / rates
        if WAYS[way].teacher:
            left, step = left - watched * whole, step + whole
        return int(left / step)

    def _seconds_of_an_example(self, weights: Arrays) -> float:
        network, _ = network_of(self.model, weights)
        run = tf.function(lambda inputs: network(inputs, training=False))
        inputs = shuffled_batches(self.examples("test"), self.model, 64, 1)[0][0]
        return least_seconds(lambda: run(inputs), 20) / 64


def least_seconds(run: Callable[[], Any], times: int) -> float:
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def difference(hits: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """The difference in points, and half of its 95 % interval, over examples of the mean over the seeds."""
    change = 100 * (hits.mean(0) - others.mean(0))
    return change.mean(), 1.96 * change.std(ddof=1) / np.sqrt(len(change))


def compare(case: Cut) -> dict[str, tuple[float, float]]:
    """Print a row for each way, and return its difference to the plain one."""
    found = {}
    for way in case.ways:
        result = case.result(way)
        found[way] = difference(result["hits"], case.result(PLAIN)["hits"])
        before, *after = (100 * hits.mean() for hits in (result["cut"], *result["hits"]))
        seen = f"{result['examples']:5} examples, {result['epoch']:4.1f} s"
        seeds = ", ".join(f"{one:.1f}" for one in after)
        change, half = found[way]
        print(
            f"{case!s:17} {way:13} {seen}  {before:5.1f}  {np.mean(after):5.1f} ({seeds})  {change:+.1f} +- {half:.1f}",
            flush=True,
        )
    return found


def draw(found: dict[str, dict[str, tuple[float, float]]]) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for number, way in enumerate(way for way in WAYS if way != PLAIN):
        known = {place: of_case[way] for place, of_case in enumerate(found.values()) if way in of_case}
        points, halves = zip(*known.values(), strict=True)
        places = np.array([*known]) + (number - 1) * 0.2
        axes.errorbar(places, points, halves, fmt="osD"[number], capsize=3, label=way)
    axes.axhline(0, color="0.6", linewidth=1)
    axes.set_xticks(range(len(found)), [case.replace(" ", "\n") for case in found], fontsize=8)
    axes.set_ylabel("top-1, points above plain")
    axes.legend(frameon=False)
    figure.savefig("docs/images/retraining.png", dpi=160)


def main(names: list[str]) -> None:
    use_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    study = load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))
    cases = [Cut(study, name, share) for name in names or MODELS for share in SHARES]
    draw({str(case): compare(case) for case in cases})


if __name__ == "__main__":
    main(sys.argv[1:])
