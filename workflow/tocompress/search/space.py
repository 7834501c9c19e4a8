"""The configurations of a space."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from tocompress.settings.search import UNQUANTIZED, Space
from tocompress.vocabulary.arithmetic import FLOAT


@dataclass(frozen=True, order=True)
class Configuration:
    """A share of filters to remove, an arithmetic, and the bits of each group. Without bits, nothing is quantized."""

    share: float
    arithmetic: str
    bits: tuple[int, ...]


#: The uncompressed network.
UNCOMPRESSED = Configuration(0.0, FLOAT, ())


def enumerated(space: Space) -> tuple[Configuration, ...]:
    """Return every configuration of a space once, the uncompressed network first."""
    found = {UNCOMPRESSED: None}
    for share, arithmetic in product(space.share, space.arithmetic):
        for bits in product(space.bits_in(arithmetic), repeat=space.groups):
            found[Configuration(share, arithmetic, () if set(bits) == {UNQUANTIZED} else bits)] = None
    return tuple(found)
