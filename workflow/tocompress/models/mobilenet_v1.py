"""MobileNet v1 (Howard et al., 2017, arXiv 1704.04861) as in TF-Slim."""

from __future__ import annotations

import keras

from tocompress.models.layers import Scope, image_input

STEM_DEPTH = 32

# (depth, stride) of each depthwise separable convolution, Conv2d_1 to Conv2d_13
SEPARABLE = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet_v1(width: float = 1.0, input_size: int = 224, classes: int = 1001, folded: bool = False) -> keras.Model:
    """Return MobileNet v1: float32 [B, size, size, 3] in -1..1 to logits [B, classes]. Output stride 32."""
    network = Scope("MobilenetV1", width, minimum_depth=8, folded=folded, epsilon=1e-3, activation="relu6")

    image = image_input(input_size)
    x = network.convolution(image, "Conv2d_0", STEM_DEPTH, 3, stride=2)
    for number, (depth, stride) in enumerate(SEPARABLE, start=1):
        x = network.depthwise(x, f"Conv2d_{number}_depthwise", 3, stride=stride)
        x = network.convolution(x, f"Conv2d_{number}_pointwise", depth, 1)

    head = network.within("Logits")
    x = head.pool_whole_map(x, "AvgPool_1a")
    x = head.dropout(x, "Dropout_1b", rate=0.001)
    return keras.Model(image, head.logits(x, "Conv2d_1c_1x1", classes), name="mobilenet_v1")
