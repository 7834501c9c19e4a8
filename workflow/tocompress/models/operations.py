"""Count the cost of one inference of a CNN from the shapes of its layers."""

from __future__ import annotations

import math

import keras

_MULTIPLYING = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D, keras.layers.Dense)


def multiply_accumulates(model: keras.Model) -> int:
    """Return the multiplications with addition for one image in convolutions and fully connected layers.

    Every entry of a kernel is used once at every position of the output. Padding counts as if it were data. Biases,
    batch norm, activations and pooling do not count.
    """
    return sum(_positions(layer) * _kernel_entries(layer) for layer in model.layers if isinstance(layer, _MULTIPLYING))


def parameters(model: keras.Model) -> int:
    """Return the number of values of all variables, including the statistics of batch norm."""
    return int(model.count_params())


def _positions(layer: keras.Layer) -> int:
    return math.prod(layer.output.shape[1:-1])


def _kernel_entries(layer: keras.Layer) -> int:
    return sum(math.prod(variable.shape) for variable in layer.weights if len(variable.shape) > 1)
