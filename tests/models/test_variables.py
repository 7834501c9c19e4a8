from __future__ import annotations

import keras
import pytest

from tocompress.errors import StudyError
from tocompress.models.registry import build
from tocompress.models.variables import named_variables


def test_names_follow_the_scope_and_kind_of_a_layer() -> None:
    model = build("inception_v2", width=0.1, input_size=32, classes=5)
    names = set(named_variables(model))
    first = "InceptionV2/Conv2d_1a_7x7"
    batch_norm = "InceptionV2/Conv2d_2b_1x1/BatchNorm"
    assert {f"{first}/depthwise_weights", f"{first}/pointwise_weights", f"{first}/biases"} <= names
    assert {f"{batch_norm}/{leaf}" for leaf in ("beta", "moving_mean", "moving_variance")} <= names
    assert f"{first}/BatchNorm/beta" not in names and f"{batch_norm}/gamma" not in names


@pytest.mark.parametrize("folded", [False, True])
def test_every_variable_has_a_name_of_its_own(folded: bool) -> None:
    model = build("mobilenet_v1", width=0.1, input_size=32, classes=5, folded=folded)
    variables = named_variables(model)
    assert len(variables) == len(model.weights) == len({id(variable) for variable in variables.values()})


def test_the_folded_form_has_kernels_and_biases_only() -> None:
    model = build("mobilenet_v1", width=0.1, input_size=32, classes=5, folded=True)
    leaves = [name.rpartition("/")[2] for name in named_variables(model)]
    assert set(leaves) == {"weights", "depthwise_weights", "biases"}
    assert 2 * leaves.count("biases") == len(leaves)


def test_a_variable_without_a_name_is_refused_with_its_layer() -> None:
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.PReLU(name="slope")(image))
    assert list(named_variables(model)) == ["slope/alpha"]
    with pytest.raises(StudyError, match="normal: a variable mean"):
        named_variables(keras.Model(image, keras.layers.Normalization(name="normal")(image)))
