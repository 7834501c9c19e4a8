"""The moments of a kernel's inputs: all that the error of its outputs depends on.

A kernel is G matrices [K, C] here, from K inputs to C channels. Each matrix has inputs of its own. A depthwise kernel
has a matrix for each channel, and a kernel without groups has one. A row of inputs is one position of one example.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PRECISION = 1e-12  # of sums of squares, with a margin

Doubles = NDArray[np.float64]
Rows = NDArray[np.float32]  # [G, rows, K]


@dataclass(frozen=True)
class Moments:
    """Means over all rows. x are inputs of the uncompressed network, and y of the compressed one.

    `exact` [G, K] is the mean of x. `reached` [G, K] is the mean of y. `second` [G, K, K] is the mean of y y'. `cross`
    [G, K, K] is the mean of y x'.
    """

    exact: Doubles
    reached: Doubles
    second: Doubles
    cross: Doubles

    def centred(self) -> Moments:
        """Return the moments of the deviations from both means, which matter where a bias takes in the means."""
        outer = self.reached[:, :, None]
        # Constant inputs have variances of rounding errors, which must not be negative.
        least = _PRECISION * np.diagonal(self.second, axis1=1, axis2=2)[:, None] * np.eye(self.second.shape[-1])
        return Moments(
            np.zeros_like(self.exact),
            np.zeros_like(self.reached),
            self.second - outer * self.reached[:, None] + least,
            self.cross - outer * self.exact[:, None] + least,
        )


def moments_of(pairs: Iterable[tuple[Rows, Rows]]) -> Moments:
    """Return the moments of pairs of inputs of the two networks, [G, rows, K] each, of the same positions."""
    count = 0
    sums: list[Doubles | float] = [0.0, 0.0, 0.0, 0.0]
    for exact, reached in pairs:
        count += exact.shape[1]
        # In float32, the variance of inputs far from 0 would drown in rounding errors.
        one, other = exact.astype(np.float64), reached.astype(np.float64)
        turned = other.swapaxes(1, 2)
        products = one.sum(1), other.sum(1), turned @ other, turned @ one
        sums = [total + product for total, product in zip(sums, products, strict=True)]
    return Moments(*(np.asarray(total / count, np.float64) for total in sums))
