"""What a profiled run is recorded as."""

from __future__ import annotations

from typing import Any

import pytest

from tocompress.measurement.records import Block, Recorder
from tocompress.vocabulary.arithmetic import FLOAT


def recorded(**changes: Any) -> Any:
    """Return the table `operations` of one run of two operations, of 3 and 1 ms."""
    record = {"record": "operations", "operation": ["a", "b"], "type": ["Conv2D", "Relu"], "run": 1}
    recorder = Recorder()
    block = Block("operations", "tensorflow", "fp32", FLOAT, 1)
    recorder.add(block, [record | {"duration_s": [3e-3, 1e-3]} | changes, {"record": "end", "load": 0.0}])
    return recorder.table("operations")


def test_operations_have_a_class_and_compute_in_floats_unless_they_are_told_to_be_integers() -> None:
    table = recorded()
    assert table["operation_class"].tolist() == ["convolution", "activation"]
    assert table["integer"].tolist() == [False, False]
    assert set(table["runtime"]) == {"tensorflow"}
    assert recorded(integer=[True, False])["integer"].tolist() == [True, False]


@pytest.mark.parametrize(("invoke_s", "told"), [(4.4e-3, True), (4.5e-3, False)])
def test_times_are_left_out_where_operations_hold_too_little_of_the_inference(invoke_s: float, told: bool) -> None:
    """The clock of such a profile counts whole microseconds, so it hides short operations."""
    assert recorded(invoke_s=invoke_s)["duration_s"].notna().tolist() == [told, told]
