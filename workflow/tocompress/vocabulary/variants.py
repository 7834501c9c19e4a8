"""Variants: the techniques that were applied to a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

BASELINE = "fp32"

#: The methods of the paper's techniques.
QUANTIZE, PRUNE = "quantize", "prune"

BETWEEN = "-"


@dataclass(frozen=True)
class Variant:
    """The techniques that were applied to a model, from left to right. The baseline has none."""

    techniques: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str) -> Variant:
        """Return the variant called `name`. The config checks whether its techniques exist."""
        return cls() if name == BASELINE else cls(tuple(name.split(BETWEEN)))

    @property
    def name(self) -> str:
        return BETWEEN.join(self.techniques) or BASELINE

    @property
    def is_chain(self) -> bool:
        """Return whether several techniques follow one another."""
        return len(self.techniques) > 1

    @property
    def last(self) -> str:
        """Return the technique that is applied last. The baseline raises IndexError."""
        return self.techniques[-1]

    @property
    def parent(self) -> Variant:
        """Return the variant that the last technique is applied to."""
        return Variant(self.techniques[:-1])

    @property
    def steps(self) -> tuple[Variant, ...]:
        """Return the variant after each technique: the first technique alone first, this variant last."""
        return tuple(Variant(self.techniques[:length]) for length in range(1, len(self.techniques) + 1))


def methods_of(methods: str) -> tuple[str, ...]:
    """Return the methods in a cell of a table's column `methods`, in the order of the techniques."""
    return tuple(methods.split(BETWEEN)) if methods else ()


def rank(variant: str, methods: str, bits: int | None) -> tuple[Any, ...]:
    """Return the sort key of a variant: `fp32`, single techniques, chains. Bits fall, other numbers rise."""
    techniques = Variant.parse(variant).techniques
    return len(techniques), *(
        _technique_rank(technique, bits if method == QUANTIZE else None)
        for technique, method in zip(techniques, methods_of(methods), strict=True)
    )


def _technique_rank(technique: str, bits: int | None) -> tuple[str, int, str]:
    before, number, after = re.findall(r"^(\D*)(\d*)(.*)", technique, re.DOTALL)[0]
    return before, int(number or 0) if bits is None else -bits, after
