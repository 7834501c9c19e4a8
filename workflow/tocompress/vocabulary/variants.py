"""Variants: the techniques that were applied to a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

BASELINE = "fp32"

_BETWEEN = "-"


@dataclass(frozen=True)
class Variant:
    """What was done to a model: `techniques`, applied from left to right. The baseline has none."""

    techniques: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str) -> Variant:
        """Return the variant that is called `name`. Whether its techniques exist is for the config to say."""
        return cls() if name == BASELINE else cls(tuple(name.split(_BETWEEN)))

    @property
    def name(self) -> str:
        return _BETWEEN.join(self.techniques) or BASELINE

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


def named_as_pruning(technique: str) -> bool:
    """Whether a technique is called as those that prune are: `pNN...`."""
    return re.match(r"p\d", technique) is not None


def named_as_control(technique: str) -> bool:
    """Return whether a technique is called as the ones that remove nothing and only retrain are: `p00`, `p00_...`."""
    return re.fullmatch(r"p0+(_\w+)?", technique) is not None


_FEW_BITS = 8  # fewer are few


def variant_rank(variant: str) -> tuple[Any, ...]:
    """Sorts variants: fp32, single techniques, chains; more bits before fewer, other numbers rising."""
    techniques = [] if variant == BASELINE else variant.split("-")
    return (len(techniques), *(_technique_rank(technique) for technique in techniques))


def is_quantization(variant: str) -> bool:
    """Whether `variant` is one technique that quantizes; by its name, for techniques called `pNN...` prune."""
    return variant != BASELINE and "-" not in variant and not is_pruning(variant)


def has_few_bits(variant: str) -> bool:
    """Whether a technique of `variant` leaves weights fewer than 8 bits, by its name: `qN...` has N."""
    bits = [re.match(r"q(\d+)", technique) for technique in variant.split("-")]
    return any(int(found[1]) < _FEW_BITS for found in bits if found)


def is_pruning(variant: str) -> bool:
    """Whether `variant` is one technique that prunes, by its name: `pNN...`."""
    return "-" not in variant and named_as_pruning(variant)


def is_chain(variant: str) -> bool:
    """Whether `variant` is several techniques, one after another."""
    return "-" in variant


def _technique_rank(technique: str) -> tuple[str, int, str]:
    match = re.match(r"(\D*)(\d+)(.*)", technique)
    if not match:
        return technique, 0, ""
    family, number, rest = match.groups()
    return family, -int(number) if family == "q" else int(number), rest
