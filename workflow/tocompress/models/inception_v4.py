"""Inception v4 (Szegedy et al., 2016, arXiv 1602.07261) as in TF-Slim.

The auxiliary head is left out. Unlike the other Inceptions, the logits are a fully connected layer.
"""

from __future__ import annotations

from dataclasses import replace

import keras

from tocompress.models.inception import Convolution, Mixed, Pool, Split, Step, chain, inception_scope
from tocompress.models.layers import image_input

AVERAGE = Pool("AvgPool_0a_3x3", "average")
REDUCE = Pool("MaxPool_1a_3x3", stride=2, padding="valid")


def _block_a(name: str) -> Mixed:
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", 96)],
        [Convolution("Conv2d_0a_1x1", 64), Convolution("Conv2d_0b_3x3", 96)],
        [Convolution("Conv2d_0a_1x1", 64), Convolution("Conv2d_0b_3x3", 96), Convolution("Conv2d_0c_3x3", 96)],
        [AVERAGE, Convolution("Conv2d_0b_1x1", 96)],
    )


def _block_b(name: str) -> Mixed:
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", 384)],
        [Convolution("Conv2d_0a_1x1", 192), Convolution("Conv2d_0b_1x7", 224), Convolution("Conv2d_0c_7x1", 256)],
        [
            Convolution("Conv2d_0a_1x1", 192),
            Convolution("Conv2d_0b_7x1", 192),
            Convolution("Conv2d_0c_1x7", 224),
            Convolution("Conv2d_0d_7x1", 224),
            Convolution("Conv2d_0e_1x7", 256),
        ],
        [AVERAGE, Convolution("Conv2d_0b_1x1", 128)],
    )


def _block_c(name: str) -> Mixed:
    return Mixed(
        name,
        [Convolution("Conv2d_0a_1x1", 256)],
        [
            Convolution("Conv2d_0a_1x1", 384),
            Split(Convolution("Conv2d_0b_1x3", 256), Convolution("Conv2d_0c_3x1", 256)),
        ],
        [
            Convolution("Conv2d_0a_1x1", 384),
            Convolution("Conv2d_0b_3x1", 448),
            Convolution("Conv2d_0c_1x3", 512),
            Split(Convolution("Conv2d_0d_1x3", 256), Convolution("Conv2d_0e_3x1", 256)),
        ],
        [AVERAGE, Convolution("Conv2d_0b_1x1", 256)],
    )


LAYERS: tuple[Step, ...] = (
    Convolution("Conv2d_1a_3x3", 32, stride=2, padding="valid"),
    Convolution("Conv2d_2a_3x3", 32, padding="valid"),
    Convolution("Conv2d_2b_3x3", 64),
    Mixed(
        "Mixed_3a",
        [Pool("MaxPool_0a_3x3", stride=2, padding="valid")],
        [Convolution("Conv2d_0a_3x3", 96, stride=2, padding="valid")],
    ),
    Mixed(
        "Mixed_4a",
        [Convolution("Conv2d_0a_1x1", 64), Convolution("Conv2d_1a_3x3", 96, padding="valid")],
        [
            Convolution("Conv2d_0a_1x1", 64),
            Convolution("Conv2d_0b_1x7", 64),
            Convolution("Conv2d_0c_7x1", 64),
            Convolution("Conv2d_1a_3x3", 96, padding="valid"),
        ],
    ),
    Mixed("Mixed_5a", [Convolution("Conv2d_1a_3x3", 192, stride=2, padding="valid")], [REDUCE]),
    *[_block_a(f"Mixed_5{letter}") for letter in "bcde"],
    Mixed(
        "Mixed_6a",
        [Convolution("Conv2d_1a_3x3", 384, stride=2, padding="valid")],
        [
            Convolution("Conv2d_0a_1x1", 192),
            Convolution("Conv2d_0b_3x3", 224),
            Convolution("Conv2d_1a_3x3", 256, stride=2, padding="valid"),
        ],
        [REDUCE],
    ),
    *[_block_b(f"Mixed_6{letter}") for letter in "bcdefgh"],
    Mixed(
        "Mixed_7a",
        [Convolution("Conv2d_0a_1x1", 192), Convolution("Conv2d_1a_3x3", 192, stride=2, padding="valid")],
        [
            Convolution("Conv2d_0a_1x1", 256),
            Convolution("Conv2d_0b_1x7", 256),
            Convolution("Conv2d_0c_7x1", 320),
            Convolution("Conv2d_1a_3x3", 320, stride=2, padding="valid"),
        ],
        [REDUCE],
    ),
    *[_block_c(f"Mixed_7{letter}") for letter in "bcd"],
)


def inception_v4(width: float = 1.0, input_size: int = 299, classes: int = 1001, folded: bool = False) -> keras.Model:
    """Return Inception v4: float32 [B, size, size, 3] in -1..1 to logits [B, classes]. At least 75 pixels."""
    # 75 normalised ReLUs follow each other without a shortcut. With offsets of 0 the first kernel's gradient has a
    # thousand times the norm of the last, and nothing is learnt for epochs. With 2 most units pass on their input.
    network = replace(inception_scope("InceptionV4", width, folded), beta=2.0)

    image = image_input(input_size)
    x = chain(image, LAYERS, network)

    head = network.within("Logits")
    x = head.pool_whole_map(x, "AvgPool_1a")
    x = head.dropout(x, "Dropout_1b", rate=0.2)
    x = keras.layers.Flatten(name=head.within("PreLogitsFlatten").name)(x)
    logits = keras.layers.Dense(classes, kernel_initializer="he_normal", name=head.within("Logits").name)(x)
    return keras.Model(image, logits, name="inception_v4")
