"""VGG with 16 and 19 layers (Simonyan and Zisserman, 2014, arXiv 1409.1556) as in TF-Slim.

The fully connected layers are convolutions.
"""

from __future__ import annotations

import keras

from tocompress.models.layers import Scope, image_input

BLOCK_DEPTHS = (64, 128, 256, 512, 512)
FULLY_CONNECTED_DEPTH = 4096
PIXEL_DEVIATION = 60.0  # of images less their mean. Without batch norm it would reach the logits


def vgg_16(width: float = 1.0, input_size: int = 224, classes: int = 1000, folded: bool = False) -> keras.Model:
    """Return VGG-16: float32 [B, size, size, 3], RGB less its mean, to logits [B, classes]. Output stride 32."""
    return _vgg("vgg_16", (2, 2, 3, 3, 3), width, input_size, classes, folded)


def vgg_19(width: float = 1.0, input_size: int = 224, classes: int = 1000, folded: bool = False) -> keras.Model:
    """Return VGG-19, otherwise like `vgg_16`."""
    return _vgg("vgg_19", (2, 2, 4, 4, 4), width, input_size, classes, folded)


def _vgg(
    name: str, convolutions: tuple[int, ...], width: float, input_size: int, classes: int, folded: bool
) -> keras.Model:
    network = Scope(name, width, minimum_depth=8, folded=folded)

    x = image = image_input(input_size)
    for block, (depth, count) in enumerate(zip(BLOCK_DEPTHS, convolutions, strict=True), start=1):
        for number in range(1, count + 1):
            deviation = PIXEL_DEVIATION if x is image else 1.0
            x = network.convolution(x, f"conv{block}.conv{block}_{number}", depth, 3, input_deviation=deviation)
        x = network.max_pool(x, f"pool{block}", 2, stride=2, padding="valid")

    height, map_width = x.shape[1:3]
    x = network.convolution(x, "fc6", FULLY_CONNECTED_DEPTH, (height, map_width), padding="valid")
    x = network.dropout(x, "dropout6", rate=0.5)
    x = network.convolution(x, "fc7", FULLY_CONNECTED_DEPTH, 1)
    x = network.dropout(x, "dropout7", rate=0.5)
    return keras.Model(image, network.logits(x, "fc8", classes), name=name)
