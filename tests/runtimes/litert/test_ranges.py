"""Ranges hold most images' values, and no few images' explosions."""

import numpy as np
import pandas as pd
import pytest
from hand_made import RELU, HandMade

from tocompress.errors import StudyError
from tocompress.runtimes.litert.flatbuffer import write
from tocompress.runtimes.litert.ranges import extremes, ranges


def table(low, high):
    return pd.DataFrame({"tensor": 5, "example": range(len(low)), "low": low, "high": high})


def test_an_image_in_a_hundred_that_explodes_does_not_count():
    low, high = np.full(100, -1.0), np.linspace(2, 3, 100)
    low[7], high[7] = -900, 800
    assert ranges(table(low, high), 1) == {5: (-900, 800)}
    ((left, right),) = ranges(table(low, high), 0.95).values()
    assert left == -1
    assert 2.9 < right < 3


@pytest.mark.parametrize("quantile", [0.95, 1])
def test_a_range_holds_zero(quantile):
    assert ranges(table([1.0, 1.5], [2.0, 2.0]), quantile) == {5: (0, 2)}
    assert ranges(table([-3.0, -3.0], [-2.0, -1.0]), quantile) == {5: (-3, 0)}


@pytest.fixture
def path(tmp_path):
    network = HandMade(1, 2, 2, 1)
    convolved = network.convolution(network.input, "k", np.full((1, 1, 1, 2), [2, -1.0]), np.float32([1, 0]), RELU)
    path = tmp_path / "network.tflite"
    path.write_bytes(write(network.ending(network.pool(convolved))))
    return path


def test_the_extremes_are_those_of_every_activation_and_image(path):
    images = np.float32([[[-1, 2], [0, 3]], [[1, 1], [1, 1]]])[..., None, None].transpose(0, 3, 1, 2, 4)
    found = extremes(path, images)
    assert list(found.columns) == ["tensor", "example", "low", "high"]
    assert found["example"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found[["low", "high"]].values.tolist() == [[-1, 3], [0, 7], [1, 7], [1, 1], [0, 3], [0, 3]]


def test_what_cannot_be_calibrated_is_told_in_one_line(path, tmp_path):
    with pytest.raises(StudyError, match=r"network.tflite: takes images of \[1, 2, 2, 1\], not of \[1, 3, 2, 1\]"):
        extremes(path, [np.zeros((1, 3, 2, 1), np.float32)])
    with pytest.raises(StudyError, match="no image to find the ranges"):
        extremes(path, [])
    with pytest.raises(StudyError, match=r"image 1 gives tensor 0 NaN or infinity"):
        extremes(path, np.float32([0, np.inf]).reshape(2, 1, 1, 1, 1) + np.zeros((2, 1, 2, 2, 1), np.float32))
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StudyError, match=r"damaged.tflite: LiteRT does not load it .*; export it again"):
        extremes(damaged, [])
