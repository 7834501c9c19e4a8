"""Classify LiteRT's operations into the kinds of layer that inference time is split into (paper, figure 6)."""

from __future__ import annotations

from tocompress.vocabulary.operations import (
    ACTIVATION,
    ADDITION,
    CONVOLUTION,
    DATA_MOVEMENT,
    DEPTHWISE_CONVOLUTION,
    DEQUANTIZATION,
    MATRIX_MULTIPLICATION,
    OTHER,
    POOLING,
)

#: How the names of XNNPACK's dense products begin. The agent adds the kind of node to the name of such an operation.
_DENSE = ("Fully Connected", "Dynamic Fully Connected")

#: The families of XNNPACK's kernels in each class. A conversion of activations counts as dequantization, because only
#: quantized networks have it. Element-wise arithmetic counts as addition, and reductions count as pooling.
_KERNELS = {
    CONVOLUTION: ("Convolution", "Deconvolution"),
    MATRIX_MULTIPLICATION: ("Batch Matrix Multiply",),
    ADDITION: (
        *("Abs", "Add", "Divide", "Exp", "Floor", "Log", "Maximum", "Minimum", "Multiply", "Negate", "Normalize"),
        *("Power", "Reciprocal Square Root", "Sign", "Square", "Square Root", "Squared Difference", "Subtract"),
    ),
    ACTIVATION: ("ApproxGELU", "Clamp", "ELU", "GELU", "HardSwish", "LeakyReLU", "PReLU", "Sigmoid", "Softmax", "TanH"),
    POOLING: ("Average Pooling", "Max Pooling", "Mean", "Mean Squared", "Reduce Max", "Reduce Min", "Sum"),
    DATA_MOVEMENT: (
        *("Constant Pad", "Copy", "Depth To Space", "Fuse Dims", "Slice", "Space To Depth", "Split Dims"),
        *("Resize Bilinear", "Static Expand Dims", "Static Reshape", "Transpose"),
    ),
    DEQUANTIZATION: ("Convert",),
}

#: The kinds of TFLite's nodes in each class. Comparisons, selection, shapes and the control flow of loops compute no
#: values of the network and count as data movement.
_NODES = {
    CONVOLUTION: "CONV_2D TRANSPOSE_CONV",
    DEPTHWISE_CONVOLUTION: "DEPTHWISE_CONV_2D",
    MATRIX_MULTIPLICATION: "BATCH_MATMUL FULLY_CONNECTED",
    ADDITION: """
        ABS ADD DIV EXP FLOOR L2_NORMALIZATION LOG MAXIMUM MINIMUM MUL NEG POW RSQRT SIGN SQRT SQUARE SQUARED_DIFFERENCE
        SUB
    """,
    ACTIVATION: """
        ELU GELU HARD_SWISH LEAKY_RELU LOGISTIC LOG_SOFTMAX PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 SOFTMAX TANH
    """,
    POOLING: "AVERAGE_POOL_2D MAX_POOL_2D MEAN REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM",
    DATA_MOVEMENT: """
        ARG_MAX BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CAST CONCATENATION DEPTH_TO_SPACE DYNAMIC_UPDATE_SLICE
        EQUAL EXPAND_DIMS FILL FLOOR_DIV FLOOR_MOD GATHER GATHER_ND GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND
        LOGICAL_NOT LOGICAL_OR MIRROR_PAD NOT_EQUAL ONE_HOT PACK PAD PADV2 RANGE RANK REDUCE_ALL REDUCE_ANY RESHAPE
        RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE REVERSE_V2 SCATTER_ND SELECT SELECT_V2 SHAPE SLICE
        SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TOPK_V2 TRANSPOSE UNPACK WHERE
        ZEROS_LIKE
    """,
    DEQUANTIZATION: "DEQUANTIZE QUANTIZE",
}

_CLASSES = {kernel: name for name, kernels in _KERNELS.items() for kernel in kernels}
_CLASSES |= {kind: name for name, kinds in _NODES.items() for kind in kinds.split()}


def classify(kind: str, operation: str = "") -> str:
    """Return the class of an operation by its type, or `other` for an unknown one.

    The type is a kind of TFLite's nodes, as CONV_2D, or the name of a kernel, as "Convolution (NHWC, QC8) IGEMM".
    XNNPACK runs convolutions of 1 x 1 as dense products. Their operation ends with CONV_2D.
    """
    if kind.startswith(_DENSE):
        return CONVOLUTION if operation.endswith("CONV_2D") else MATRIX_MULTIPLICATION
    if kind.endswith("DWConv"):
        return DEPTHWISE_CONVOLUTION
    return _CLASSES.get(kind.partition(" (")[0], OTHER)
