"""What the criteria of pruning keep of a network's accuracy before retraining, and what retraining brings back.

    PYTHONPATH=workflow python benchmarks/pruning.py vgg_16 resnet_v1_50

Reads weights and data that `snakemake --cores all` has made in results/default. Top-1 on the test set; differences are
paired over its images, with bootstrap intervals. All images of the training set are seen once, under each
of three seeds; the uncompressed network learns on for as long, as a control.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}

import numpy as np
import yaml

from tocompress.compression.pruning import prune
from tocompress.compression.ranking import channels_of, scores_on_data
from tocompress.evaluation.bootstrap import interval, resample
from tocompress.settings.pruning import Prune, PruningInputs
from tocompress.settings.study import Study, load
from tocompress.settings.training import Retraining
from tocompress.training.examples import read_examples
from tocompress.training.images import network_input
from tocompress.training.retrain import Arrays, network_of, retrain
from tocompress.weights import read_weights

RESULTS = Path("results/default")
SEEDS = (1, 2, 3)
LEARNING_RATES = {"vgg_16": 3e-4, "resnet_v1_50": 1e-3}
LEVEL = 0.95


class Judge:
    """A model with its data; says which test images a set of its weights gets right."""

    def __init__(self, study: Study, name: str) -> None:
        self.model = study.models[name]
        self.data = study.data[self.model.data]
        self.weights = read_weights(RESULTS / f"weights/{name}/fp32.safetensors")[0]
        self.train, self.calibration, self.test = (
            read_examples(RESULTS / f"data/{self.model.data}/{split}.npz", self.model, self.data)
            for split in ("train", "calibration", "test")
        )

    def hits(self, weights: Arrays) -> np.ndarray:
        """Whether each test image is recognised, bool [N]."""
        network, _ = network_of(self.model, weights)
        images, labels = self.test
        return network.predict(network_input(images, self.model), 250, verbose=0).argmax(-1) == labels

    def inputs(self, share: float, criterion: str, seed: int, retraining: Retraining | None) -> PruningInputs:
        technique = Prune(method="prune", share=share, criterion=criterion, seed=seed)
        return PruningInputs(technique=technique, model=self.model, data=self.data, retraining=retraining)


def report(name: str, what: str, hits: np.ndarray, reference: np.ndarray, against: str) -> None:
    difference = hits.astype(float) - reference
    drawn = resample(lambda times: times @ difference / len(times), len(hits), resamples=10_000, seed=1)
    low, high = (100 * bound for bound in interval(drawn, LEVEL))
    print(
        f"{name:14} {what:34} top-1 {100 * hits.mean():5.1f} %, {100 * difference.mean():+5.1f} points"
        f" [{low:+5.1f}, {high:+5.1f}] against {against}",
        flush=True,
    )


def cuts(judge: Judge, name: str, whole: np.ndarray) -> None:
    """Each criterion without retraining, against fp32 and against chance."""
    importance = scores_on_data(judge.model, judge.weights, channels_of(judge.model, judge.weights), judge.calibration)
    with tempfile.TemporaryDirectory() as folder:

        def hits(share: float, criterion: str, seed: int = 1) -> np.ndarray:
            known = importance if criterion == "taylor" else None
            inputs = judge.inputs(share, criterion, seed, None)
            pruned = prune(
                judge.weights, inputs, None, None, resume_folder=Path(folder), importance=known, report=len
            )  # fmt: skip
            return judge.hits(pruned.weights)

        for share in (0.05, 0.15, 0.5):
            chance = {seed: hits(share, "random", seed) for seed in SEEDS}
            for criterion in ("l1", "l2", "taylor"):
                kept = hits(share, criterion)
                report(name, f"p{100 * share:02.0f} {criterion}, no retraining", kept, whole, "fp32")
                for seed, reference in chance.items():
                    report(name, f"p{100 * share:02.0f} {criterion}, no retraining", kept, reference, f"random {seed}")


def recoveries(judge: Judge, name: str, whole: np.ndarray) -> None:
    """Retraining after 15 % of the filters went, and as long a training of the uncompressed network."""
    for seed in SEEDS:
        schedule = Retraining(epochs=1, learning_rate=LEARNING_RATES[name], seed=seed)
        for criterion in ("taylor", "l1"):
            with tempfile.TemporaryDirectory() as folder:
                pruned = prune(
                    judge.weights,
                    judge.inputs(0.15, criterion, seed, schedule),
                    judge.train,
                    judge.calibration,
                    resume_folder=Path(folder),
                    report=len,
                )
            report(name, f"p15 {criterion}, retrained, seed {seed}", judge.hits(pruned.weights), whole, "fp32")
        with tempfile.TemporaryDirectory() as folder:
            longer, _ = retrain(
                judge.weights,
                judge.model,
                schedule,
                judge.train,
                judge.calibration,
                {},
                resume_folder=Path(folder),
                report=len,
            )
        report(name, f"fp32, trained on, seed {seed}", judge.hits(longer), whole, "fp32")


def main(names: list[str]) -> None:
    study = load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))
    for name in names:
        judge = Judge(study, name)
        whole = judge.hits(judge.weights)
        cuts(judge, name, whole)
        recoveries(judge, name, whole)


if __name__ == "__main__":
    main(sys.argv[1:] or list(LEARNING_RATES))
