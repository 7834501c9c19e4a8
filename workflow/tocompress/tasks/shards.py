"""Choose examples of a test set, and divide them into batches, and the batches into shards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def drawn_places(available: int, wanted: int | None, seed: int = 1) -> NDArray[np.int64]:
    """Return the places of `wanted` of the available examples, drawn at random, in their order. None stands for all."""
    if wanted is None or wanted >= available:
        return np.arange(available)
    return np.sort(np.random.default_rng(seed).choice(available, wanted, replace=False))


def batches_of(examples: int, size: int) -> list[slice]:
    """Return the places of each batch of up to `size` examples."""
    return [slice(start, min(start + size, examples)) for start in range(0, examples, size)]


def shard_of(batches: Sequence[slice], shard: str) -> Sequence[slice]:
    """Return the batches of a shard, such as "2-of-8". Shards follow each other and differ by one batch at most."""
    number, shards = map(int, shard.split("-of-"))
    return batches[len(batches) * (number - 1) // shards : len(batches) * number // shards]
