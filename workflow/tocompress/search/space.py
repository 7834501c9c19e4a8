"""The configurations of a space."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from tocompress.settings.search import UNQUANTIZED, Space
from tocompress.vocabulary.arithmetic import FLOAT
from tocompress.vocabulary.variants import BASELINE

_MOST = 4  # groups whose bits are named one by one


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


def in_words(share: float, arithmetic: str, bits: str) -> str:
    """Return a configuration in words, from its columns in the table `candidates`.

    >>> in_words(0.15, "integer", "8"), in_words(0.0, "float", "8 4"), in_words(0.0, "float", "")
    ('15 % cut, 8 bits, integer', '8 and 4 bits, float', 'fp32')
    """
    if not share and not bits:
        return BASELINE
    return ", ".join(filter(None, [f"{100 * share:g} % cut" if share else "", _bits(bits), arithmetic or FLOAT]))


def _bits(bits: str) -> str:
    """Return the bits of the groups of kernels: one number where all are equal."""
    numbers = bits.split()
    if len(set(numbers)) <= 1:
        return f"{numbers[0]} bits" if numbers else ""
    if len(numbers) <= _MOST:
        return f"{', '.join(numbers[:-1])} and {numbers[-1]} bits"
    ordered = sorted(map(int, numbers))
    return f"{ordered[0]} to {ordered[-1]} bits ({sum(ordered) / len(ordered):.2g} on average)"
