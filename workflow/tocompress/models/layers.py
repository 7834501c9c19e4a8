"""Layers named and set as TF-Slim's argument scopes name and set them.

A layer's name is its slim scope with "." for "/" (Keras allows no slash), so `variables.named_variables` can give every
variable its name in the published checkpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import keras

Tensor: TypeAlias = keras.KerasTensor
Size: TypeAlias = int | tuple[int, int]  # a square's side, or height and width
Padding: TypeAlias = Literal["same", "valid"]


@dataclass(frozen=True)
class Scope:
    """Where layers are made: the prefix of their names and what all layers of a network share."""

    name: str
    width: float
    minimum_depth: int
    folded: bool
    epsilon: float | None = None  # of batch norm; None: the network has none
    gamma: bool = True  # whether batch norm learns a scale
    beta: float = 0.0  # what batch norm's offset starts at
    activation: Literal["relu", "relu6"] = "relu"

    def within(self, name: str) -> Scope:
        return replace(self, name=f"{self.name}.{name}")

    def depth(self, depth: int) -> int:
        """The number of filters at this width (slim's depth multiplier)."""
        return max(int(depth * self.width), self.minimum_depth)

    def convolution(
        self,
        x: Tensor,
        name: str,
        depth: int,
        kernel: Size,
        *,
        stride: int = 1,
        padding: Padding = "same",
        activated: bool = True,
        input_deviation: float = 1.0,
    ) -> Tensor:
        """Convolution to `depth` filters (at width 1), batch norm, activation.

        `input_deviation` is the input's standard deviation, by which initial kernels are made smaller.
        """
        scope = self.within(name)
        x = keras.layers.Conv2D(
            self.depth(depth),
            kernel,
            strides=stride,
            padding=padding,
            use_bias=scope._has_bias,
            kernel_initializer=keras.initializers.VarianceScaling(2.0 / input_deviation**2),  # He's rule
            name=scope.name,
        )(x)
        return scope._activate(scope._normalize(x)) if activated else scope._normalize(x)

    def depthwise(self, x: Tensor, name: str, kernel: int, *, stride: int = 1) -> Tensor:
        """Depthwise convolution, batch norm, activation."""
        scope = self.within(name)
        x = keras.layers.DepthwiseConv2D(
            kernel,
            strides=stride,
            padding="same",
            use_bias=scope._has_bias,
            depthwise_initializer=depthwise_initializer(kernel),
            name=scope.name,
        )(x)
        return scope._activate(scope._normalize(x))

    def separable(self, x: Tensor, name: str, depth: int, kernel: int, *, multiplier: int, stride: int = 1) -> Tensor:
        """Depthwise and pointwise convolution in one, bias, activation: slim's argument scopes do not normalize it."""
        scope = self.within(name)
        x = keras.layers.SeparableConv2D(
            self.depth(depth),
            kernel,
            strides=stride,
            padding="same",
            depth_multiplier=multiplier,
            depthwise_initializer=depthwise_initializer(kernel),
            pointwise_initializer="he_normal",
            name=scope.name,
        )(x)
        return scope._activate(x)

    def logits(self, x: Tensor, name: str, classes: int) -> Tensor:
        """A 1x1 convolution of a 1x1 map to `classes` logits [B, classes]."""
        scope = self.within(name)
        x = keras.layers.Conv2D(classes, 1, kernel_initializer="he_normal", name=scope.name)(x)
        return keras.layers.Flatten(name=f"{scope.name}.Squeeze")(x)

    def max_pool(self, x: Tensor, name: str, size: Size, *, stride: int, padding: Padding = "same") -> Tensor:
        return keras.layers.MaxPooling2D(size, strides=stride, padding=padding, name=self.within(name).name)(x)

    def average_pool(self, x: Tensor, name: str, size: Size, *, stride: int, padding: Padding = "same") -> Tensor:
        """Average pooling; padding does not count."""
        return keras.layers.AveragePooling2D(size, strides=stride, padding=padding, name=self.within(name).name)(x)

    def pool_whole_map(self, x: Tensor, name: str) -> Tensor:
        """The average of the map that remains, [B, 1, 1, depth]; slim writes its size for the usual input."""
        return self.average_pool(x, name, x.shape[1:3], stride=1, padding="valid")

    def pad(self, x: Tensor, name: str, margin: int) -> Tensor:
        return keras.layers.ZeroPadding2D(margin, name=self.within(name).name)(x)

    def add_activated(self, x: Tensor, y: Tensor) -> Tensor:
        return self._activate(keras.layers.Add(name=f"{self.name}.Add")([x, y]))

    def concatenate(self, branches: list[Tensor]) -> Tensor:
        return keras.layers.Concatenate(name=self.name)(branches)

    def dropout(self, x: Tensor, name: str, rate: float) -> Tensor:
        """Dropout while training; the folded form has none."""
        return x if self.folded else keras.layers.Dropout(rate, name=self.within(name).name)(x)

    @property
    def _has_bias(self) -> bool:
        return self.folded or self.epsilon is None

    def _normalize(self, x: Tensor) -> Tensor:
        if self.folded or self.epsilon is None:
            return x
        return keras.layers.BatchNormalization(
            momentum=0.9,  # slim's 0.9997 needs far longer schedules than ours before the statistics mean anything
            epsilon=self.epsilon,
            scale=self.gamma,
            beta_initializer=keras.initializers.Constant(self.beta),
            name=f"{self.name}.BatchNorm",
        )(x)

    def _activate(self, x: Tensor) -> Tensor:
        return keras.layers.Activation(self.activation, name=f"{self.name}.{self.activation.capitalize()}")(x)


def image_input(size: int) -> Tensor:
    """The preprocessed image, float32 [B, size, size, 3]."""
    return keras.Input((size, size, 3), dtype="float32", name="input")


def depthwise_initializer(kernel: int) -> keras.initializers.Initializer:
    """He's rule for one filter per channel: Keras' `he_normal` takes all input channels for its fan-in.

    One for each layer: an initializer gives the same values every time it is called.
    """
    return keras.initializers.RandomNormal(stddev=math.sqrt(2 / kernel**2))
