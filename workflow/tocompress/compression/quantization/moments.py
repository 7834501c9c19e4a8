"""The moments of a kernel's inputs: all that the error of its outputs depends on.

A kernel is G matrices [K, C] here, from K inputs to C channels. Each matrix has inputs of its own. A depthwise kernel
has a matrix for each channel. A kernel without groups has one. A row of inputs is one position of one example. A matrix
of very many inputs is cut into blocks of its inputs, and the moments between two blocks are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LARGEST = 4096  # inputs of a block, whose matrix of moments has 134 MB
_PRECISION = 1e-12  # of sums of squares, with a margin

Doubles = NDArray[np.float64]
Rows = NDArray[np.float32]  # [G, rows, K]


@dataclass(frozen=True)
class Moments:
    """Means over all rows. x are inputs of the uncompressed network, and y of the compressed one.

    `exact` [B, K] is the mean of x. `reached` [B, K] is the mean of y. `second` [B, K, K] is the mean of y y'. `cross`
    [B, K, K] is the mean of y x'. The B blocks lie group by group, the same number for each of the `groups`.
    """

    groups: int
    exact: Doubles
    reached: Doubles
    second: Doubles
    cross: Doubles

    def centred(self) -> Moments:
        """Return the moments of the deviations from both means. They matter where a bias takes in the means."""
        outer = self.reached[:, :, None]
        # Constant inputs have variances of rounding errors, which must not be negative.
        least = _PRECISION * np.diagonal(self.second, axis1=1, axis2=2)[:, None] * np.eye(self.second.shape[-1])
        return Moments(
            self.groups,
            np.zeros_like(self.exact),
            np.zeros_like(self.reached),
            self.second - outer * self.reached[:, None] + least,
            self.cross - outer * self.exact[:, None] + least,
        )


def moments_of(pairs: Iterable[tuple[Rows, Rows]]) -> Moments:
    """Return the moments of pairs of inputs [G, rows, K]. A pair holds the same positions of both networks."""
    count = groups = 0
    sums: list[Doubles | float] = [0.0, 0.0, 0.0, 0.0]
    for pair in pairs:
        groups, rows, _ = pair[0].shape
        count += rows
        # In float32, the variance of inputs far from 0 would drown in rounding errors.
        one, other = (_blocks(inputs).astype(np.float64) for inputs in pair)
        turned = other.swapaxes(1, 2)
        products = one.sum(1), other.sum(1), turned @ other, turned @ one
        sums = [total + product for total, product in zip(sums, products, strict=True)]
    return Moments(groups, *(np.asarray(total / count, np.float64) for total in sums))


def _blocks(inputs: Rows) -> Rows:
    """Return inputs [G, rows, K] as the fewest equal blocks [B, rows, K'] of at most `_LARGEST` inputs."""
    groups, rows, width = inputs.shape
    blocks = next(count for count in range(1, width + 1) if width % count == 0 and width // count <= _LARGEST)
    return inputs.reshape(groups, rows, blocks, -1).swapaxes(1, 2).reshape(groups * blocks, rows, -1)
