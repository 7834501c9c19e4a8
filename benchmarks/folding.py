"""Convolutions whose kernel the graph stores as floats, against one that is dequantized once, while loading.

    PYTHONPATH=workflow python benchmarks/folding.py [rounds]

One thread, run in turn, with oneDNN and, in a process of its own, without. The floats are the same; `ONEDNN_VERBOSE=1`
shows their layouts (`wei:`). The shapes are ResNet 50's at full size.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np

#: Pixels a side, and the kernel.
LAYERS = ((56, (1, 1, 64, 256)), (28, (3, 3, 128, 128)), (14, (3, 3, 256, 256)), (7, (3, 3, 512, 512)))
WARMUP = 5


def compare(side: int, shape: tuple[int, ...], rounds: int) -> tuple[float, float]:
    """Median seconds of the convolution with a stored kernel and with a folded one."""
    import tensorflow.compat.v1 as tf

    random = np.random.default_rng(0)
    picture = random.random((1, side, side, shape[2]), np.float32)
    integers = random.integers(0, 256, shape, np.uint8)
    scale = random.random(shape[3], np.float32)
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    runs = []
    for folded in (False, True):
        with tf.Graph().as_default() as graph:
            fed = tf.placeholder(tf.float32, picture.shape)
            floats = tf.cast(tf.constant(integers), tf.float32) * scale if folded else tf.constant(integers * scale)
            result = tf.reduce_sum(tf.nn.conv2d(fed, floats, strides=1, padding="SAME"))
        runs.append(tf.Session(graph=graph, config=config).make_callable(result, [fed]))
    seconds: list[list[float]] = [[], []]
    for number in range(WARMUP + rounds):
        for run, times in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            run(picture)
            if number >= WARMUP:
                times.append(time.perf_counter() - start)
    return float(np.median(seconds[0])), float(np.median(seconds[1]))


def main(rounds: int) -> None:
    print(f"\noneDNN {'off' if os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '0' else 'on'}", flush=True)
    print(f"{'kernel':>16}{'KB':>8}{'stored ms':>11}{'folded ms':>11}{'ratio':>7}")
    for side, shape in LAYERS:
        stored, folded = compare(side, shape, rounds)
        name, size, ratio = "x".join(map(str, shape)), 4 * np.prod(shape) / 1e3, folded / stored
        print(f"{name:>16}{size:8.0f}{1e3 * stored:11.3f}{1e3 * folded:11.3f}{ratio:7.2f}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    if "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
        subprocess.run([sys.executable, *sys.argv], env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}, check=True)
