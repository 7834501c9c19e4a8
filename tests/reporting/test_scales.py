"""Ticks are round, few and apart."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tocompress.reporting.figures.scales import linear, logarithmic


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.06, 12, [0.1, 0.3, 1, 3, 10]), (0.65, 1.65, [0.7, 1, 1.5]), (0.45, 2.2, [0.5, 0.7, 1, 1.5, 2])],
)
def test_logarithmic_ticks_are_the_roundest_that_stand_apart(low, high, ticks):
    assert logarithmic(low, high) == ticks
    assert min(math.log(b / a) for a, b in pairwise(ticks)) >= 0.15 * math.log(high / low)


def test_linear_ticks_lie_between_the_ends_and_stand_in_for_logarithmic_ones_on_a_short_axis():
    assert logarithmic(1.01, 1.05) == linear(1.01, 1.05) == [1.01, 1.02, 1.03, 1.04, 1.05]
    assert linear(-6.2, 0.9) == [-6, -4, -2, 0]
