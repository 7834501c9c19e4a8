"""Preprocessing: TF-Slim's two scalings, and a resize that keeps the whole picture."""

from __future__ import annotations

import numpy as np
import pytest

from tocompress.data.preprocessing import Kind, preprocess


def test_inception_scales_to_one_around_zero() -> None:
    images = np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(preprocess(images, (1, 1, 3), "inception").ravel(), [-1, -0.6, 1], atol=1e-6)


def test_vgg_subtracts_the_means_of_red_green_and_blue() -> None:
    images = np.array([0, 100, 255], np.uint8).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(preprocess(images, (1, 1, 3), "vgg").ravel(), [-123.68, -16.78, 151.06], atol=1e-4)


@pytest.mark.parametrize("kind", ["inception", "vgg"])
def test_input_has_the_networks_size_and_is_float32(kind: Kind) -> None:
    inputs = preprocess(np.zeros((2, 20, 30, 3), np.uint8), (24, 24, 3), kind)
    assert inputs.shape == (2, 24, 24, 3) and inputs.dtype == np.float32


def test_the_whole_picture_is_resized_and_none_of_it_cropped() -> None:
    images = np.zeros((1, 8, 8, 3), np.uint8)
    images[:, :, 4:] = 255
    row = preprocess(images, (16, 16, 3), "inception")[0, 5, :, 0]
    np.testing.assert_allclose(row[:7], -1)
    np.testing.assert_allclose(row[9:], 1)
    assert -1 < row[7] < row[8] < 1


def test_a_picture_of_the_right_size_is_not_resampled() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 9, 9, 3), np.uint8)
    np.testing.assert_array_equal(np.rint((preprocess(images, (9, 9, 3), "inception") + 1) * 127.5), images)
