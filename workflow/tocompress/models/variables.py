"""Name the variables of a network as TF-Slim's checkpoints do."""

from __future__ import annotations

import keras

from tocompress.errors import StudyError

SLIM_LEAVES = {
    "kernel": "weights",
    "depthwise_kernel": "depthwise_weights",
    "pointwise_kernel": "pointwise_weights",
    "bias": "biases",
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "moving_mean",
    "moving_variance": "moving_variance",
    "alpha": "alpha",  # of PReLU
}


def named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables by slim's names, as `MobilenetV1/Conv2d_0/BatchNorm/gamma`, in the order of the layers."""
    return {
        f"{layer.name.replace('.', '/')}/{_leaf(layer, variable)}": variable
        for layer in model.layers
        for variable in layer.weights
    }


def _leaf(layer: keras.Layer, variable: keras.Variable) -> str:
    if isinstance(layer, keras.layers.DepthwiseConv2D) and variable.name == "kernel":
        return "depthwise_weights"
    if variable.name not in SLIM_LEAVES:
        raise StudyError(f"{layer.name}: a variable {variable.name}, which weights have no name for; remove the layer")
    return SLIM_LEAVES[variable.name]
