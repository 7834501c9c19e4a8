"""ResNet v1 with 50, 101 and 152 layers (He et al., 2015, arXiv 1512.03385) as in TF-Slim.

Unlike in Keras, Caffe and PyTorch, a block's stride is in its last unit, and strided convolutions pad both sides alike.
"""

from __future__ import annotations

import keras

from tocompress.models.layers import Scope, Tensor, image_input

# (depth of the bottleneck, stride of the last unit) of each block. A unit's output is four times as deep.
BLOCKS = ((64, 2), (128, 2), (256, 2), (512, 1))
EXPANSION = 4


def resnet_v1_50(width: float = 1.0, input_size: int = 224, classes: int = 1000, folded: bool = False) -> keras.Model:
    """Return ResNet-50: float32 [B, size, size, 3], RGB less its mean, to logits [B, classes]. Output stride 32."""
    return _resnet_v1("resnet_v1_50", (3, 4, 6, 3), width, input_size, classes, folded)


def resnet_v1_101(width: float = 1.0, input_size: int = 224, classes: int = 1000, folded: bool = False) -> keras.Model:
    """Return ResNet-101, otherwise like `resnet_v1_50`."""
    return _resnet_v1("resnet_v1_101", (3, 4, 23, 3), width, input_size, classes, folded)


def resnet_v1_152(width: float = 1.0, input_size: int = 224, classes: int = 1000, folded: bool = False) -> keras.Model:
    """Return ResNet-152, otherwise like `resnet_v1_50`."""
    return _resnet_v1("resnet_v1_152", (3, 8, 36, 3), width, input_size, classes, folded)


def _resnet_v1(
    name: str, units: tuple[int, ...], width: float, input_size: int, classes: int, folded: bool
) -> keras.Model:
    network = Scope(name, width, minimum_depth=8, folded=folded, epsilon=1e-5)

    image = image_input(input_size)
    x = _convolution_padded_alike(image, network, "conv1", 64, 7, stride=2)
    x = network.max_pool(x, "pool1", 3, stride=2)
    for number, ((depth, last_stride), count) in enumerate(zip(BLOCKS, units, strict=True), start=1):
        block = network.within(f"block{number}")
        for unit in range(1, count + 1):
            stride = last_stride if unit == count else 1
            x = _bottleneck(x, block.within(f"unit_{unit}.bottleneck_v1"), depth, stride, project=unit == 1)

    x = network.pool_whole_map(x, "pool5")
    return keras.Model(image, network.logits(x, "logits", classes), name=name)


def _bottleneck(x: Tensor, unit: Scope, depth: int, stride: int, *, project: bool) -> Tensor:
    """Add a residual unit. `project` makes the shortcut a convolution, because the depth changes."""
    if project:
        shortcut = unit.convolution(x, "shortcut", EXPANSION * depth, 1, stride=stride, activated=False)
    elif stride > 1:
        shortcut = unit.max_pool(x, "shortcut", 1, stride=stride)
    else:
        shortcut = x
    residual = unit.convolution(x, "conv1", depth, 1)
    residual = _convolution_padded_alike(residual, unit, "conv2", depth, 3, stride=stride)
    residual = unit.convolution(residual, "conv3", EXPANSION * depth, 1, activated=False)
    return unit.add_activated(shortcut, residual)


def _convolution_padded_alike(x: Tensor, scope: Scope, name: str, depth: int, kernel: int, *, stride: int) -> Tensor:
    """Add a convolution. With a stride it pads both sides alike, where "same" would favour bottom and right."""
    if stride == 1:
        return scope.convolution(x, name, depth, kernel)
    x = scope.pad(x, f"{name}.Pad", (kernel - 1) // 2)
    return scope.convolution(x, name, depth, kernel, stride=stride, padding="valid")
