"""The classes of operations that inference time is split into (paper, figure 6)."""

from __future__ import annotations

CONVOLUTION = "convolution"
DEPTHWISE_CONVOLUTION = "depthwise convolution"
MATRIX_MULTIPLICATION = "matrix multiplication"
ADDITION = "bias and addition"
ACTIVATION = "activation"
POOLING = "pooling"
DATA_MOVEMENT = "data movement"
DEQUANTIZATION = "dequantization"
OTHER = "other"

#: All classes, in the order of figure 6.
OPERATION_CLASSES = (
    CONVOLUTION,
    DEPTHWISE_CONVOLUTION,
    MATRIX_MULTIPLICATION,
    ADDITION,
    ACTIVATION,
    POOLING,
    DATA_MOVEMENT,
    DEQUANTIZATION,
    OTHER,
)
