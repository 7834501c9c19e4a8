"""A resized network is the same network with other numbers of filters."""

from __future__ import annotations

import keras
import pytest

from tocompress.errors import StudyError
from tocompress.models.layers import Scope, image_input
from tocompress.models.operations import multiply_accumulates
from tocompress.models.resize import resized
from tocompress.models.variables import named_variables


@pytest.fixture(scope="module")
def model() -> keras.Model:
    scope = Scope("Network", width=1.0, minimum_depth=1, folded=False, epsilon=1e-3)
    image = image_input(8)
    x = scope.separable(image, "Separable", 6, 3, multiplier=2, stride=2)
    x = scope.convolution(scope.depthwise(x, "Depthwise", 3), "Convolution", 5, 1)
    x = keras.layers.Dense(7, "relu", name="Network.Hidden")(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Dense(3, name="Network.Logits")(x), name="network")


def test_filters_and_units_are_those_of_the_kernels_and_the_rest_follows(model: keras.Model) -> None:
    kernels = {
        "Network/Separable/pointwise_weights": (1, 1, 6, 2),
        "Network/Convolution/weights": (1, 1, 2, 4),
        "Network/Hidden/weights": (64, 5),
        "Network/Logits/weights": (5, 3),
    }
    smaller = resized(model, kernels)
    shapes = {name: tuple(variable.shape) for name, variable in named_variables(smaller).items()}
    assert list(shapes) == list(named_variables(model))
    assert {name: shapes[name] for name in kernels} == kernels
    assert shapes["Network/Depthwise/depthwise_weights"] == (3, 3, 2, 1)
    assert shapes["Network/Convolution/BatchNorm/gamma"] == (4,)
    assert (smaller.name, smaller.output_shape) == ("network", (None, 3))
    assert multiply_accumulates(smaller) == 16 * (9 * 6 + 6 * 2 + 9 * 2 + 2 * 4) + 64 * 5 + 5 * 3


def test_a_missing_kernel_is_named(model: keras.Model) -> None:
    with pytest.raises(StudyError, match="lack Network/Separable/pointwise_weights"):
        resized(model, {})


def test_reshapes_fit_the_channels_that_are_left_and_operators_keep_names_and_constants() -> None:
    image = keras.Input((4, 6, 1), name="input")
    x = keras.layers.Conv2D(8, 1, name="first")(image)
    x = keras.layers.Reshape((6, 4, 8), name="turned")(x) * 0.5 + 1
    x = keras.layers.Conv2D(6, 1, name="second")(keras.ops.relu6(x))
    x = keras.layers.Reshape((144,), name="flat")(keras.layers.Reshape((4, 6, 6), name="turned_back")(x))
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    smaller = resized(
        model, {"first/weights": (1, 1, 1, 3), "second/weights": (1, 1, 3, 5), "logits/weights": (120, 2)}
    )
    assert smaller.get_layer("turned").output.shape == (None, 6, 4, 3)
    assert smaller.get_layer("turned_back").output.shape == (None, 4, 6, 5)
    assert smaller.get_layer("flat").output.shape == (None, 120)
    assert [operation.name for operation in smaller.operations] == [operation.name for operation in model.operations]
    for variable in smaller.variables:
        variable.assign(keras.ops.ones(variable.shape))
    assert smaller(keras.ops.ones((1, 4, 6, 1))).numpy().tolist() == [[120 * (3 * 2 + 1) + 1] * 2]


def test_a_reshape_that_mixes_channels_with_positions_keeps_its_target() -> None:
    image = keras.Input((4, 6, 1))
    x = keras.layers.Reshape((6, 8, 4), name="mixed")(keras.layers.Conv2D(8, 1, name="first")(image))
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="logits")(x))
    same = resized(model, {"first/weights": (1, 1, 1, 8), "logits/weights": (1, 1, 4, 2)})
    assert same.get_layer("mixed").target_shape == (6, 8, 4)
