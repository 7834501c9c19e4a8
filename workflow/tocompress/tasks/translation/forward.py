"""Run two translation networks side by side on pairs of sentences. They stop at each kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np

from tocompress.tasks.visits import KernelVisit, Pair, Visit

Inputs = Mapping[str, np.ndarray]  # source, source_length and target of a batch, as the network takes them
Rows = Mapping[str, np.ndarray]  # by kernel, [rows, K]

#: Sentences that pass the network at a time. A step of few sentences takes as long as a step of many.
BATCH_SIZE = 512


def visits(exact: keras.Model, network: keras.Model, batches: Sequence[Inputs], seed: int) -> Iterator[Visit]:
    """Yield each kernel of `network` before it is used. The inputs after the reference's tokens come with it.

    `exact` gives the inputs of the uncompressed network. Variables of `network` may get other values before the next
    visit is asked for. Embeddings multiply nothing, so they are not visited. `seed` is not used: all rows count.
    """
    whole = [exact.kernel_rows(batch) for batch in batches]
    for kernel in whole[0]:
        yield KernelVisit(kernel, _pairs(kernel, whole, network, batches))


def _pairs(kernel: str, whole: Sequence[Rows], network: keras.Model, batches: Sequence[Inputs]) -> Iterator[Pair]:
    for exact, batch in zip(whole, batches, strict=True):
        yield exact[kernel][None], network.kernel_rows(batch)[kernel][None]
