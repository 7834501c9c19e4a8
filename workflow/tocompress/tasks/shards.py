"""A test set in batches, and the shard of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

from collections.abc import Sequence


def batches_of(examples: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, examples)) for start in range(0, examples, size)]


def shard_of(batches: Sequence[slice], share: str) -> Sequence[slice]:
    """The batches of a share, such as "2-of-8": shares follow each other and differ by one batch at most."""
    number, shares = map(int, share.split("-of-"))
    return batches[len(batches) * (number - 1) // shares : len(batches) * number // shares]
