"""Ways to make float32 weights of stored integers inside a TensorFlow graph, against copying the floats.

    PYTHONPATH=workflow python benchmarks/dequantization.py [rounds]

One thread, constant folding off, the ways run in turn. `artifacts.export.add_weight` writes what artifacts hold. Each
way is checked to give the same values before it is timed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}

import numpy as np
import tensorflow.compat.v1 as tf

from tocompress.packing import pack
from tocompress.runtimes.deployed import AffineTensor
from tocompress.runtimes.tensorflow.export import add_weight
from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef

SHAPES = ((3, 3, 64, 64), (1, 1, 256, 1024), (3, 3, 512, 512))
AXIS = 3

Tensor = Any


def affine(integers: Tensor, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    return tf.add(tf.multiply(tf.cast(integers, tf.float32), scale), offset)


def bias_add(integers: Tensor, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    return tf.nn.bias_add(tf.multiply(tf.cast(integers, tf.float32), scale), offset)


def dequantize_operation(integers: Tensor, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    kind = {tf.uint8: tf.quint8, tf.uint16: tf.quint16}[integers.dtype]
    whole = tf.raw_ops.Dequantize(input=tf.bitcast(integers, kind), min_range=0.0, max_range=float(integers.dtype.max))
    return tf.add(tf.multiply(whole, scale), offset)


def table(integers: Tensor, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    places = tf.gather(np.arange(int(integers.dtype.max) + 1, dtype=np.float32), tf.cast(integers, tf.int32))
    return tf.add(tf.multiply(places, scale), offset)


def interleaved(integers: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    """Four values in three neighbouring bytes."""
    first, second, third, fourth = integers.reshape(-1, 4).T
    packed = np.stack([first | fourth << 6, second | fourth << 4 & 0xC0, third | fourth << 2 & 0xC0], axis=1)
    columns = tf.unstack(tf.constant(packed), axis=1)
    values = tf.stack([*(low(column) for column in columns), top(columns)])
    floats = tf.transpose(tf.cast(values, tf.float32))
    return tf.add(tf.multiply(tf.reshape(floats, integers.shape), scale), offset)


def planes_by_bytes(integers: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    """The layout of artifacts, one byte at a time."""
    planes = tf.unstack(tf.constant(pack(integers, 6)))
    values = tf.concat([*(low(plane) for plane in planes), top(planes)], axis=0)
    return affine(tf.reshape(values, integers.shape), scale, offset)


def low(column: Tensor) -> Tensor:
    return tf.bitwise.bitwise_and(column, np.uint8(0x3F))


def top(columns: list[Tensor]) -> Tensor:
    parts = [
        tf.bitwise.bitwise_and(tf.bitwise.right_shift(column, np.uint8(shift)), np.uint8(mask))
        for column, shift, mask in zip(columns, (6, 4, 2), (0x03, 0x0C, 0x30), strict=True)
    ]
    return tf.bitwise.bitwise_or(tf.bitwise.bitwise_or(parts[0], parts[1]), parts[2])


def artifact(integers: np.ndarray, bits: int, scale: np.ndarray, offset: np.ndarray) -> Tensor:
    graph = GraphDef()
    floats = add_weight(graph, "kernel", AffineTensor(pack(integers, bits), bits, integers.shape, scale, offset, AXIS))
    (tensor,) = tf.import_graph_def(graph, return_elements=[f"{floats}:0"], name="")
    return tensor


def ways(shape: tuple[int, ...]) -> dict[str, Callable[[], tuple[Tensor, np.ndarray]]]:
    """Name -> what builds the operations, and the values they must give."""
    random = np.random.default_rng(0)
    scale = random.random(shape[AXIS], np.float32)
    offset = -100 * scale
    of = {bits: random.integers(0, 2**bits, shape, np.uint16 if bits == 16 else np.uint8) for bits in (16, 8, 6, 4, 2)}
    floats = random.random(shape, np.float32)

    def expected(bits: int) -> np.ndarray:
        return of[bits].astype(np.float32) * scale + offset

    def way(bits: int, build: Callable[..., Tensor], *, raw: bool = False) -> Callable[[], tuple[Tensor, np.ndarray]]:
        return lambda: (build(of[bits] if raw else tf.constant(of[bits]), scale, offset), expected(bits))

    def shipped(bits: int) -> Callable[[], tuple[Tensor, np.ndarray]]:
        return lambda: (artifact(of[bits], bits, scale, offset), expected(bits))

    return {
        "copy of the floats": lambda: (tf.raw_ops.DeepCopy(x=tf.constant(floats)), floats),
        **{f"{bits:2} bits, artifact": shipped(bits) for bits in of},
        "16 bits, bias_add": way(16, bias_add),
        "16 bits, Dequantize": way(16, dequantize_operation),
        " 8 bits, bias_add": way(8, bias_add),
        " 8 bits, Dequantize": way(8, dequantize_operation),
        " 8 bits, table": way(8, table),
        " 6 bits, planes by bytes": way(6, planes_by_bytes, raw=True),
        " 6 bits, interleaved": way(6, interleaved, raw=True),
    }


def runner(build: Callable[[], tuple[Tensor, np.ndarray]]) -> Callable[[], object]:
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # it would drop a result that nobody fetches
    with tf.Graph().as_default() as graph:
        result, expected = build()
        run = tf.group(result)
    session = tf.Session(graph=graph, config=config)
    np.testing.assert_allclose(session.run(result), expected, rtol=1e-5, atol=1e-5)
    return session.make_callable(run)  # type: ignore[no-any-return]


def main(rounds: int) -> None:
    for shape in SHAPES:
        runners = {name: runner(build) for name, build in ways(shape).items()}
        seconds: dict[str, list[float]] = {name: [] for name in runners}
        for _ in range(rounds):
            for name, run in runners.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
        best = {name: min(times) for name, times in seconds.items()}
        print(f"\n{'x'.join(map(str, shape))}: {4 * np.prod(shape) / 1e6:.1f} MB of float32")
        print(f"  {'':26}{'best ms':>9}{'median ms':>11}{'MB/s':>8}{'copies':>8}")
        for name, times in seconds.items():
            speed = 4 * np.prod(shape) / best[name] / 1e6
            copies = best[name] / best["copy of the floats"]
            print(f"  {name:26}{1e3 * best[name]:9.3f}{1e3 * np.median(times):11.3f}{speed:8.0f}{copies:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
