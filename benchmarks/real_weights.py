"""Few bits in a network with real weights: each quantizer's accuracy on photographs that it did not see.

    PYTHONPATH=workflow python benchmarks/real_weights.py mobilenet_v1.ckpt images labels.csv [bits ...]

The weights are MobileNet v1's of width 0.25 for 128 pixels. Quantizers that learn from data see one half of the
photographs, without labels, and are judged on the other half, and the other way round. Printed are top-1 in percent and
its change from fp32 with a paired 95 % interval.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from tocompress.models import keras_alone  # noqa: F401

# isort: split
import numpy as np

from tocompress.checkpoints.acquire import acquire
from tocompress.compression.pruning.ranking import float_weights
from tocompress.compression.quantization.calibrated import quantize_on_data
from tocompress.compression.quantization.grid import compress
from tocompress.data.imagenet import photographs
from tocompress.data.photographs import Photographs
from tocompress.settings.data import ImageNet
from tocompress.settings.jobs import QuantizeJob
from tocompress.settings.model import ImageModel
from tocompress.settings.technique import Quantize
from tocompress.tasks.classification.batches import Examples, choose, shuffled_batches
from tocompress.tasks.networks import network_of
from tocompress.tasks.paired import paired_change
from tocompress.weights import Weights, read_weights

BITS = (8, 6, 4)
LEARNED = {"granularity": "channel", "rounding": "learned", "correction": "bias"}
QUANTIZERS: dict[str, dict[str, Any]] = {
    "tensor": {},
    "channel": {"granularity": "channel"},
    "channel, mse": {"granularity": "channel", "range": "mse"},
    "channel, bias": {"granularity": "channel", "correction": "bias"},
    "learned": LEARNED,
    "learned, mse": {**LEARNED, "range": "mse"},
    "learned, recalibrated": {**LEARNED, "statistics": "recalibrated"},
}


def hits(weights: Weights, model: ImageModel, examples: Examples) -> np.ndarray:
    """Return whether the best class of each example is right, in the order of the examples."""
    network, _ = network_of(model, float_weights(weights))
    batches = shuffled_batches(examples, model, len(examples[1]), 1)
    inputs, labels = batches[0]
    found = np.empty(len(labels), np.bool_)
    found[batches._order] = network.predict_on_batch(inputs).argmax(axis=-1) == labels
    return found


def quantized(weights: Weights, model: ImageModel, data: ImageNet, technique: Quantize, seen: Examples) -> Weights:
    if not technique.on_data:
        return compress(weights, technique)[0]
    job = QuantizeJob(model=model, data=data, technique=technique, examples=len(seen[1]), seed=1)
    return quantize_on_data(weights, job, seen, report=lambda _: None)[0]


def main(checkpoint: str, images: str, labels: str, *bits: str) -> None:
    data = ImageNet(kind="imagenet", images=images, labels=labels)
    model = ImageModel(
        network="mobilenet_v1", build="own", width=0.25, input_size=128, classes=1001, data="photographs",
        checkpoint={"url": checkpoint},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        acquire("mobilenet_v1", model, Path(folder) / "weights", checkpoint=[Path(checkpoint)])
        weights, _ = read_weights(Path(folder) / "weights")
    index = photographs(data, "test")
    examples = Photographs(index), index["label"].to_numpy(np.int32) + np.int32(1)  # the background comes first
    order = np.random.default_rng(1).permutation(len(index))
    halves = np.sort(order[::2]), np.sort(order[1::2])
    whole = hits(weights, model, examples)
    print(f"fp32: {100 * whole.mean():.1f} % of {len(whole)}", flush=True)
    for number in map(int, bits or BITS):
        for name, options in QUANTIZERS.items():
            technique, found = Quantize(method="quantize", bits=number, **options), np.empty_like(whole)
            for seen, judged in (halves, halves[::-1]):
                changed = quantized(weights, model, data, technique, choose(examples, seen))
                found[judged] = hits(changed, model, choose(examples, judged))
            change, low, high = (100 * value for value in paired_change(whole, found, 0.95))
            print(
                f"{number} bits, {name:22} {100 * found.mean():5.1f}  {change:+5.1f} ({low:+.1f} to {high:+.1f})",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
