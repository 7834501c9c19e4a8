"""Distribute a mean number of bits over kernels, so that the measured harm of all together is least."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from tocompress.errors import StudyError
from tocompress.settings.technique import KEPT_BITS

#: Bits that a kernel may get.
CHOICES = (2, 3, 4, 5, 6, 8)


def distributed(
    budget: float, sizes: Mapping[str, int], harm: Mapping[tuple[str, int], float], kept: Collection[str]
) -> dict[str, int]:
    """Return the bits of each kernel: those with the least sum of `harm` whose mean over all values is `budget` at most.

    `sizes` holds the number of values of each kernel. `harm` is what each kernel alone costs at each of CHOICES. Raise
    StudyError where the kernels to keep leave too few bits for the others.
    """
    choices = {kernel: (KEPT_BITS,) if kernel in kept else CHOICES for kernel in sizes}
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
        [harm[pair] for pair in pairs],
        integrality=np.ones(len(pairs)),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(stored, -np.inf, budget)],
    )
    assert solved.success, solved.message  # some choice meets the budget, as checked above
    return {kernel: bits for (kernel, bits), taken in zip(pairs, solved.x, strict=True) if taken > 0.5}


def harm_of(sensitivity: pd.DataFrame, kernels: Sequence[str]) -> dict[tuple[str, int], float]:
    """Return how far each kernel alone moves the outputs at each of CHOICES, from a scan of the model.

    Raise StudyError where the scan lacks a kernel.
    """
    rows = sensitivity[sensitivity["tensor"].notna()]
    known = dict(zip(zip(rows["tensor"], rows["bits"], strict=True), rows["divergence"], strict=True))
    for kernel in kernels:
        for bits in CHOICES:
            if (kernel, bits) not in known:
                raise StudyError(f"bits: the scan of the model has no {kernel} of {bits} bits; scan the model again")
    return {(kernel, bits): float(known[kernel, bits]) for kernel in kernels for bits in CHOICES}
