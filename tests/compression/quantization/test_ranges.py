"""The range of a grid: all weights, all but a few, or as many as give the least error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tocompress.compression.quantization.grid import dequantize, grid, is_symmetric, quantize
from tocompress.compression.quantization.ranges import between_percentiles, whole

WEIGHT = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
TENSORS = arrays.arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=WEIGHT)


def squared_errors(tensor, bits, range_, axis=None, symmetric=False):
    """The sum of squared errors, of the tensor or of each channel."""
    errors = np.square(dequantize(quantize(tensor, bits, axis, symmetric, range_)) - tensor, dtype=np.float64)
    return errors.sum() if axis is None else errors.sum(tuple(other for other in range(tensor.ndim) if other != axis))


def with_outlier():
    """A thousand weights of -1 to 1 at equal distances, and a single one of 8."""
    return np.append(np.linspace(-1, 1, 1000), 8).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(tensor=TENSORS, bits=st.integers(2, 8), axis=st.sampled_from([None, 1]), symmetric=st.booleans())
def test_the_range_of_least_error_is_never_worse_than_the_whole(tensor, bits, axis, symmetric):
    least, all_ = (squared_errors(tensor, bits, range_, axis, symmetric) for range_ in ("mse", "minmax"))
    assert (least <= all_).all()


def test_an_outlier_is_clipped_where_that_costs_less_than_coarse_steps():
    tensor = with_outlier()
    (scale, zero_point), (whole_scale, _) = (grid(tensor, 4, None, False, range_) for range_ in ("mse", "minmax"))
    shrinkings = np.linspace(1, 0.3, 36)
    errors = []
    for shrinking in shrinkings:  # by hand: 16 levels of `step`, of which one is 0
        step = shrinking * 9 / 15
        first = -np.rint(shrinking / step)
        levels = np.clip(np.rint(tensor / step), first, first + 15)
        errors.append(np.square(levels * step - tensor).sum())
    assert scale == pytest.approx(shrinkings[np.argmin(errors)] * whole_scale, rel=1e-6)
    assert scale < 0.9 * whole_scale
    assert squared_errors(tensor, 4, "mse") == pytest.approx(min(errors), rel=1e-4)
    assert dequantize(quantize(tensor, 4, None, False, "mse"))[-1] == pytest.approx((15 - zero_point) * scale)


def test_percentiles_leave_out_a_thousandth():
    tensor = np.arange(-1000, 1001, dtype=np.float32)
    assert [float(bound) for bound in between_percentiles(tensor, None)] == [-999, 999]
    low, high = between_percentiles(np.stack([tensor, 3 * tensor]), 0)
    np.testing.assert_allclose((low, high), ([-999, -2997], [999, 2997]))


@pytest.mark.parametrize("bounds", [whole, between_percentiles])
@pytest.mark.parametrize("sign", [1, -1])
def test_each_range_holds_zero(bounds, sign):
    low, high = bounds(sign * np.float32([[1, 2], [3, 4]]), 1)
    assert (low <= 0).all()
    assert (high >= 0).all()


@pytest.mark.parametrize("range_", ["mse", "percentile"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_range_of_each_channel_is_its_own(range_, symmetric):
    random = np.random.default_rng(0)
    tensor = random.standard_t(3, (400, 5)).astype(np.float32) * np.float32([0.1, 1, 3, 10, 50])
    joint = quantize(tensor, 4, 1, symmetric, range_)
    assert is_symmetric(joint) == symmetric
    for channel in range(5):
        alone = quantize(tensor[:, channel : channel + 1], 4, 1, symmetric, range_)
        assert (alone.scale[0], alone.zero_point[0]) == (joint.scale[channel], joint.zero_point[channel])
    assert (joint.scale < quantize(tensor, 4, 1, symmetric).scale).any()
