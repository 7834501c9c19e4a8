"""Layers with the names and settings of TF-Slim's argument scopes.

A layer's name is its slim scope with "." for "/", because Keras allows no slash. `variables.named_variables` can then
give every variable its name in the published checkpoint.
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
    """A place that layers are made in: the prefix of their names, and the settings of the whole network."""

    name: str
    width: float
    minimum_depth: int
    folded: bool
    epsilon: float | None = None  # of batch norm. None: the network has none
    gamma: bool = True  # whether batch norm learns a scale
    beta: float = 0.0  # the initial offset of batch norm
    activation: Literal["relu", "relu6"] = "relu"

    def within(self, name: str) -> Scope:
        return replace(self, name=f"{self.name}.{name}")

    def depth(self, depth: int) -> int:
        """Return the number of filters at this width (slim's depth multiplier)."""
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
        """Add a convolution to `depth` filters (at width 1), batch norm and activation.

        Initial kernels are divided by `input_deviation`, the standard deviation of the input.
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
        """Add a depthwise convolution, batch norm and activation."""
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
        """Add a separable convolution with bias and activation. Slim's argument scopes do not normalize it."""
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
        """Add a 1x1 convolution from a 1x1 map to logits [B, classes]."""
        scope = self.within(name)
        x = keras.layers.Conv2D(classes, 1, kernel_initializer="he_normal", name=scope.name)(x)
        return keras.layers.Flatten(name=f"{scope.name}.Squeeze")(x)

    def max_pool(self, x: Tensor, name: str, size: Size, *, stride: int, padding: Padding = "same") -> Tensor:
        return keras.layers.MaxPooling2D(size, strides=stride, padding=padding, name=self.within(name).name)(x)

    def average_pool(self, x: Tensor, name: str, size: Size, *, stride: int, padding: Padding = "same") -> Tensor:
        """Add average pooling. Padding does not count."""
        return keras.layers.AveragePooling2D(size, strides=stride, padding=padding, name=self.within(name).name)(x)

    def pool_whole_map(self, x: Tensor, name: str) -> Tensor:
        """Add the average over the whole map, [B, 1, 1, depth]. Slim spells out its size for the usual input."""
        return self.average_pool(x, name, x.shape[1:3], stride=1, padding="valid")

    def pad(self, x: Tensor, name: str, margin: int) -> Tensor:
        return keras.layers.ZeroPadding2D(margin, name=self.within(name).name)(x)

    def add_activated(self, x: Tensor, y: Tensor) -> Tensor:
        return self._activate(keras.layers.Add(name=f"{self.name}.Add")([x, y]))

    def concatenate(self, branches: list[Tensor]) -> Tensor:
        return keras.layers.Concatenate(name=self.name)(branches)

    def dropout(self, x: Tensor, name: str, rate: float) -> Tensor:
        """Add dropout for training. The folded form has none."""
        return x if self.folded else keras.layers.Dropout(rate, name=self.within(name).name)(x)

    @property
    def _has_bias(self) -> bool:
        return self.folded or self.epsilon is None

    def _normalize(self, x: Tensor) -> Tensor:
        if self.folded or self.epsilon is None:
            return x
        return keras.layers.BatchNormalization(
            momentum=0.9,  # with slim's 0.9997 the statistics need far longer schedules than ours
            epsilon=self.epsilon,
            scale=self.gamma,
            beta_initializer=keras.initializers.Constant(self.beta),
            name=f"{self.name}.BatchNorm",
        )(x)

    def _activate(self, x: Tensor) -> Tensor:
        return keras.layers.Activation(self.activation, name=f"{self.name}.{self.activation.capitalize()}")(x)


def image_input(size: int) -> Tensor:
    """Return the input of a preprocessed image, float32 [B, size, size, 3]."""
    return keras.Input((size, size, 3), dtype="float32", name="input")


def depthwise_initializer(kernel: int) -> keras.initializers.Initializer:
    """Return He's rule for one filter per channel. Keras' `he_normal` would count all input channels as fan-in.

    Each layer needs its own initializer, because one gives the same values at every call.
    """
    return keras.initializers.RandomNormal(stddev=math.sqrt(2 / kernel**2))
