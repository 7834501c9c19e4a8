"""Count the cost of one inference of a CNN from the shapes of its layers."""

from __future__ import annotations

import math

import keras

from tocompress.models.calls import Call, calls_of

_MULTIPLYING = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D, keras.layers.Dense)


def multiply_accumulates(model: keras.Model) -> int:
    """Return the multiplications with addition for one image in convolutions and fully connected layers.

    Every entry of a kernel is used once at every position of the output, and again in a second call. Padding counts as
    if it were data. Biases, batch norm, activations and pooling do not count.
    """
    multiplying = (call for call in calls_of(model) if isinstance(call.operation, _MULTIPLYING))
    return sum(_positions(call) * _kernel_entries(call.operation) for call in multiplying)


def parameters(model: keras.Model) -> int:
    """Return the number of values of all variables, including the statistics of batch norm."""
    return int(model.count_params())


def _positions(call: Call) -> int:
    return math.prod(call.outputs[0].shape[1:-1])


def _kernel_entries(layer: keras.Layer) -> int:
    return sum(math.prod(variable.shape) for variable in layer.weights if len(variable.shape) > 1)
