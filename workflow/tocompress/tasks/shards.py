"""Divide a test set into batches, and the batches into shards."""

from __future__ import annotations

from collections.abc import Sequence


def batches_of(examples: int, size: int) -> list[slice]:
    """Return the places of each batch of up to `size` examples."""
    return [slice(start, min(start + size, examples)) for start in range(0, examples, size)]


def shard_of(batches: Sequence[slice], shard: str) -> Sequence[slice]:
    """Return the batches of a shard, such as "2-of-8". Shards follow each other and differ by one batch at most."""
    number, shards = map(int, shard.split("-of-"))
    return batches[len(batches) * (number - 1) // shards : len(batches) * number // shards]
