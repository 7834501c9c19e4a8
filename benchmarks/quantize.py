"""Speed of quantization, one core: float32 weights in, packed integers out, against NumPy on whole arrays.

PYTHONPATH=workflow python benchmarks/quantize.py [megabytes]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
from numpy.typing import NDArray

from tocompress.compression.quantization.grid import dequantize, quantize, quantize_weights
from tocompress.packing import pack

ROUNDS = 5


def naive(tensor: NDArray[np.float32], bits: int, axis: int | None) -> NDArray[Any]:
    others = tuple(other for other in range(tensor.ndim) if other != axis)
    low = np.minimum(tensor.min(axis=others, keepdims=True), 0)
    high = np.maximum(tensor.max(axis=others, keepdims=True), 0)
    scale = (high - low) / (2**bits - 1)
    integers = np.clip(np.round(tensor / scale) + np.round(-low / scale), 0, 2**bits - 1)
    return pack(integers.astype(np.uint16), bits)


def speed(megabytes: float, function: Callable[[], object]) -> float:
    """MB/s of the fastest round, by processor time: the machine may be shared."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return megabytes / min(seconds)


def main(megabytes: float) -> None:
    rows = int(megabytes * 1e6 / 4 / (3 * 3 * 512))
    tensor = np.random.default_rng(0).standard_normal((3, 3, rows, 512), np.float32)
    size = tensor.nbytes / 1e6
    print(f"MB/s of float32 weights, {size:.0f} MB")
    print("bits  granularity  quantize  with its table  naive  dequantize")
    for bits in (16, 8, 6, 4):
        for granularity, axis in (("tensor", None), ("channel", 3)):
            quantized = quantize(tensor, bits, axis)
            speeds = [
                speed(size, lambda bits=bits, axis=axis: quantize(tensor, bits, axis)),
                speed(
                    size, lambda bits=bits, kind=granularity: quantize_weights({"scope/weights": tensor}, bits, kind)
                ),
                speed(size, lambda bits=bits, axis=axis: naive(tensor, bits, axis)),
                speed(size, lambda quantized=quantized: dequantize(quantized)),
            ]
            print(
                f"{bits:4}  {granularity:11}  {speeds[0]:8.0f}  {speeds[1]:14.0f}  {speeds[2]:5.0f}  {speeds[3]:10.0f}"
            )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 50)
