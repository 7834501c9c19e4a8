"""Evaluation from encoded photographs against a plain loop over inputs that are in memory already.

    PYTHONPATH=workflow python benchmarks/evaluation.py fp32.pb mobilenet_v1 images labels.csv [rounds [photographs]]

Reads photographs of ImageNet in any layout of `data.imagenet`; an artifact of untrained weights will do. With each
number of session threads both take turns over the same batches. The ratio, of images per second, should be at least
0.9: reading, decoding and preprocessing hide behind the network as far as there are cores, or cost little beside it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from tocompress.data.imagenet import photographs
from tocompress.data.photographs import Photographs
from tocompress.models.registry import find
from tocompress.runtimes.feeds import Run
from tocompress.runtimes.tensorflow.session import loaded
from tocompress.settings.data import ImageNet
from tocompress.tasks.prefetch import ahead

BATCH = 32
THREADS = (2, 1)  # not the other way round: oneDNN never has more than those of the first


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Of wall time, and of all cores."""
    wall, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cores


def compare(run: Run, batches: list[Photographs], make: Callable[[Photographs], np.ndarray], rounds: int) -> None:
    inputs = [make(batch) for batch in batches]

    def plain() -> None:
        for batch in inputs:
            run({"input": batch})

    def streaming() -> None:
        for batch in ahead(batches, make):
            run({"input": batch})

    streaming()  # to warm up
    times: dict[Callable[[], None], list[tuple[float, float]]] = {plain: [], streaming: []}
    for number in range(rounds):
        for work in (plain, streaming) if number % 2 else (streaming, plain):
            times[work].append(seconds(work))
    (walls, cores), (walls_streaming, cores_streaming) = (np.array(times[work]).T for work in (plain, streaming))
    ratios, total = walls / walls_streaming, sum(map(len, batches))
    print(
        f"  {total / np.median(walls):.1f} and streaming {total / np.median(walls_streaming):.1f} images/s:"
        f" ratio {np.median(ratios):.3f} [{ratios.min():.3f}, {ratios.max():.3f}], {rounds} rounds;"
        f" {1e3 * np.median(cores) / total:.1f} and {1e3 * np.median(cores_streaming) / total:.1f} ms of"
        " processor an image",
        flush=True,
    )


def main(artifact: str, network: str, images: str, labels: str, rounds: str = "7", count: str | None = None) -> None:
    facts = find(network)
    assert facts.input_size and facts.preprocessing
    data = ImageNet(kind="imagenet", images=images, labels=labels, test=int(count) if count else None)
    found = Photographs(photographs(data, "test"))
    batches = [found[start : start + BATCH] for start in range(0, len(found), BATCH)]
    for threads in THREADS:
        make = partial(
            Photographs.network_input,
            shape=(facts.input_size, facts.input_size, 3),
            kind=facts.preprocessing,
            threads=threads,
        )
        make(batches[0])  # so that each session below has the threads it asks for
        with loaded(artifact, threads) as run:
            print(f"{network}, {len(found)} photographs, {threads} thread(s):", flush=True)
            compare(run, batches, make, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
