"""Moments of a kernel's inputs against NumPy on all rows at once."""

import numpy as np
import pytest

from tocompress.compression.quantization import moments as module
from tocompress.compression.quantization.moments import moments_of


@pytest.fixture(scope="module")
def rows():
    """Inputs [2 groups, 30 rows, 3] of both networks."""
    random = np.random.default_rng(0)
    exact = random.normal(2, 1, (2, 30, 3)).astype(np.float32)
    return exact, (exact + random.normal(0.5, 0.3, exact.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def moments(rows):
    """The moments of the rows in pieces of unequal length."""
    return moments_of((rows[0][:, part], rows[1][:, part]) for part in (slice(0, 7), slice(7, 8), slice(8, 30)))


def test_they_are_means_over_all_rows(rows, moments):
    exact, reached = (values.astype(np.float64) for values in rows)
    np.testing.assert_allclose(moments.exact, exact.mean(1), rtol=1e-6)
    np.testing.assert_allclose(moments.reached, reached.mean(1), rtol=1e-6)
    np.testing.assert_allclose(moments.second, np.einsum("gnk,gnl->gkl", reached, reached) / 30, rtol=1e-5)
    np.testing.assert_allclose(moments.cross, np.einsum("gnk,gnl->gkl", reached, exact) / 30, rtol=1e-5)


def test_inputs_far_from_zero_keep_their_small_variance():
    random = np.random.default_rng(1)
    near = (1000 + 0.01 * random.normal(size=(1, 5000, 2))).astype(np.float32)
    near[..., 1] = 300  # has none
    centred = moments_of([(near, near)]).centred()
    variance, constant = np.diagonal(centred.second[0])
    assert variance == pytest.approx(near[0, :, 0].astype(np.float64).var(), rel=0.02)
    assert 0 < constant < 1e-6
    assert np.linalg.eigvalsh(centred.second).min() > 0


def test_centred_moments_are_covariances(rows, moments):
    centred = moments.centred()
    assert not centred.exact.any()
    assert not centred.reached.any()
    for group, (exact, reached) in enumerate(zip(*rows, strict=True)):
        both = np.cov(reached, exact, rowvar=False, bias=True)
        np.testing.assert_allclose(centred.second[group], both[:3, :3], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(centred.cross[group], both[:3, 3:], rtol=1e-4, atol=1e-5)


def test_many_inputs_are_cut_into_blocks_of_each_group(monkeypatch):
    rows = np.random.default_rng(2).normal(size=(2, 50, 6)).astype(np.float32)
    whole = moments_of([(rows, rows)])
    monkeypatch.setattr(module, "_LARGEST", 4)
    cut = moments_of([(rows, rows)])
    assert (whole.groups, cut.groups, cut.second.shape) == (2, 2, (4, 3, 3))
    for block in range(4):
        group, part = block // 2, slice(3 * (block % 2), 3 * (block % 2) + 3)
        np.testing.assert_allclose(cut.exact[block], whole.exact[group, part])
        np.testing.assert_allclose(cut.second[block], whole.second[group, part, part])
