"""A body holds no weights, and its table tells the place of each."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from converted import Converted
from small_models import small_model

from tocompress.errors import StudyError
from tocompress.models import gnmt
from tocompress.runtimes.litert.body import trace
from tocompress.runtimes.litert.export import fill
from tocompress.runtimes.litert.flatbuffer import constant, is_constant, read
from tocompress.runtimes.litert.places import rows
from tocompress.runtimes.tensorflow.graph import weight_shapes
from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef
from tocompress.weights import ModelMetadata


@pytest.fixture(scope="module", params=["mobilenet_v1", "gnmt"])
def converted(request: pytest.FixtureRequest) -> Converted:
    return Converted(small_model(request.param))


def test_every_row_of_every_weight_has_one_place(converted: Converted) -> None:
    _, places = converted.traced
    shapes = weight_shapes(converted.graph)
    assert set(places["weight"]) == shapes.keys()
    held = (places["stop"] - places["start"]).groupby(places["weight"]).sum()
    assert held.to_dict() == {name: rows(shape) for name, shape in shapes.items()}


def test_the_body_holds_no_weights(converted: Converted) -> None:
    body, places = converted.traced
    model = read(body)
    tensors = [
        model.subgraphs[subgraph].tensors[number]
        for subgraph, number in zip(places["subgraph"], places["tensor"], strict=True)
    ]
    assert not any(is_constant(model, tensor) for tensor in tensors)
    assert len(body) < 100_000


def test_inputs_and_output_have_the_names_of_the_graph(converted: Converted) -> None:
    main = read(converted.traced[0]).subgraphs[0]
    assert {main.tensors[number].name.decode() for number in main.inputs} == converted.model.feeds.keys()
    assert [main.tensors[number].name.decode() for number in main.outputs] == ["output"]


def test_a_structure_always_gives_the_same_body(converted: Converted) -> None:
    body, places = trace(converted.model.metadata, converted.graph)
    assert body == converted.traced[0]
    assert places.equals(converted.traced[1])


def test_attention_is_scored_by_the_scaled_direction() -> None:
    converted = Converted(small_model("gnmt"))
    body, places = converted.traced
    weights = dict(converted.model.weights)
    model = fill(read(body), places, weights)
    [place] = places[places["weight"] == gnmt.ATTENTION_G].to_dict("records")
    scoring = constant(model, model.subgraphs[place["subgraph"]].tensors[place["tensor"]])
    assert np.linalg.norm(scoring) == pytest.approx(abs(float(weights[gnmt.ATTENTION_G])), rel=1e-6)
    cosine = scoring @ weights[gnmt.ATTENTION_V] / (np.linalg.norm(scoring) * np.linalg.norm(weights[gnmt.ATTENTION_V]))
    assert cosine == pytest.approx(np.sign(weights[gnmt.ATTENTION_G]), rel=1e-6)


def dense(doubled: bool) -> GraphDef:
    """A body of one matrix product with `kernel`, or with twice the kernel."""
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, 2, 2, 3], "input")
        kernel = tf.compat.v1.placeholder(tf.float32, [12, 5], "weights/kernel")
        product = tf.matmul(tf.reshape(image, [-1, 12]), kernel * 2 if doubled else kernel)
        tf.identity(product, name="output")
        return graph.as_graph_def()


def test_a_weight_that_the_converter_computes_with_is_named() -> None:
    metadata = ModelMetadata("dense", "vgg_16", "fp32", False, 1.0, shape=(2, 2, 3), classes=5)
    _, places = trace(metadata, dense(doubled=False))
    assert places.to_dict("records") == [
        {
            "weight": "kernel",
            "subgraph": 0,
            "tensor": places.loc[0, "tensor"],
            "layout": "transposed",
            "start": 0,
            "stop": 12,
        }
    ]
    with pytest.raises(StudyError, match=r"^kernel: .*no place"):
        trace(metadata, dense(doubled=True))
