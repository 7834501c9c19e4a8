"""The change of a share and its interval, for the same examples before and after."""

import numpy as np
import pytest

from tocompress.tasks.paired import paired_change


def answers(both, lost, gained, neither):
    """Return answers before and after, with so many examples right in both, only before, only after, and in none."""
    before = np.repeat([True, True, False, False], [both, lost, gained, neither])
    after = np.repeat([True, False, True, False], [both, lost, gained, neither])
    return before, after


def test_the_interval_is_the_one_computed_by_hand():
    # 100 examples, 12 lost and 4 gained: (-8 -+ 1.96 sqrt(17 - 64 / 102)) / 102
    change, low, high = paired_change(*answers(70, 12, 4, 14), 0.95)
    assert change == -0.08
    assert (low, high) == pytest.approx((-0.15619, -0.00067), abs=5e-5)


def test_the_interval_has_a_width_where_nothing_changed_and_narrows_with_examples():
    change, low, high = paired_change(*answers(50, 0, 0, 50), 0.95)
    assert (change, -low) == (0, high)
    assert high == pytest.approx(1.95996 / 102, abs=1e-5)
    assert paired_change(*answers(500, 0, 0, 500), 0.95)[2] < high / 5


def test_the_reverse_change_has_the_mirrored_interval():
    change, low, high = paired_change(*answers(70, 12, 4, 14), 0.9)
    assert paired_change(*answers(70, 4, 12, 14), 0.9) == pytest.approx((-change, -high, -low))
