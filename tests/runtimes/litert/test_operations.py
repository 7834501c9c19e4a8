"""Every operation that LiteRT runs has one of the study's classes, and tells whether it computes in integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from brought_models import SMALL, brought
from small_models import SmallModel, small_model

from tocompress.devices.agent.litert import Network
from tocompress.models.registry import find
from tocompress.runtimes.deployed import deployed
from tocompress.runtimes.litert.body import trace
from tocompress.runtimes.litert.export import fill
from tocompress.runtimes.litert.flatbuffer import kind, read, write
from tocompress.runtimes.litert.operations import classify


@pytest.mark.parametrize(
    ("type", "operation", "expected"),
    [
        ("Convolution (NHWC, QC8) IGEMM", "", "convolution"),
        ("Convolution (NHWC, F32) DWConv", "", "depthwise convolution"),
        ("Fully Connected (NC, QS8, QC8W) GEMM", "0/xnnpack 1/3 CONV_2D", "convolution"),
        ("Fully Connected (NC, QDU8, F32, QC8W) GEMM", "0/xnnpack 1/3 FULLY_CONNECTED", "matrix multiplication"),
        ("Add (ND)", "", "bias and addition"),
        ("Clamp (NC)", "", "activation"),
        ("TanH (NC)", "", "activation"),
        ("Max Pooling (NHWC, S8)", "", "pooling"),
        ("Average Pooling (NHWC, F32) Average Pooling", "", "pooling"),
        ("Sum (ND) Reduce2", "", "pooling"),
        ("Convert (NC, F32, QDU8)", "", "dequantization"),
        ("Constant Pad (ND, X32)", "", "data movement"),
        ("Transpose (ND, X32) Transpose", "", "data movement"),
        ("CONV_2D", "0/3", "convolution"),
        ("DEPTHWISE_CONV_2D", "0/3", "depthwise convolution"),
        ("FULLY_CONNECTED", "0/3", "matrix multiplication"),
        ("AVERAGE_POOL_2D", "0/3", "pooling"),
        ("QUANTIZE", "0/3", "dequantization"),
        ("TOPK_V2", "12/3", "data movement"),
        ("HardSwish (NC)", "", "activation"),
        ("Resize Bilinear (NHWC)", "", "data movement"),
        ("GELU", "0/3", "activation"),
        ("RELU_0_TO_1", "0/3", "activation"),
        ("MEAN", "0/3", "pooling"),
        ("FFT", "0/3", "other"),
    ],
)
def test_a_type_has_its_class(type: str, operation: str, expected: str) -> None:
    assert classify(type, operation) == expected


@pytest.mark.parametrize("network", ["gnmt", "inception_v4", "mobilenet_v1", "resnet_v1_50", "vgg_16", *SMALL])
def test_every_type_of_an_artifact_has_a_class_as_written_and_as_run(network: str, tmp_path: Path) -> None:
    model = brought(SMALL[network](), 1) if network in SMALL else small_model(network)
    path = artifact(model, tmp_path)
    content = read(path)
    written = {kind(content, part) for subgraph in content.subgraphs for part in subgraph.operators}
    assert {name for name in written if classify(name) == "other"} <= {"WHILE"}  # whose time is of others
    run = profile(model, path)
    classes = set(map(classify, run["type"], run["operation"]))
    assert "other" not in classes
    assert ("convolution" in classes) == ("CONV_2D" in written)
    assert ("matrix multiplication" in classes) == ("FULLY_CONNECTED" in written)
    assert not any(run["integer"])


def artifact(model: SmallModel, folder: Path) -> Path:
    body, places = trace(model.metadata, model.body())
    weights = deployed(model.weights, find(model.metadata.network).batch_norm_epsilon)
    path = folder / "network.tflite"
    path.write_bytes(write(fill(read(body), pd.DataFrame(places), weights)))
    return path


def profile(model: SmallModel, path: Path) -> dict[str, list]:
    feeds = {name: np.asarray(array) for name, array in model.feeds.items()}
    network = Network({"artifact": str(path), "processor": "cpu", "threads": 1}, {"one": feeds})
    return network.profile("one")
