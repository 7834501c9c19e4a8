"""A front holds the points that are not shown to be beaten."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tocompress.reporting.fronts import exact, front, goal


def goal_of(*points: tuple[float, float]) -> pd.DataFrame:
    """A goal whose points have these values and half widths; no width means no interval."""
    values, halves = (pd.Series(numbers, dtype=float) for numbers in zip(*points, strict=True))
    return goal(values, values - halves, values + halves)


SIZES = exact(pd.Series([1.0, 2.0, 3.0]))
NONE = float("nan")


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([(5, 0.4), (7, 0.4), (6, 0.4)], [True, True, False]),  # larger, and shown to be no better
        ([(5, 2), (7, 2), (6, 2)], [True, True, False]),  # exact sizes tell apart, however wide the other intervals
        ([(5, 0.1), (5, 0.1), (5.1, 2)], [True, False, True]),  # as good, so the smaller wins; a better value stays
        ([(5, NONE), (4, NONE), (6, NONE)], [True, False, True]),  # without intervals only sizes are shown
    ],
)
def test_exact_costs_are_compared_exactly(gains, expected):
    assert front(goal_of(*gains), SIZES).tolist() == expected


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([(1, 0.1), (2, 0.1)], [True, False]),
        ([(1, 0.6), (2, 0.6)], [True, True]),  # both intervals overlap
        ([(1, NONE), (2, 0.1)], [True, True]),
    ],
)
def test_a_point_whose_intervals_overlap_in_both_goals_stays(costs, expected):
    assert front(goal_of((80, 2), (79, 2)), goal_of(*costs)).tolist() == expected


def test_equal_points_stand_together_and_no_points_have_no_front():
    assert front(exact(pd.Series([5.0, 5.0])), exact(pd.Series([2.0, 2.0]))).all()
    empty = exact(pd.Series(dtype=float))
    assert front(empty, empty).empty


def test_a_front_is_wider_the_wider_the_intervals_and_begins_with_the_front_of_values():
    random = np.random.default_rng(5)
    values = pd.DataFrame(random.uniform(0, 1, (200, 2)), index=[f"point {number}" for number in range(200)])

    def of(half: float) -> set[str]:
        gains, costs = (goal(values[name], values[name] - half, values[name] + half) for name in (0, 1))
        return set(values.index[front(gains, costs)])

    fronts = [of(half) for half in (0.0, 0.05, 0.2, 2.0)]
    assert fronts[0] < fronts[1] < fronts[2] < fronts[3] == set(values.index)
    best = values.apply(lambda row: ((values[0] > row[0]) & (values[1] < row[1])).any(), axis="columns")
    assert fronts[0] == set(values.index[~best])
