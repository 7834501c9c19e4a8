"""What must go together is found in the graph of any network."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tocompress.compression.pruning.channels import FIXED, Channels, left_whole
from tocompress.compression.pruning.dependencies import trace
from tocompress.models.layers import Scope, image_input
from tocompress.models.registry import build


def traced(network: str, width: float = 0.05, input_size: int = 32, folded: bool = False) -> Channels:
    with keras.StatelessScope(initialize_variables=False):
        return trace(build(network, width=width, input_size=input_size, classes=5, folded=folded))


def producers_of(channels: Channels, group: str) -> list[str]:
    (first, *_) = channels.groups[group]
    return [name for name, axis in channels.producers.items() if first in channels.variables[name][axis]]


def test_a_residual_block_goes_together_and_its_inner_convolutions_each_alone() -> None:
    channels = traced("resnet_v1_50")
    block = "resnet_v1_50/block1/unit_{}/bottleneck_v1/{}/weights"
    assert producers_of(channels, "resnet_v1_50/block1/unit_1/bottleneck_v1/shortcut") == [
        block.format(1, "shortcut"),
        *(block.format(unit, "conv3") for unit in (1, 2, 3)),
    ]
    assert producers_of(channels, "resnet_v1_50/block1/unit_1/bottleneck_v1/conv1") == [block.format(1, "conv1")]
    assert len(channels.groups) == 1 + 4 + 2 * (3 + 4 + 6 + 3)


def test_depthwise_convolutions_go_with_what_they_read() -> None:
    channels = traced("mobilenet_v1")
    scope = "MobilenetV1/Conv2d_{}"
    assert [*channels.groups] == [scope.format(0), *(scope.format(f"{number}_pointwise") for number in range(1, 14))]
    assert producers_of(channels, scope.format(0)) == [
        scope.format("0/weights"),
        scope.format("1_depthwise/depthwise_weights"),
    ]
    assert producers_of(channels, scope.format("13_pointwise")) == [scope.format("13_pointwise/weights")]
    (gamma,) = channels.variables[scope.format("1_depthwise/BatchNorm/gamma")]
    assert gamma.tolist() == channels.groups[scope.format(0)].tolist()


def test_a_concatenation_is_read_in_the_order_of_its_branches() -> None:
    channels = traced("inception_v1")
    assert all(len(producers_of(channels, group)) == 1 for group in channels.groups)
    module, reader = "InceptionV1/Mixed_3b", "InceptionV1/Mixed_3c/Branch_0/Conv2d_0a_1x1"
    branches = ("0/Conv2d_0a_1x1", "1/Conv2d_0b_3x3", "2/Conv2d_0b_3x3", "3/Conv2d_0b_1x1")
    expected = np.concatenate([channels.groups[f"{module}/Branch_{branch}"] for branch in branches])
    assert channels.variables[f"{reader}/weights"][2].tolist() == expected.tolist()


def test_a_separable_convolution_of_an_image_is_prunable_in_its_pointwise_part() -> None:
    channels = traced("inception_v2")
    scope = "InceptionV2/Conv2d_1a_7x7"
    assert producers_of(channels, scope) == [f"{scope}/pointwise_weights"]
    *_, multiplied, made = channels.variables[f"{scope}/pointwise_weights"]
    assert (multiplied == FIXED).all()
    assert made.tolist() == channels.groups[scope].tolist()


def test_the_folded_form_has_the_same_channels() -> None:
    training, folded = traced("mobilenet_v1"), traced("mobilenet_v1", folded=True)
    assert {name: ids.tolist() for name, ids in training.groups.items()} == {
        name: ids.tolist() for name, ids in folded.groups.items()
    }
    assert training.producers == folded.producers


def test_flattening_and_a_depthwise_multiplier_repeat_channels() -> None:
    scope = Scope("N", width=1.0, minimum_depth=1, folded=False)
    image = image_input(4)
    x = scope.convolution(image, "a", 2, 3, stride=2)
    x = keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="b")(x)
    x = keras.layers.Dense(3, activation="relu", name="c")(keras.layers.Flatten()(x))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax", name="d")(x))
    channels = trace(model)
    assert {name: ids.tolist() for name, ids in channels.groups.items()} == {"N/a": [0, 1], "c": [2, 3, 4]}
    assert channels.producers == {"N/a/weights": 3, "b/depthwise_weights": 2, "c/weights": 1}
    assert channels.variables["b/depthwise_weights"][2].tolist() == [0, 1]
    assert channels.variables["b/biases"][0].tolist() == [0, 0, 1, 1]
    assert channels.variables["c/weights"][0].tolist() == [0, 0, 1, 1] * 4
    assert channels.variables["d/weights"][1].tolist() == [FIXED, FIXED]


def test_what_is_added_to_the_image_or_seen_by_a_softmax_always_stays() -> None:
    image = image_input(4)
    bound = keras.layers.Conv2D(3, 1, name="bound")(image)
    x = keras.layers.Concatenate()([keras.layers.Add()([image, bound]), keras.layers.Conv2D(2, 1, name="free")(image)])
    x = keras.layers.Conv2D(4, 1, activation="softmax", name="mixed")(x)
    channels = trace(keras.Model(image, keras.layers.Conv2D(2, 1, name="logits")(x)))
    assert {name: ids.tolist() for name, ids in channels.groups.items()} == {"free": [0, 1]}
    assert channels.whole == {"mixed": "a softmax over channels"}
    assert channels.variables["mixed/weights"][2].tolist() == [FIXED] * 3 + [0, 1]


def test_layers_partly_bound_to_one_producer_form_groups_of_their_own() -> None:
    image = image_input(4)
    whole, left, right = (
        keras.layers.Conv2D(count, 1, name=name)(image) for name, count in {"whole": 4, "left": 2, "right": 2}.items()
    )
    whole = keras.layers.ReLU()(keras.layers.Dropout(0.1)(whole))  # further from the output, so the first layer
    x = keras.layers.Add()([whole, keras.layers.Concatenate()([left, right])])
    channels = trace(keras.Model(image, keras.layers.Conv2D(2, 1, name="logits")(x)))
    assert {name: ids.tolist() for name, ids in channels.groups.items()} == {"whole": [0, 1], "whole#2": [2, 3]}


def small(build_layers: Callable[[keras.KerasTensor], keras.KerasTensor]) -> Channels:
    """Return the channels of: convolution `first` with 4 filters, some layers, convolution `last`, logits."""
    image = keras.Input((4, 6, 1))
    x = build_layers(keras.layers.Conv2D(4, 1, name="first")(image))
    x = keras.layers.Conv2D(3, 1, name="last")(x)
    return trace(keras.Model(image, keras.layers.Conv2D(2, 1, name="logits")(x)))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (keras.layers.Conv2D(6, 1, groups=2, name="it"), "a convolution in 2 groups"),
        (keras.layers.Softmax(name="it"), "a softmax over channels"),
        (keras.layers.Activation("log_softmax", name="it"), "a log_softmax over channels"),
        (keras.layers.LayerNormalization(name="it"), "LayerNormalization reads all channels"),
        (keras.layers.GroupNormalization(2, name="it"), "GroupNormalization reads all channels"),
        (keras.layers.BatchNormalization(axis=1, name="it"), "its channels are not the last axis"),
        (keras.layers.Reshape((4, 4, 6), name="it"), "Reshape mixes channels with positions"),
        (keras.layers.Permute((3, 1, 2), name="it"), "Permute moves channels to another axis"),
        (keras.layers.Rescaling([1.0, 2.0, 3.0, 4.0], name="it"), "a constant for each channel"),
        (keras.layers.Resizing(2, 2, name="it"), "what Resizing does to channels is not known"),
    ],
)
def test_a_layer_whose_channels_cannot_be_followed_is_left_whole(layer: keras.Layer, reason: str) -> None:
    channels = small(layer)
    assert channels.whole == {"it": reason}
    assert list(channels.groups) == ["last"]
    assert all(ids is None for name, axes in channels.variables.items() if name.startswith("it/") for ids in axes)
    assert (channels.variables["first/weights"][3] == FIXED).all()
    assert (channels.variables["last/weights"][2] == FIXED).all()


def test_a_layer_with_variables_called_twice_is_left_whole_and_one_without_is_not() -> None:
    shared, activation = keras.layers.Conv2D(4, 1, name="shared"), keras.layers.ReLU()
    channels = small(lambda x: shared(shared(x)))
    assert (channels.whole, list(channels.groups)) == ({"shared": "a layer that is called more than once"}, ["last"])
    channels = small(lambda x: activation(keras.layers.Conv2D(5, 1, name="middle")(activation(x))))
    assert (channels.whole, list(channels.groups)) == ({}, ["first", "middle", "last"])


def test_only_the_image_and_a_constant_are_no_reason_to_warn() -> None:
    image = keras.Input((4, 4, 3))
    x = keras.layers.Rescaling([1.0, 2.0, 3.0])(image) - np.float32([0.1, 0.2, 0.3])
    x = keras.layers.Conv2D(4, 1, name="conv")(x)
    channels = trace(keras.Model(image, keras.layers.Conv2D(2, 1, name="logits")(x)))
    assert (channels.whole, list(channels.groups)) == ({}, ["conv"])


def test_a_gate_goes_with_the_channels_that_it_multiplies_and_a_single_channel_stays() -> None:
    def gated(x: keras.KerasTensor) -> keras.KerasTensor:
        gate = keras.layers.Dense(4, "sigmoid", name="gate")(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
        place = keras.layers.Conv2D(1, 1, activation="sigmoid", name="place")(x)
        return keras.layers.Multiply()([x, gate]) * place

    channels = small(gated)
    assert {name: len(ids) for name, ids in channels.groups.items()} == {"first": 4, "last": 3}
    assert producers_of(channels, "first") == ["first/weights", "gate/weights"]
    assert channels.variables["place/weights"][3].tolist() == [FIXED]
    assert not channels.whole


def test_the_warning_names_each_layer_once() -> None:
    ids = np.int32([0])
    whole = {"a": "a softmax over channels", "b": "a convolution in 2 groups", "c": "a softmax over channels"}
    assert left_whole(Channels({}, {}, {"x": ids})) == []
    assert left_whole(Channels({}, {}, {"x": ids}, whole)) == [
        "Warning: left whole by pruning: a, c (a softmax over channels); b (a convolution in 2 groups)"
    ]
