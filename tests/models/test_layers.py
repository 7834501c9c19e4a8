from __future__ import annotations

import keras
import numpy as np
import pytest

from tocompress.models.layers import Scope, image_input
from tocompress.models.registry import build
from tocompress.models.variables import named_variables


@pytest.mark.parametrize(
    ("width", "minimum_depth", "depth", "filters"),
    [(1.0, 8, 64, 64), (0.25, 8, 64, 16), (0.25, 16, 32, 16), (0.1, 8, 32, 8), (0.35, 8, 50, 17), (1.4, 8, 64, 89)],
)
def test_width_multiplies_rounds_down_and_keeps_a_minimum(
    width: float, minimum_depth: int, depth: int, filters: int
) -> None:
    assert Scope("Network", width, minimum_depth, folded=False).depth(depth) == filters


def test_average_pooling_does_not_count_the_padding() -> None:
    image = image_input(4)
    scope = Scope("Network", width=1.0, minimum_depth=8, folded=False)
    model = keras.Model(image, scope.average_pool(image, "AvgPool_3x3", 3, stride=1))
    np.testing.assert_allclose(model(np.ones((1, 4, 4, 3), np.float32)), 1, rtol=1e-6)


def test_initial_weights_follow_the_seed_and_differ_between_layers() -> None:
    def initial() -> dict[str, np.ndarray]:
        keras.utils.set_random_seed(7)
        model = build("mobilenet_v1", width=0.25, input_size=32, classes=10)
        return {name: np.array(variable) for name, variable in named_variables(model).items()}

    first, second = initial(), initial()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    for kind in ("depthwise/depthwise_weights", "pointwise/weights"):
        seventh, eighth = (first[f"MobilenetV1/Conv2d_{number}_{kind}"] for number in (7, 8))
        assert not np.array_equal(seventh, eighth)


def test_initial_filters_have_the_spread_of_he() -> None:
    model = build("mobilenet_v1", width=1.0, input_size=32, classes=10)
    variables = named_variables(model)
    depthwise = np.array(variables["MobilenetV1/Conv2d_13_depthwise/depthwise_weights"])
    pointwise = np.array(variables["MobilenetV1/Conv2d_13_pointwise/weights"])
    assert depthwise.std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)
    assert pointwise.std() == pytest.approx(np.sqrt(2 / 1024), rel=0.05)
