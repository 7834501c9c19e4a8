"""A body holds nothing that an older runtime would not know; test_tensorflow_1_15.py asks such a runtime."""

from __future__ import annotations

import pytest
from small_models import small_model
from tensorflow.core.framework.graph_pb2 import GraphDef

DEFAULTS = {"data_format", "dilations", "explicit_paddings", "transpose_a"}


@pytest.fixture(scope="module", params=["mobilenet_v1", "gnmt"])
def body(request: pytest.FixtureRequest) -> GraphDef:
    return small_model(request.param).body()


def test_loops_are_operations_and_not_functions(body: GraphDef) -> None:
    kinds = {node.op for node in body.node}
    assert not body.library.function
    assert not {"While", "StatelessWhile", "If", "StatelessIf", "PartitionedCall", "StatefulPartitionedCall"} & kinds
    assert ("LoopCond" in kinds) == any(node.name == "source" for node in body.node)


def test_attributes_at_their_defaults_and_private_ones_are_left_out(body: GraphDef) -> None:
    attributes = {name for node in body.node for name in node.attr}
    assert "T" in attributes
    assert not attributes & DEFAULTS
    assert not any(name.startswith("_") for name in attributes)
