"""Every operation type that an artifact holds has one of the study's classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from brought_models import SMALL, brought
from small_models import small_model
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.models.registry import NETWORKS
from tocompress.runtimes.tensorflow.operations import classify


def unclassified(kinds):
    return {kind for kind in kinds if classify(kind) == "other"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Conv2D", "convolution"),
        ("_FusedConv2D", "convolution"),
        ("_MklNativeFusedConv2D", "convolution"),
        ("_MklConv2D", "convolution"),
        ("_MklNativePadWithFusedConv2D", "convolution"),
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
        ("Erf", "activation"),
        ("Softsign", "activation"),
        ("ResizeBilinear", "data movement"),
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


@pytest.mark.parametrize(("network", "beam_width"), [*((network, 1) for network in NETWORKS), ("gnmt", 10)])
def test_every_type_of_an_artifact_has_a_class_as_written_and_as_run(network: str, beam_width: int) -> None:
    model = small_model(network)
    body = model.body(beam_width)
    kinds = {"MatMul", "Conv2D"} & {node.op for node in body.node}
    assert kinds
    for bits in (None, 16, 6):
        artifact = model.artifact(body, bits)
        kinds |= {node.op for node in artifact.node}
        kinds |= executed(artifact, model.feeds)
    assert any(kind.startswith("_") for kind in kinds)  # names that only the runtime gives
    assert unclassified(kinds) == set()


@pytest.mark.parametrize("name", SMALL)
def test_every_type_of_a_network_that_a_user_brings_has_a_class(name: str) -> None:
    model = brought(SMALL[name]())
    artifact = model.artifact(model.body(), 8)
    assert unclassified({node.op for node in artifact.node} | executed(artifact, model.feeds)) == set()


def executed(graph: GraphDef, feeds: Mapping[str, np.ndarray]) -> set[str]:
    """The types in the graph as TensorFlow has rewritten it for a run."""
    metadata = tf.RunMetadata()
    options = tf.RunOptions(output_partition_graphs=True)
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        with tf.Session() as session:
            values = {f"{name}:0": array for name, array in feeds.items()}
            session.run("output:0", values, options=options, run_metadata=metadata)
    return {node.op for part in metadata.partition_graphs for node in part.node}
