"""Distribute a mean number of bits over kernels, so that the measured harm of all together is least."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from tocompress.errors import StudyError
from tocompress.settings.technique import KEPT_BITS

Harm = Mapping[str, Mapping[int, float]]


def distributed(budget: float, sizes: Mapping[str, int], harm: Harm, kept: Collection[str]) -> dict[str, int]:
    """Return the bits of each kernel: the least sum of `harm` whose mean over all values is `budget` at most.

    `sizes` holds the number of values of each kernel, and `harm` what each kernel alone costs at each number of bits.
    Raise StudyError where the kernels to keep leave too few bits for the others.
    """
    choices = {kernel: (KEPT_BITS,) if kernel in kept else tuple(harm[kernel]) for kernel in sizes}
    total = sum(sizes.values())
    least = sum(min(bits) * sizes[kernel] for kernel, bits in choices.items()) / total
    if least > budget:
        raise StudyError(
            f"bits: a budget of {budget:g}, but with {len(kept)} kernels kept at {KEPT_BITS} bits the least mean is"
            f" {least:.2f}; raise it, or keep fewer"
        )
    pairs = [(kernel, bits) for kernel in sizes for bits in choices[kernel]]
    one_each = np.array([[own == kernel for own, _ in pairs] for kernel in sizes], float)
    stored = np.array([[bits * sizes[kernel] / total for kernel, bits in pairs]])
    solved = milp(
        [harm[kernel].get(bits, 0.0) for kernel, bits in pairs],
        integrality=np.ones(len(pairs)),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(stored, -np.inf, budget)],
    )
    assert solved.success, solved.message  # some choice meets the budget, as checked above
    return {kernel: bits for (kernel, bits), taken in zip(pairs, solved.x, strict=True) if taken > 0.5}


def harm_of(scan: pd.DataFrame, kernels: Sequence[str]) -> dict[str, dict[int, float]]:
    """Return how far each kernel alone moves the outputs, by its bits, from a table `quantization_sensitivity`.

    Raise StudyError where the scan lacks a kernel, or all bits up to 8.
    """
    rows = scan[scan["tensor"].isin(kernels) & (scan["bits"] <= KEPT_BITS)]
    harm: dict[str, dict[int, float]] = {kernel: {} for kernel in kernels}
    for kernel, bits, divergence in zip(rows["tensor"], rows["bits"], rows["divergence"], strict=True):
        harm[kernel][int(bits)] = float(divergence)
    for kernel, of_bits in harm.items():
        if not of_bits:
            raise StudyError(f"bits: the scan of the model has no {kernel} of {KEPT_BITS} bits or fewer")
    return harm
