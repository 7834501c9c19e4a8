"""Every operation type that an artifact holds has one of the study's classes."""

from __future__ import annotations

import pytest

from tocompress.measurement.operations import classify, unclassified
from tocompress.weights import ModelMetadata


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Conv2D", "convolution"),
        ("_FusedConv2D", "convolution"),
        ("_MklNativeFusedConv2D", "convolution"),
        ("_MklConv2D", "convolution"),
        ("DepthwiseConv2dNative", "depthwise convolution"),
        ("_FusedDepthwiseConv2dNative", "depthwise convolution"),
        ("_MklNativeFusedDepthwiseConv2dNative", "depthwise convolution"),
        ("_MklNativeFusedMatMul", "matrix multiplication"),
        ("BatchMatMulV2", "matrix multiplication"),
        ("_MklNativeBatchMatMulV2", "matrix multiplication"),
        ("BiasAdd", "bias and addition"),
        ("AddV2", "bias and addition"),
        ("FusedBatchNormV3", "bias and addition"),
        ("_FusedBatchNormEx", "bias and addition"),
        ("Relu6", "activation"),
        ("Softmax", "activation"),
        ("Tanh", "activation"),
        ("Sigmoid", "activation"),
        ("_MklMaxPool", "pooling"),
        ("Mean", "pooling"),
        ("ConcatV2", "data movement"),
        ("GatherV2", "data movement"),
        ("ArgMax", "data movement"),
        ("TopKV2", "data movement"),
        ("NextIteration", "data movement"),
        ("TensorArrayReadV3", "data movement"),
        ("TensorListSetItem", "data movement"),
        ("_Retval", "data movement"),
    ],
)
def test_a_type_has_its_class(kind: str, expected: str) -> None:
    assert classify(kind, "some/layer") == expected


def test_the_scope_dequantize_wins_over_the_type_at_any_depth() -> None:
    assert classify("Mul", "dequantize/MobilenetV1/Conv2d_0/weights/Mul") == "dequantization"
    assert classify("Cast", "while/body/dequantize/weights/Cast") == "dequantization"
    assert classify("_FusedConv2D", "layer/dequantize") == "convolution"


def test_an_unknown_type_is_other_and_is_found() -> None:
    assert classify("Fft3D") == "other"
    assert unclassified(["Conv2D", "Fft3D", "_MklNativeMatMul", "_Unheard"]) == {"Fft3D", "_Unheard"}


@pytest.mark.parametrize("network", ["mobilenet_v1", "inception_v1", "resnet_v1_50"])
def test_every_type_of_an_image_artifact_has_a_class(network: str) -> None:
    import keras

    from tocompress.artifacts.body import trace
    from tocompress.models.registry import build
    from tocompress.models.variables import named_variables

    size = {"width": 0.25, "input_size": 64, "classes": 10}
    with keras.StatelessScope(initialize_variables=False):
        variables = named_variables(build(network, **size))
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    graph = trace(ModelMetadata(network, network, "fp32", trained=False, **size), shapes)
    kinds = {node.op for node in graph.node}
    assert "Conv2D" in kinds
    assert unclassified(kinds) == set()


@pytest.mark.parametrize("beam_width", [1, 4])
def test_every_type_of_a_translation_artifact_has_a_class(beam_width: int) -> None:
    from tocompress.artifacts.body import trace
    from tocompress.models import gnmt

    metadata = ModelMetadata(
        "gnmt", "gnmt", "fp32", trained=False, width=1 / 32, source_vocabulary=40, target_vocabulary=40
    )
    graph = trace(metadata, gnmt.shapes(40, 40, 32), beam_width)
    kinds = {node.op for part in (graph.node, *(f.node_def for f in graph.library.function)) for node in part}
    assert "TensorListSetItem" in kinds
    assert unclassified(kinds) == set()
