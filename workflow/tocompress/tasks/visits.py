"""The places of a network where its weights meet its inputs, in the order in which they are computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: The same tensor in the uncompressed network and in another network.
Pair = tuple[Any, Any]


@dataclass(frozen=True)
class KernelVisit:
    """A kernel and its inputs: pairs of float32 [G, rows, K], for K inputs of each of G groups of channels."""

    kernel: str
    inputs: Iterable[Pair]


@dataclass(frozen=True)
class StatisticsVisit:
    """The mean and the variance of a batch norm by name, and its inputs: pairs of float32 [B, ..., channels]."""

    mean: str
    variance: str
    epsilon: float
    inputs: Iterable[Pair]


Visit = KernelVisit | StatisticsVisit
