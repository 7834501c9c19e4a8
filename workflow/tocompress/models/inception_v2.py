"""Inception v2 (Ioffe and Szegedy, 2015, arXiv 1502.03167) as in TF-Slim: the first convolution is separable."""

from __future__ import annotations

import keras

from tocompress.models.inception import Convolution, Mixed, Pool, Step, chain, inception_scope
from tocompress.models.layers import image_input

STEM_DEPTH = 64
STEM_MULTIPLIER = 8  # filters for each colour of the depthwise part of the first convolution


def _mixed(
    name: str, depth_0: int, depths_1: tuple[int, int], depths_2: tuple[int, int], pool: Pool, depth_3: int
) -> Mixed:
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", depth_0)],
        [Convolution("Conv2d_0a_1x1", depths_1[0]), Convolution("Conv2d_0b_3x3", depths_1[1])],
        [
            Convolution("Conv2d_0a_1x1", depths_2[0]),
            Convolution("Conv2d_0b_3x3", depths_2[1]),
            Convolution("Conv2d_0c_3x3", depths_2[1]),
        ],
        [pool, Convolution("Conv2d_0b_1x1", depth_3)],
    )


def _reduction(name: str, depths_0: tuple[int, int], depths_1: tuple[int, int]) -> Mixed:
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", depths_0[0]), Convolution("Conv2d_1a_3x3", depths_0[1], stride=2)],
        [
            Convolution("Conv2d_0a_1x1", depths_1[0]),
            Convolution("Conv2d_0b_3x3", depths_1[1]),
            Convolution("Conv2d_1a_3x3", depths_1[1], stride=2),
        ],
        [Pool("MaxPool_1a_3x3", stride=2)],
    )


AVERAGE = Pool("AvgPool_0a_3x3", "average")
MAXIMUM = Pool("MaxPool_0a_3x3")

LAYERS: tuple[Step, ...] = (
    Pool("MaxPool_2a_3x3", stride=2),
    Convolution("Conv2d_2b_1x1", 64),
    Convolution("Conv2d_2c_3x3", 192),
    Pool("MaxPool_3a_3x3", stride=2),
    _mixed("Mixed_3b", 64, (64, 64), (64, 96), AVERAGE, 32),
    _mixed("Mixed_3c", 64, (64, 96), (64, 96), AVERAGE, 64),
    _reduction("Mixed_4a", (128, 160), (64, 96)),
    _mixed("Mixed_4b", 224, (64, 96), (96, 128), AVERAGE, 128),
    _mixed("Mixed_4c", 192, (96, 128), (96, 128), AVERAGE, 128),
    _mixed("Mixed_4d", 160, (128, 160), (128, 160), AVERAGE, 96),
    _mixed("Mixed_4e", 96, (128, 192), (160, 192), AVERAGE, 96),
    _reduction("Mixed_5a", (128, 192), (192, 256)),
    _mixed("Mixed_5b", 352, (192, 320), (160, 224), AVERAGE, 128),
    _mixed("Mixed_5c", 352, (192, 320), (192, 224), MAXIMUM, 128),
)


def inception_v2(width: float = 1.0, input_size: int = 224, classes: int = 1001, folded: bool = False) -> keras.Model:
    """Return Inception v2: float32 [B, size, size, 3] in -1..1 to logits [B, classes]. Output stride 32."""
    network = inception_scope("InceptionV2", width, folded)

    image = image_input(input_size)
    multiplier = min(network.depth(STEM_DEPTH) // 3, STEM_MULTIPLIER)
    x = network.separable(image, "Conv2d_1a_7x7", STEM_DEPTH, 7, multiplier=multiplier, stride=2)
    x = chain(x, LAYERS, network)

    head = network.within("Logits")
    x = head.pool_whole_map(x, "AvgPool_1a")
    x = head.dropout(x, "Dropout_1b", rate=0.2)
    return keras.Model(image, head.logits(x, "Conv2d_1c_1x1", classes), name="inception_v2")
