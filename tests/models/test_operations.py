from __future__ import annotations

import keras
import pytest

from tocompress.models.layers import Scope, image_input
from tocompress.models.operations import multiply_accumulates, parameters
from tocompress.models.registry import build


@pytest.mark.parametrize(
    ("width", "input_size", "millions", "million_parameters"),
    [(1.0, 192, 418, 4.2), (0.75, 224, 325, 2.6), (0.5, 224, 149, 1.3), (0.25, 224, 41, 0.5)],
)
def test_mobilenet_costs_what_its_paper_prints(
    width: float, input_size: int, millions: int, million_parameters: float
) -> None:
    """arXiv 1704.04861, Tables 6 and 7."""
    model = build("mobilenet_v1", width=width, input_size=input_size, classes=1000)
    assert multiply_accumulates(model) == pytest.approx(millions * 1e6, rel=0.01)
    assert parameters(model) == pytest.approx(million_parameters * 1e6, abs=0.06e6)


def test_every_kind_of_layer_counts_as_worked_out_by_hand() -> None:
    scope = Scope("Network", width=1.0, minimum_depth=1, folded=False, epsilon=1e-3)
    image = image_input(8)
    x = scope.separable(image, "Separable", 6, 7, multiplier=2, stride=2)
    x = scope.depthwise(x, "Depthwise", 3)
    x = scope.convolution(x, "Convolution", 5, (1, 3), padding="valid")
    x = keras.layers.Dense(4)(keras.layers.Flatten()(x))
    model = keras.Model(image, x)

    separable = 4 * 4 * (7 * 7 * 3 * 2 + 3 * 2 * 6)
    depthwise = 4 * 4 * (3 * 3 * 6)
    convolution = 4 * 2 * (1 * 3 * 6 * 5)
    dense = 4 * 2 * 5 * 4
    assert multiply_accumulates(model) == separable + depthwise + convolution + dense


def test_groups_cost_less_and_a_second_call_costs_again() -> None:
    image = keras.Input((4, 6, 2))
    shared = keras.layers.Conv2D(8, 1)
    x = keras.layers.Conv2D(8, 3, padding="same", groups=2)(image)
    x = keras.layers.PReLU()(shared(keras.layers.MaxPooling2D(2)(shared(x))))
    assert multiply_accumulates(keras.Model(image, keras.layers.Dense(3)(x))) == (
        4 * 6 * (9 * 1 * 8) + (4 * 6 + 2 * 3) * 8 * 8 + 2 * 3 * 8 * 3
    )
