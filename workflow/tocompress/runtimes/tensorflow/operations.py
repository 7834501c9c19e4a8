"""Classify operations into the kinds of layer that inference time is split into (paper, figure 6)."""

from __future__ import annotations

import re

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

#: The name scope under which every artifact dequantizes its weights.
SCOPE = "dequantize"

#: The types of each class. Element-wise arithmetic counts as addition, and reductions count as pooling. Comparisons,
#: selection, shapes and the control flow of loops compute no values of the network and count as data movement.
_TYPES: dict[str, str] = {
    CONVOLUTION: "Conv2D Conv2DWithBias PadWithConv2D PadWithFusedConv2D",
    DEPTHWISE_CONVOLUTION: "DepthwiseConv2D DepthwiseConv2dNative",
    MATRIX_MULTIPLICATION: "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum",
    ADDITION: """
        Abs AccumulateNV2 Add AddN AddV2 BatchNorm BatchNormEx BatchNormV2 BatchNormV3 BiasAdd BiasAddV1 BitwiseAnd
        BitwiseOr BitwiseXor Div DivNoNan Exp Expm1 Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2
        FusedBatchNormV3 LayerNorm LeftShift Log Log1p Maximum Minimum Mul MulNoNan Neg Pow RealDiv Reciprocal
        RightShift Rsqrt Sign Sqrt Square SquaredDifference Sub Xdivy
    """,
    ACTIVATION: """
        ClipByValue Elu Erf Erfc Gelu LeakyRelu LogSoftmax LRN Mish Relu Relu6 Selu Sigmoid Softmax Softplus Softsign
        Swish Tanh UnaryOpsComposition
    """,
    POOLING: "AvgPool AvgPoolV2 MaxPool MaxPoolV2 Max Mean Min Prod Sum",
    DATA_MOVEMENT: """
        All Any Arg ArgMax ArgMin Assert BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Cast Concat ConcatV2
        ConjugateTranspose Const ControlTrigger DepthToSpace EmptyTensorList EnsureShape Enter Equal Exit ExpandDims
        Fill Gather GatherNd GatherV2 Greater GreaterEqual HostConst HostRecv HostSend Identity IdentityN If
        InputConversion InvertPermutation Less
        LessEqual LogicalAnd LogicalNot LogicalOr LoopCond Merge MirrorPad NextIteration NoOp NotEqual OneHot OnesLike
        Pack Pad PadV2 ParallelConcat Placeholder PlaceholderWithDefault PreventGradient Range Rank ReadVariableOp
        Recv RefEnter RefExit RefMerge RefNextIteration RefSwitch Reshape ResizeBilinear ResizeNearestNeighbor Retval
        ReverseSequence ReverseV2 ScatterNd Select SelectV2 Send SequenceMask Shape ShapeN Size Slice Snapshot
        SpaceToBatchND SpaceToDepth Split SplitV Squeeze Stack
        StackPopV2 StackPushV2 StackV2 StatelessIf StatelessWhile StopGradient StridedSlice Switch TensorArrayCloseV3
        TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3
        TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 TensorListConcatV2 TensorListElementShape
        TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
        TensorListReserve TensorListResize TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem
        TensorListStack Tile TopK TopKV2 ToTf Transpose Unpack Where While ZerosLike
    """,
}

_CLASSES: dict[str, str] = {kind: name for name, kinds in _TYPES.items() for kind in kinds.split()}


def base_type(kind: str) -> str:
    """Return the type without the runtime's prefix: `_MklNativeFusedConv2D` and `_FusedConv2D` become `Conv2D`.

    A fused operation is its main operation with the bias, addition and activation that follow it.
    """
    return re.sub(r"^_(?:Mkl)?(?:Native)?(?:Fused)?", "", kind)


def classify(kind: str, operation: str = "") -> str:
    """Return the class of an operation by its type and its name in the graph, or `other` for an unknown type.

    Everything inside the scope `dequantize/` is dequantization, whatever its type. A convolution with its bias and
    activation fused into it is a convolution. The runtime may spend time inside a convolution on reordering weights
    that it does not know to be constant. So the share of dequantization is a lower bound.
    """
    if SCOPE in operation.split("/")[:-1]:
        return DEQUANTIZATION
    return _CLASSES.get(base_type(kind), OTHER)
