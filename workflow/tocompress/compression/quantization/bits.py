"""Choose the bits of each kernel. This module imports no framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from tocompress.errors import StudyError
from tocompress.settings.technique import KEPT_BITS

#: Names in the list `keep` that stand for a place in the network.
FIRST, LAST = "first", "last"


def bits_of(bits: int | Mapping[str, int], keep: Sequence[str], kernels: Sequence[str]) -> dict[str, int]:
    """Return the bits of each kernel that is quantized, for names of kernels in the network's order.

    Raise StudyError for a pattern that matches no kernel.
    """
    chosen = _by_pattern(bits, kernels) if isinstance(bits, Mapping) else dict.fromkeys(kernels, bits)
    stay = kept(keep, kernels)
    return {kernel: max(KEPT_BITS, own) if kernel in stay else own for kernel, own in chosen.items()}


def _by_pattern(bits: Mapping[str, int], kernels: Sequence[str]) -> dict[str, int]:
    """Return the bits of the first pattern that matches, for each kernel that one matches."""
    for pattern in bits:
        _check_matches("bits", pattern, kernels)
    matches = {kernel: next((own for own in bits if fnmatchcase(kernel, own)), None) for kernel in kernels}
    return {kernel: bits[pattern] for kernel, pattern in matches.items() if pattern is not None}


def kept(keep: Sequence[str], kernels: Sequence[str]) -> set[str]:
    """Return the kernels that keep at least 8 bits. Raise StudyError for a pattern that matches none."""
    found = set()
    for entry in keep:
        if entry in (FIRST, LAST):
            found |= {kernels[0 if entry == FIRST else -1]} if kernels else set()
            continue
        _check_matches("keep", entry, kernels)
        found |= {kernel for kernel in kernels if fnmatchcase(kernel, entry)}
    return found


def _check_matches(key: str, pattern: str, kernels: Sequence[str]) -> None:
    if not any(fnmatchcase(kernel, pattern) for kernel in kernels):
        some = f", such as {', '.join(kernels[:3])}" if kernels else ""
        raise StudyError(f"{key}: '{pattern}' matches none of the {len(kernels)} kernels to quantize{some}")
