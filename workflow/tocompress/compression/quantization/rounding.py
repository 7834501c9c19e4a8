"""Round a kernel so that its outputs change least, instead of each weight by itself. This module imports no framework.

The sum of squared errors of the outputs is a quadratic form of the weights' errors (M. Nagel and others, 2020, arXiv
2004.10568, equation 16: AdaRound). AdaRound minimizes it by gradient descent. Two exact steps do so here: weights are
rounded one input after another, and each error moves the weights that are not yet rounded (E. Frantar and others, 2023,
arXiv 2210.17323: GPTQ). Then single weights move to the best integer, given all others, as long as that helps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocompress.compression.quantization.moments import Doubles, Moments

#: Added to the diagonal of the second moments, as a share of its mean.
_DAMPING = 0.01
_BLOCK = 128  # inputs between two updates of all that follow
_SWEEPS = 4

Array = NDArray[Any]


def best_kernel(kernel: Array, moments: Moments) -> Doubles:
    """Return the kernel [G, K, C] of floats that gives the uncompressed outputs best from the inputs `y` of moments."""
    damped = _damped(moments.second)
    wanted = moments.cross + damped - moments.second
    return np.asarray(np.linalg.solve(damped, wanted @ kernel), np.float64)


def rounded(places: Array, lowest: Array, highest: Array, second: Doubles) -> Doubles:
    """Return integers for `places` float [G, K, C], whose distance has the least mean square in the outputs.

    `lowest` and `highest` [G, 1, C] bound the integers. `second` [G, K, K] holds the second moments of the inputs.
    """
    damped = _damped(second)
    order = np.argsort(-np.diagonal(damped, axis1=1, axis2=2), axis=1, kind="stable")  # the inputs that matter most
    damped = np.take_along_axis(np.take_along_axis(damped, order[:, :, None], 1), order[:, None, :], 2)
    wanted = np.take_along_axis(places.astype(np.float64), order[:, :, None], 1)
    nearest = np.clip(np.rint(wanted), lowest, highest)
    integers = _better(nearest, _one_after_another(wanted, lowest, highest, damped), wanted, damped)
    integers = _one_by_one(integers, wanted, lowest, highest, damped)
    inverse = np.argsort(order, axis=1)
    return np.take_along_axis(integers, inverse[:, :, None], 1)


def _damped(second: Doubles) -> Doubles:
    inputs = second.shape[-1]
    mean = np.trace(second, axis1=1, axis2=2) / inputs
    damping = np.maximum(_DAMPING * mean, np.finfo(np.float32).tiny)
    return np.asarray(second + damping[:, None, None] * np.eye(inputs), np.float64)


def _one_after_another(wanted: Doubles, lowest: Array, highest: Array, second: Doubles) -> Doubles:
    """Round input after input. The rows after it move so that they undo its error as far as they can."""
    inputs = wanted.shape[1]
    # Row k of this factor tells how the rows after k move for an error in row k.
    factor = np.linalg.cholesky(np.linalg.inv(second)).swapaxes(1, 2)
    left, integers = wanted.copy(), np.empty_like(wanted)
    for start in range(0, inputs, _BLOCK):
        stop = min(start + _BLOCK, inputs)
        errors = np.empty_like(left[:, start:stop])
        for row in range(start, stop):
            integers[:, row] = np.clip(np.rint(left[:, row]), lowest[:, 0], highest[:, 0])
            error = (left[:, row] - integers[:, row]) / factor[:, row, row, None]
            left[:, row + 1 : stop] -= factor[:, row, row + 1 : stop, None] * error[:, None]
            errors[:, row - start] = error
        left[:, stop:] -= factor[:, start:stop, stop:].swapaxes(1, 2) @ errors
    return integers


def _better(one: Doubles, other: Doubles, wanted: Doubles, second: Doubles) -> Doubles:
    """Return the integers of `one` or `other` for each channel: those whose outputs err less."""
    errors = one - wanted, other - wanted
    loss, least = ((error * (second @ error)).sum(1, keepdims=True) for error in errors)
    return np.where(loss < least, one, other)


def _one_by_one(integers: Doubles, wanted: Doubles, lowest: Array, highest: Array, second: Doubles) -> Doubles:
    """Move one weight of each channel at a time to the best integer, given all others, until none moves."""
    errors = integers - wanted
    for _ in range(_SWEEPS):
        moved = False
        for row in range(wanted.shape[1]):
            slope = (second[:, row, None] @ errors)[:, 0] / second[:, row, row, None]
            best = np.clip(np.rint(integers[:, row] - slope), lowest[:, 0], highest[:, 0])
            step = best - integers[:, row]
            if step.any():
                moved = True
                integers[:, row] = best
                errors[:, row] += step
        if not moved:
            break
    return integers
