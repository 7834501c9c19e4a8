"""Compare ways to retrain a pruned network at equal time: plain, with a teacher, recalibrated, and with both.

    PYTHONPATH=workflow nice python benchmarks/retraining.py [models]

Three zoo models lose 30 % and 50 % of their filters by `taylor`. Each is retrained with the settings of the default
study and three seeds. The plain way sees all training examples. The others see fewer, so that the steps, the watch over
them and the recalibration take as long on one core. The table shows top-1 on the test set, and the paired difference to
the plain way, over the test examples and the seeds. Results of single runs are kept in results/retraining, so a stopped
script goes on. With all models, it draws docs/images/retraining.png.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, cached_property
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
from tocompress.compression.statistics import recalibrated
from tocompress.data.make import write_split
from tocompress.settings.study import Study, load
from tocompress.settings.training import Retraining
from tocompress.tasks.examples import Examples, drawn, read_examples, shuffled_batches
from tocompress.tasks.networks import Arrays, network_of
from tocompress.threads import use_threads
from tocompress.training.retrain import retrain
from tocompress.weights import read_weights

FOLDER = Path("results/retraining")
MODELS = ("resnet_v1_50", "vgg_16", "mobilenet_v1")
SHARES = (0.3, 0.5)
SEEDS = (1, 2, 3)
TEACHER = 0.5
PILOT = 512  # training examples that tell how long one takes


class Way(NamedTuple):
    """A way to retrain: a teacher's share of the loss, and whether batch norm is measured anew."""

    teacher: float
    recalibrates: bool


WAYS = {
    "plain": Way(0, False),
    "teacher": Way(TEACHER, False),
    "recalibrated": Way(0, True),
    "both": Way(TEACHER, True),
}


class Cut:
    """A model of the default study that lost a share of its filters, with its data."""

    def __init__(self, study: Study, name: str, share: float) -> None:
        self.study, self.name, self.share = study, name, share
        self.model, self.data = study.models[name], study.data[study.models[name].data]
        self.settings = study.retraining[name]

    @cached_property
    def whole(self) -> Arrays:
        return weights_of(self.study, self.name)

    @cached_property
    def weights(self) -> Arrays:
        channels = channels_of(self.model, self.whole)
        keep = select(importance(self.study, self.name), channels, self.share, "global", 2, 1)
        return {name: np.asarray(array) for name, array in cut(dict(self.whole), channels, keep).items()}

    def examples(self, split: Any) -> Examples:
        return examples_of(self.study, self.name, split)

    def measured_anew(self) -> Arrays:
        """The weights of the cut with batch norm's statistics on the calibration set, as the rule `prune` makes them."""
        count, seed = self.study.calibration.learning, self.study.calibration.seed
        chosen = drawn(self.examples("calibration"), self.model, count, seed, section="", split="")
        return recalibrated(self.weights, self.model, chosen, seed)

    def retrained(
        self, weights: Arrays, settings: Retraining, held_out: Examples, report: Any = lambda line: None
    ) -> tuple[Arrays, Any]:
        with tempfile.TemporaryDirectory() as folder:
            return retrain(
                weights, self.model, settings, self.examples("train"), held_out, {},
                resume_folder=Path(folder), teacher=self.whole, report=report,
            )  # fmt: skip

    def hits(self, weights: Arrays) -> np.ndarray:
        network, _ = network_of(self.model, weights)
        batches = shuffled_batches(self.examples("test"), self.model, 200, 1)
        found = [network.predict_on_batch(batches[place][0]).argmax(-1) == batches[place][1] for place in range(len(batches))]
        return np.concatenate(found)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of training examples that each way has the time for."""
        of_all, watched = self.data.train, self.data.calibration
        whole, smaller = (self._seconds_of_an_example(weights) for weights in (self.whole, self.weights))
        step = self._seconds_of_a_step(smaller)
        start = time.process_time()
        self.measured_anew()
        anew = (time.process_time() - start) / len(self.settings.learning_rates) / step
        taught = lambda examples: int((examples * step - watched * whole) / (step + whole))  # noqa: E731
        print(f"{self.name} {self.share}: step {1e3 * step:.2f} ms, teacher {1e3 * whole:.2f} ms, statistics {anew:.0f} steps")
        rest = of_all - anew
        return {"plain": of_all, "teacher": taught(of_all), "recalibrated": int(rest), "both": taught(rest)}

    def _seconds_of_an_example(self, weights: Arrays) -> float:
        network, _ = network_of(self.model, weights)
        run = tf.function(lambda inputs: network(inputs, training=False))
        inputs = shuffled_batches(self.examples("test"), self.model, 64, 1)[0][0]
        return least_seconds(lambda: run(inputs)) / 64

    def _seconds_of_a_step(self, seconds_of_an_example: float) -> float:
        """The time of a training example, from the fastest of some short epochs without the watch over them."""
        settings = {"examples": PILOT, "epochs": 4, "patience": 4, "learning_rates": (1e-6,)}
        watch = PILOT // 4
        held_out = tuple(part[:watch] for part in self.examples("calibration"))
        times: list[float] = []  # at the start, before the first epoch, and after each
        report = lambda line: times.append(time.process_time())  # noqa: E731
        self.retrained(self.weights, self.settings.model_copy(update=settings), held_out, report)
        return float(min(np.diff(times)[-3:]) - watch * seconds_of_an_example) / PILOT


def least_seconds(run: Callable[[], Any], times: int = 20) -> float:
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


@cache
def _study() -> Study:
    return load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))


def weights_of(study: Study, name: str) -> Arrays:
    file, model = FOLDER / f"{name}.safetensors", study.models[name]
    if not file.exists():
        acquire(name, model, file, checkpoint=[Path(model.checkpoint.url)], vocabularies=())
    return read_weights(file)[0]


def examples_of(study: Study, name: str, split: Any) -> Examples:
    model = study.models[name]
    data, file = study.data[model.data], FOLDER / f"{model.data}-{split}.npz"
    if not file.exists():
        write_split(file, data, split)
    return read_examples(file, model, data)


def importance(study: Study, name: str) -> np.ndarray:
    file = FOLDER / f"{name}-importance.npy"
    if not file.exists():
        weights, model = weights_of(study, name), study.models[name]
        np.save(file, scores_on_data(model, weights, channels_of(model, weights), examples_of(study, name, "calibration")))
    return np.load(file)


def run(case: Cut, way: str, seed: int) -> dict[str, np.ndarray]:
    """The hits of a way's cut and of its retrained network, and the seconds of its processor. A run is kept on disk."""
    file = FOLDER / f"{case.name}-{case.share}-{way}-{seed}.npz"
    if not file.exists():
        keras.backend.clear_session()
        start = time.process_time()
        weights = case.measured_anew() if WAYS[way].recalibrates else case.weights
        changes = {"seed": seed, "teacher": WAYS[way].teacher, "examples": case.numbers[way]}
        settings = case.settings.model_copy(update=changes)
        learnt, history = case.retrained(weights, settings, case.examples("calibration"))
        seconds = time.process_time() - start
        epochs = history.loc[history["metric"] == "seconds", "value"].sum()
        np.savez(
            file, cut=case.hits(weights), hits=case.hits(learnt), seconds=seconds, epochs=epochs,
            examples=changes["examples"], whole=case.hits(case.whole),
        )  # fmt: skip
    return dict(np.load(file))


