"""The moments of a kernel's inputs: all that the error of its outputs depends on.

A kernel is a matrix [K, C] here, from K inputs to C channels, or G such matrices, each with inputs of its own: one a
channel for a depthwise kernel, one otherwise. A row of inputs is one position of one example.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Rows = NDArray[np.float32]  # [G, rows, K]


@dataclass(frozen=True)
class Moments:
    """Means over all rows, for inputs x of the uncompressed network and inputs y of the compressed one.

    `exact` [G, K] is the mean of x and `reached` [G, K] the mean of y. `second` [G, K, K] is the mean of y y', and
    `cross` [G, K, K] the mean of y x'.
    """

    exact: Doubles
    reached: Doubles
    second: Doubles
    cross: Doubles

    def centred(self) -> Moments:
        """Return the moments of the deviations from both means, which matter where a bias takes in the means."""
        outer = self.reached[:, :, None]
        return Moments(
            np.zeros_like(self.exact),
            np.zeros_like(self.reached),
            self.second - outer * self.reached[:, None],
            self.cross - outer * self.exact[:, None],
        )


def moments_of(pairs: Iterable[tuple[Rows, Rows]]) -> Moments:
    """Return the moments of pairs of inputs of the two networks, [G, rows, K] each, of the same positions."""
    count = 0
    sums: list[Doubles | float] = [0.0, 0.0, 0.0, 0.0]
    for exact, reached in pairs:
        count += exact.shape[1]
        turned = reached.swapaxes(1, 2)
        products = exact.sum(1, dtype=np.float64), reached.sum(1, dtype=np.float64), turned @ reached, turned @ exact
        sums = [total + product for total, product in zip(sums, products, strict=True)]
    return Moments(*(np.asarray(total / count, np.float64) for total in sums))
