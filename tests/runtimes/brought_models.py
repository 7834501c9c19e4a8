"""Keras models as people bring them, small, with weights and statistics that show each mistake."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from small_models import SmallModel

from tocompress.checkpoints.own import metadata_of
from tocompress.models.flat import flat, takes_pixels
from tocompress.models.variables import named_variables

L = keras.layers


def mobile() -> keras.Model:
    """Pixels of one channel, hard activations, and squeeze-and-excite."""
    image = keras.Input((20, 28, 1))
    x = L.Rescaling(1 / 127.5, -1)(image)
    x = L.Activation("hard_silu")(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, use_bias=False)(x)))
    squeezed = L.Conv2D(4, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, L.Conv2D(8, 1, activation="hard_sigmoid")(squeezed)])
    x = L.Add()([x, L.ReLU(6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same")(x)))])
    return keras.Model(image, L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def efficient() -> keras.Model:
    """Swish, squeeze-and-excite by dense layers, and a scaling across a padding."""
    image = keras.Input((17, 17, 3))
    x = L.ZeroPadding2D(1)(L.Rescaling(1 / 255)(image))
    x = L.Activation("silu")(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, use_bias=False)(x)))
    gates = L.Dense(8, activation="sigmoid")(L.Dense(3, activation="swish")(L.GlobalAveragePooling2D()(x)))
    x = L.Multiply()([x, L.Reshape((1, 1, 8))(gates)])
    return keras.Model(image, L.Dense(5)(L.Dropout(0.2)(L.GlobalAveragePooling2D()(x))))


def normalized() -> keras.Model:
    """Batch norms that no kernel can take in: after a map's addition, concatenation, pooling and in a head."""
    image = keras.Input((16, 12, 3))
    x = L.Conv2D(8, 3, padding="same")(L.BatchNormalization()(image))
    y = L.Conv2D(8, 3, padding="same")(L.ReLU()(L.BatchNormalization()(x)))
    x = L.Concatenate()([L.Add()([x, y]), x])
    x = L.Conv2D(8, 1)(L.ReLU()(L.BatchNormalization()(x)))
    x = L.BatchNormalization()(L.MaxPooling2D()(L.Conv2D(8, 3, activation="relu")(x)))
    x = L.BatchNormalization()(L.Dense(9, activation="relu")(L.Flatten()(x)))
    return keras.Model(image, L.Dense(5)(x))


def kernels() -> keras.Model:
    """Kernels of all kinds, and moves of maps."""
    image = keras.Input((16, 12, 3))
    x = L.Conv2D(8, 3, groups=4, use_bias=False)(L.Conv2D(8, 1, use_bias=False)(L.Cropping2D(1)(image)))
    x = L.SeparableConv2D(6, 3, depth_multiplier=2, padding="same", use_bias=False)(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2, padding="same")(L.UpSampling2D()(x))
    x = L.Dense(7, activation="relu")(L.Permute((2, 1, 3))(x))
    x = L.Subtract()([L.Conv2D(4, 1)(x), L.Conv2D(4, 1, use_bias=False)(x)])
    return keras.Model(image, L.Dense(5)(L.Concatenate()([L.GlobalMaxPooling2D()(x), L.GlobalAveragePooling2D()(x)])))


def activations() -> keras.Model:
    """Activations with parameters, and such that LiteRT has no kernels of integers for."""
    image = keras.Input((10, 10, 3))
    x = L.PReLU(shared_axes=[1, 2])(L.Conv2D(8, 3)(image))
    x = L.PReLU()(L.Conv2D(8, 1)(L.LeakyReLU()(L.Conv2D(8, 1)(x))))
    for activation in ("elu", "gelu", "tanh", "softplus", "selu"):
        x = L.Conv2D(8, 1, activation=activation)(x)
    x = L.LayerNormalization()(x)
    return keras.Model(image, L.Dense(5)(L.GlobalAveragePooling2D()(x)))


SMALL = {"mobile": mobile, "efficient": efficient, "normalized": normalized, "kernels": kernels} | {
    "activations": activations
}

APPLICATIONS: dict[str, Callable[..., keras.Model]] = {
    "MobileNetV2": lambda **options: keras.applications.MobileNetV2(alpha=0.35, **options),
    "MobileNetV3Small": lambda **options: keras.applications.MobileNetV3Small(alpha=0.25, **options),
    "EfficientNetB0": keras.applications.EfficientNetB0,
    "ResNet50V2": keras.applications.ResNet50V2,
    "DenseNet121": keras.applications.DenseNet121,
    "NASNetMobile": keras.applications.NASNetMobile,
    "Xception": keras.applications.Xception,
}


def application(name: str) -> keras.Model:
    """A network of keras.applications for small images, with a softmax."""
    size = 71 if name == "Xception" else 32
    return APPLICATIONS[name](weights=None, classes=5, input_shape=(size, size, 3))


def brought(model: keras.Model, images: int = 2) -> SmallModel:
    """The flat graph of a model, whose weights are random now, and images for it."""
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        for variable in layer.weights if not isinstance(layer, keras.Model) else ():
            variable.assign(_values(random, variable.name, np.array(variable)))
    low, high = (0, 255) if takes_pixels(flat(model)[0]) else (-1, 1)
    return as_brought(model, random.uniform(low, high, (images, *model.input_shape[1:])).astype(np.float32))


def as_brought(model: keras.Model, images: np.ndarray) -> SmallModel:
    """The flat graph of a model with its weights."""
    graph, _ = flat(model)
    weights = {name: np.array(variable) for name, variable in named_variables(graph).items()}
    return SmallModel(metadata_of("brought", graph), weights, {"input": images})


def logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a model gives before its softmax, if it has one."""
    return np.array(flat(model)[0](images, training=False))


def _values(random: np.random.Generator, name: str, values: np.ndarray) -> np.ndarray:
    """Batch norms that change what they get, and biases. Kernels stay."""
    if name in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, values.shape)
    if name in ("beta", "moving_mean", "bias"):
        return random.normal(0, 0.1, values.shape)
    return random.normal(0.2, 0.1, values.shape) if name == "alpha" else values