def difference(hits: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """The difference in points, and half of its 95 % interval, over examples of the mean over the seeds."""
    change = 100 * (hits.mean(0) - others.mean(0))
    return change.mean(), 1.96 * change.std(ddof=1) / np.sqrt(len(change))


def compare(case: Cut) -> dict[str, tuple[float, float]]:
    """Print a row for each way, and return its difference to the plain one."""
    found = {}
    for way in WAYS:
        runs = [run(case, way, seed) for seed in SEEDS]
        hits = np.array([one["hits"] for one in runs])
        plain = hits if way == "plain" else plain
        found[way] = difference(hits, plain)
        seeds = ", ".join(f"{100 * one.mean():.1f}" for one in hits)
        seconds = np.mean([one["seconds"] for one in runs])
        print(
            f"{case.name:13} p{100 * case.share:.0f}  {way:13} {runs[0]['examples']:5}  cut {100 * runs[0]['cut'].mean():5.1f}"
            f"  {100 * hits.mean():5.1f} ({seeds})  {found[way][0]:+.1f} +- {found[way][1]:.1f}  {seconds:.0f} s",
            flush=True,
        )
    return found


def draw(found: dict[str, dict[str, tuple[float, float]]]) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    ways = [way for way in WAYS if way != "plain"]
    for number, way in enumerate(ways):
        places = np.arange(len(found)) + (number - 1) * 0.2
        points, halves = zip(*(of_case[way] for of_case in found.values()), strict=True)
        axes.errorbar(places, points, halves, fmt="osD"[number], capsize=3, label=way)
    axes.axhline(0, color="0.6", linewidth=1)
    axes.set_xticks(range(len(found)), list(found), fontsize=8)
    axes.set_ylabel("top-1, points above plain retraining")
    axes.legend(frameon=False)
    figure.savefig("docs/images/retraining.png", dpi=160)


def main(names: list[str]) -> None:
    use_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = [Cut(_study(), name, share) for name in names or MODELS for share in SHARES]
    found = {f"{case.name}\np{100 * case.share:.0f}": compare(case) for case in cases}
    if not names:
        draw(found)


if __name__ == "__main__":
    main(sys.argv[1:])
