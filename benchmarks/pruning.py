"""What ranks filters and units, against the loss without each of them, and what a cut and a retraining leave.

    snakemake --cores 2 \\
        results/default/metrics/tensorflow/{vgg_16,resnet_v1_50,gnmt}/{p00,p05,p15,p30,p50,p75,p05_cut,p15_cut,p30_cut,p50_cut,p75_cut}.parquet
    PYTHONPATH=workflow python benchmarks/pruning.py

Reads weights and data that `snakemake --cores all` has made in results/default.

1. Single channels, drawn at random, are removed, and the loss on examples that no criterion has seen is compared.
   Spearman's rank correlation says how well a criterion tells them apart.
2. Shares of all channels are removed by each criterion, without retraining.
3. The study's own rows: cut only and retrained, paired with fp32 over the test set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3"}

import keras
import numpy as np
import tensorflow as tf
import yaml
from scipy.stats import spearmanr

from tocompress.compression.pruning.channels import FIXED, Channels, Mask
from tocompress.compression.pruning.criteria import Scores
from tocompress.compression.pruning.ranking import channels_of, scores_on_data, scores_on_weights
from tocompress.compression.pruning.selection import select
from tocompress.compression.pruning.surgery import cut_shapes, silenced
from tocompress.compression.pruning.taylor import Taylor
from tocompress.schemas.study import METRICS
from tocompress.settings.model import ImageModel
from tocompress.settings.study import Study, load
from tocompress.tables import read_table
from tocompress.tasks.examples import Examples, read_examples, shuffled_batches
from tocompress.training.retrain import Arrays, network_of
from tocompress.weights import read_weights

RESULTS = Path("results/default")
RANKED = ("resnet_v1_50", "inception_v1", "vgg_16", "mobilenet_v1", "gnmt")
PRUNED = ("vgg_16", "resnet_v1_50", "gnmt")
VARIANTS = ("p00", *(f"p{share}{how}" for share in ("05", "15", "30", "50", "75") for how in ("_cut", "")))
SHARES = (0.05, 0.15, 0.30, 0.50)
DRAWN, SEEN = 100, 400  # channels that are removed alone, and examples that the loss without them is of
CHANCE = (1, 2, 3)


class Judge:
    """A model with its data; says what a network with some channels silenced loses and finds."""

    def __init__(self, study: Study, name: str) -> None:
        self.name, self.model = name, study.models[name]
        self.data = study.data[self.model.data]
        self.weights: Arrays = read_weights(RESULTS / f"weights/{name}/fp32.safetensors")[0]
        self.channels = channels_of(self.model, self.weights)
        self.network, self.variables = network_of(self.model, self.weights)
        self._logits = tf.function(lambda inputs: self.network(inputs, training=False), reduce_retracing=True)

    def examples(self, split: str) -> Examples:
        ending = "npz" if isinstance(self.model, ImageModel) else "parquet"
        return read_examples(RESULTS / f"data/{self.model.data}/{split}.{ending}", self.model, self.data)

    def judged(self, keep: Mask, examples: Examples, most: int | None = None) -> tuple[float, float]:
        """The mean loss, and the share of classes or tokens that are found."""
        self.assign(silenced(dict(self.weights), self.channels, keep))
        losses, found = [], []
        batches = shuffled_batches(examples, self.model, 200, seed=5)
        for index in range(len(batches) if most is None else min(len(batches), most // 200)):
            inputs, truth, *weight = batches[index]
            logits = self._logits(inputs)
            counts = weight[0] > 0 if weight else np.ones(truth.shape, np.bool_)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits).numpy()
            losses.append(loss[counts])
            found.append((logits.numpy().argmax(-1) == truth)[counts])
        self.assign(self.weights)
        return float(np.concatenate(losses).mean()), float(np.concatenate(found).mean())

    def assign(self, weights: Arrays) -> None:
        for name, variable in self.variables.items():
            variable.assign(weights[name])

    def left(self, keep: Mask) -> float:
        """The share of parameters that is left."""
        whole = {name: array.shape for name, array in self.weights.items()}
        smaller = cut_shapes(whole, self.channels, keep)
        return sum(map(np.prod, smaller.values())) / sum(map(np.prod, whole.values()))

    def criteria(self) -> dict[str, Scores]:
        calibration = self.examples("calibration")

        def of_weights(criterion: str, seed: int = 1) -> Scores:
            return scores_on_weights(criterion, self.model, self.weights, self.channels, seed)

        return {
            "taylor, ranked again": scores_on_data(self.model, self.weights, self.channels, calibration),
            "taylor, ranked once": self._once(calibration),
            "mean over producers": mean_over_producers(self, calibration),
            **{norm: of_weights(norm) for norm in ("l1", "l2")},
            **{f"random, seed {seed}": of_weights("random", seed) for seed in CHANCE},
        }

    def _once(self, calibration: Examples) -> Scores:
        examples = shuffled_batches(calibration, self.model, 1, 1)
        return Taylor(self.network, self.variables, self.channels).scores(examples[place] for place in range(512))


def mean_over_producers(judge: Judge, calibration: Examples) -> Scores:
    """The form of `taylor` that this project had before: L2 over a layer, the mean over a channel's producers."""
    channels = judge.channels
    made = {
        name: tuple(ids if axis == channels.producers.get(name) else None for axis, ids in enumerate(axes))
        for name, axes in channels.variables.items()
    }
    taylor = Taylor(judge.network, judge.variables, Channels(made, {}, channels.groups))
    batches = shuffled_batches(calibration, judge.model, 16, 1)
    sizes: dict[tuple[str, int], np.ndarray] = {}
    for place in range(64):
        taylor._deployed.train_on_batch(*batches[place])
        for key, sums in taylor._changes.readings().items():
            ids = made[key[0]][key[1]]
            of_channels = np.bincount(ids[ids != FIXED], sums[ids != FIXED], minlength=channels.count)
            sizes[key] = sizes.get(key, 0) + np.abs(of_channels)
    total, producers = np.zeros(channels.count), np.zeros(channels.count)
    for key, size in sizes.items():
        total += size / (np.linalg.norm(size) or 1)
        producers[np.unique(made[key[0]][key[1]])] += 1
    return total / np.maximum(producers, 1)


