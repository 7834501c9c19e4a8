"""Inception v3 (Szegedy et al., 2015, arXiv 1512.00567) as in TF-Slim.

The auxiliary head is left out. The odd names are slim's.
"""

from __future__ import annotations

import keras

from tocompress.models.inception import Convolution, Mixed, Pool, Split, Step, chain, inception_scope
from tocompress.models.layers import image_input

AVERAGE = Pool("AvgPool_0a_3x3", "average")
REDUCE = Pool("MaxPool_1a_3x3", stride=2, padding="valid")


def _mixed_35(name: str, branch_1: tuple[str, str], depth_3: int) -> Mixed:
    """Return a module on the 35x35 map of a 299x299 image."""
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", 64)],
        [Convolution(branch_1[0], 48), Convolution(branch_1[1], 64)],
        [Convolution("Conv2d_0a_1x1", 64), Convolution("Conv2d_0b_3x3", 96), Convolution("Conv2d_0c_3x3", 96)],
        [AVERAGE, Convolution("Conv2d_0b_1x1", depth_3)],
    )


def _mixed_17(name: str, depth: int) -> Mixed:
    """Return a module on the 17x17 map."""
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", 192)],
        [
            Convolution("Conv2d_0a_1x1", depth),
            Convolution("Conv2d_0b_1x7", depth),
            Convolution("Conv2d_0c_7x1", 192),
        ],
        [
            Convolution("Conv2d_0a_1x1", depth),
            Convolution("Conv2d_0b_7x1", depth),
            Convolution("Conv2d_0c_1x7", depth),
            Convolution("Conv2d_0d_7x1", depth),
            Convolution("Conv2d_0e_1x7", 192),
        ],
        [AVERAGE, Convolution("Conv2d_0b_1x1", 192)],
    )


def _mixed_8(name: str, second_of_branch_1: str) -> Mixed:
    """Return a module on the 8x8 map."""
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", 320)],
        [
            Convolution("Conv2d_0a_1x1", 384),
            Split(Convolution("Conv2d_0b_1x3", 384), Convolution(second_of_branch_1, 384)),
        ],
        [
            Convolution("Conv2d_0a_1x1", 448),
            Convolution("Conv2d_0b_3x3", 384),
            Split(Convolution("Conv2d_0c_1x3", 384), Convolution("Conv2d_0d_3x1", 384)),
        ],
        [AVERAGE, Convolution("Conv2d_0b_1x1", 192)],
    )


LAYERS: tuple[Step, ...] = (
    Convolution("Conv2d_1a_3x3", 32, stride=2, padding="valid"),
    Convolution("Conv2d_2a_3x3", 32, padding="valid"),
    Convolution("Conv2d_2b_3x3", 64),
    Pool("MaxPool_3a_3x3", stride=2, padding="valid"),
    Convolution("Conv2d_3b_1x1", 80),
    Convolution("Conv2d_4a_3x3", 192, padding="valid"),
    Pool("MaxPool_5a_3x3", stride=2, padding="valid"),
    _mixed_35("Mixed_5b", ("Conv2d_0a_1x1", "Conv2d_0b_5x5"), 32),
    _mixed_35("Mixed_5c", ("Conv2d_0b_1x1", "Conv_1_0c_5x5"), 64),
    _mixed_35("Mixed_5d", ("Conv2d_0a_1x1", "Conv2d_0b_5x5"), 64),
    Mixed(
        "Mixed_6a",
        [Convolution("Conv2d_1a_1x1", 384, kernel=3, stride=2, padding="valid")],
        [
            Convolution("Conv2d_0a_1x1", 64),
            Convolution("Conv2d_0b_3x3", 96),
            Convolution("Conv2d_1a_1x1", 96, kernel=3, stride=2, padding="valid"),
        ],
        [REDUCE],
    ),
    _mixed_17("Mixed_6b", 128),
    _mixed_17("Mixed_6c", 160),
    _mixed_17("Mixed_6d", 160),
    _mixed_17("Mixed_6e", 192),
    Mixed(
        "Mixed_7a",
        [Convolution("Conv2d_0a_1x1", 192), Convolution("Conv2d_1a_3x3", 320, stride=2, padding="valid")],
        [
            Convolution("Conv2d_0a_1x1", 192),
            Convolution("Conv2d_0b_1x7", 192),
            Convolution("Conv2d_0c_7x1", 192),
            Convolution("Conv2d_1a_3x3", 192, stride=2, padding="valid"),
        ],
        [REDUCE],
    ),
    _mixed_8("Mixed_7b", "Conv2d_0b_3x1"),
    _mixed_8("Mixed_7c", "Conv2d_0c_3x1"),
)


def inception_v3(width: float = 1.0, input_size: int = 299, classes: int = 1001, folded: bool = False) -> keras.Model:
    """Return Inception v3: float32 [B, size, size, 3] in -1..1 to logits [B, classes]. At least 75 pixels."""
    network = inception_scope("InceptionV3", width, folded)

    image = image_input(input_size)
    x = chain(image, LAYERS, network)

    head = network.within("Logits")
    x = head.pool_whole_map(x, "AvgPool_1a")
    x = head.dropout(x, "Dropout_1b", rate=0.2)
    return keras.Model(image, head.logits(x, "Conv2d_1c_1x1", classes), name="inception_v3")
