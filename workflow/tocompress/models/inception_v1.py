"""Inception v1, GoogLeNet (Szegedy et al., 2014, arXiv 1409.4842) as in TF-Slim, with 3x3 where the paper has 5x5."""

from __future__ import annotations

import keras

from tocompress.models.inception import Convolution, Mixed, Pool, Step, chain, inception_scope
from tocompress.models.layers import image_input


def _mixed(
    name: str,
    depth_0: int,
    depths_1: tuple[int, int],
    depths_2: tuple[int, int],
    depth_3: int,
    last_of_branch_2: str = "Conv2d_0b_3x3",
) -> Mixed:
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", depth_0)],
        [Convolution("Conv2d_0a_1x1", depths_1[0]), Convolution("Conv2d_0b_3x3", depths_1[1])],
        [Convolution("Conv2d_0a_1x1", depths_2[0]), Convolution(last_of_branch_2, depths_2[1])],
        [Pool("MaxPool_0a_3x3"), Convolution("Conv2d_0b_1x1", depth_3)],
    )


LAYERS: tuple[Step, ...] = (
    Convolution("Conv2d_1a_7x7", 64, stride=2),
    Pool("MaxPool_2a_3x3", stride=2),
    Convolution("Conv2d_2b_1x1", 64),
    Convolution("Conv2d_2c_3x3", 192),
    Pool("MaxPool_3a_3x3", stride=2),
    _mixed("Mixed_3b", 64, (96, 128), (16, 32), 32),
    _mixed("Mixed_3c", 128, (128, 192), (32, 96), 64),
    Pool("MaxPool_4a_3x3", stride=2),
    _mixed("Mixed_4b", 192, (96, 208), (16, 48), 64),
    _mixed("Mixed_4c", 160, (112, 224), (24, 64), 64),
    _mixed("Mixed_4d", 128, (128, 256), (24, 64), 64),
    _mixed("Mixed_4e", 112, (144, 288), (32, 64), 64),
    _mixed("Mixed_4f", 256, (160, 320), (32, 128), 128),
    Pool("MaxPool_5a_2x2", stride=2),
    _mixed("Mixed_5b", 256, (160, 320), (32, 128), 128, last_of_branch_2="Conv2d_0a_3x3"),
    _mixed("Mixed_5c", 384, (192, 384), (48, 128), 128),
)


def inception_v1(width: float = 1.0, input_size: int = 224, classes: int = 1001, folded: bool = False) -> keras.Model:
    """Return Inception v1: float32 [B, size, size, 3] in -1..1 to logits [B, classes]. Output stride 32."""
    network = inception_scope("InceptionV1", width, folded)

    image = image_input(input_size)
    x = chain(image, LAYERS, network)

    head = network.within("Logits")
    x = head.pool_whole_map(x, "AvgPool_0a")
    x = head.dropout(x, "Dropout_0b", rate=0.2)
    return keras.Model(image, head.logits(x, "Conv2d_0c_1x1", classes), name="inception_v1")