def compare(judge: Judge) -> None:
    """Print how well each criterion ranks single channels, and what shares by it leave."""
    count = judge.channels.count
    drawn = np.sort(np.random.default_rng(0).choice(count, min(DRAWN, count), replace=False))
    test, whole = judge.examples("test"), np.ones(count, np.bool_)
    loss, found = judge.judged(whole, test, SEEN)
    changes = [judge.judged(np.arange(count) != channel, test, SEEN)[0] - loss for channel in drawn]
    _, found = judge.judged(whole, test)
    print(f"\n{judge.name}: {count} channels, fp32 finds {100 * found:.1f} %; in brackets: parameters left")
    print(f"{'criterion':22} rho    " + "".join(f"{100 * share:>6.0f} %        " for share in SHARES))
    for criterion, scores in judge.criteria().items():
        cells = []
        for share in SHARES:
            keep = select(scores, judge.channels, share, "global", 2, 1)
            cells.append(f"{100 * judge.judged(keep, test)[1]:6.1f} ({judge.left(keep):.2f})")
        print(f"{criterion:22} {spearmanr(scores[drawn], changes).statistic:5.2f}  {'   '.join(cells)}", flush=True)


def tell(name: str) -> None:
    """Print the accuracy of each variant, its change in percent of fp32's, paired, and the parameters that are left."""
    print(f"\n{name}")
    for variant in VARIANTS:
        path = RESULTS / f"metrics/tensorflow/{name}/{variant}.parquet"
        if not path.exists():
            continue
        rows = read_table(path, METRICS).set_index("metric")
        row = rows.loc["top1" if "top1" in rows.index else "bleu"]
        change, low, high = (100 * (row[column] - 1) for column in ("ratio", "ratio_low", "ratio_high"))
        value = row["value"] * (100 if row.name == "top1" else 1)
        print(f"{variant:8} {value:6.2f}   {change:+6.1f} % [{low:+6.1f}, {high:+6.1f}]")


def main(names: list[str]) -> None:
    study = load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))
    for name in names:
        keras.backend.clear_session()
        compare(Judge(study, name))
    for name in PRUNED:
        tell(name)


if __name__ == "__main__":
    main(sys.argv[1:] or list(RANKED))
