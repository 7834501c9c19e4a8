"""Run two translation networks side by side on pairs of sentences. They stop at each kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tocompress.models import gnmt
from tocompress.models.beams import END
from tocompress.tasks.visits import KernelVisit, Pair, Visit

Inputs = Mapping[str, np.ndarray]  # source, source_length and target of a batch, as the network takes them
Rows = dict[str, np.ndarray]  # by kernel, [1, rows, K]

#: Sentences that pass the network at a time. A step of few sentences takes as long as a step of many.
BATCH_SIZE = 512

_READ_THE_SOURCE = {
    f"{gnmt.FORWARD}/kernel",
    f"{gnmt.BACKWARD}/kernel",
    *(f"{scope}/kernel" for scope in gnmt.ENCODER_CELLS),
    gnmt.MEMORY_KERNEL,
}


def visits(exact: gnmt.GNMT, network: gnmt.GNMT, batches: Sequence[Inputs], seed: int) -> Iterator[Visit]:
    """Yield each kernel of `network` before it is used. The inputs after the reference's tokens come with it.

    `exact` gives the inputs of the uncompressed network. Variables of `network` may get other values before the next
    visit is asked for. Embeddings multiply nothing, so they are not visited. `seed` is not used: all rows count.
    """
    whole = [_rows(exact, batch) for batch in batches]
    for kernel in whole[0]:
        yield KernelVisit(kernel, _pairs(kernel, whole, network, batches))


def _pairs(kernel: str, whole: Sequence[Rows], network: gnmt.GNMT, batches: Sequence[Inputs]) -> Iterator[Pair]:
    for exact, batch in zip(whole, batches, strict=True):
        yield exact[kernel], _rows(network, batch)[kernel]


def _rows(network: gnmt.GNMT, batch: Inputs) -> Rows:
    """Return the inputs of all kernels at the real tokens of a batch."""
    rows: Rows = {}
    lengths = {True: batch["source_length"], False: _lengths(batch["target"])}

    def watch(kernel: str, inputs: Any) -> None:
        values = np.asarray(inputs)
        real = np.arange(len(values))[:, None] < lengths[kernel in _READ_THE_SOURCE][None]
        rows[kernel] = values[real][None]

    gnmt.watch_kernels(network.named, batch["source"], batch["source_length"], batch["target"], watch)
    return rows


def _lengths(target: np.ndarray) -> np.ndarray:
    """Return the number of tokens of each sentence up to its end."""
    return np.asarray((target != END).sum(axis=1))
