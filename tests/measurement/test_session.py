"""A session's order of blocks, and the tables a real agent's session yields."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocompress.devices.local import LocalAgent
from tocompress.errors import StudyError
from tocompress.measurement.session import BenchmarkPlan, blocks, measure
from tocompress.measurement.summary import latency_rows, memory_rows, operation_rows
from tocompress.schemas.benchmark import TABLES
from tocompress.tables import read_table, write_table


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkPlan:
    import tensorflow.compat.v1 as tf

    folder = tmp_path_factory.mktemp("session")
    integers = np.arange(12, dtype=np.uint8).reshape(4, 3)
    for variant in ("fp32", "q8"):
        with tf.Graph().as_default() as graph:
            image = tf.placeholder(tf.float32, [None, 4], "input")
            if variant == "fp32":
                weights = tf.constant(integers.astype(np.float32))
            else:
                with tf.name_scope("dequantize/weights/"):
                    weights = tf.cast(tf.constant(integers), tf.float32) * 1.0
            tf.identity(tf.nn.relu(tf.matmul(image, weights)), "output")
        (folder / f"{variant}.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.savez(folder / "inputs.npz", **{f"image{i}/input": np.full((1, 4), i, np.float32) for i in range(2)})
    return BenchmarkPlan(
        model="tiny",
        artifacts={variant: folder / f"{variant}.pb" for variant in ("fp32", "q8")},
        inputs=folder / "inputs.npz",
        threads=1,
        processes=2,
        block_seconds=0.0,
        warmup_seconds=0.0,
        minimum_runs=20,
        maximum_runs=50,
        profiled_runs=2,
    )


def test_each_round_holds_every_variant_and_dequantization_once_and_a_control(plan: BenchmarkPlan) -> None:
    sequence = list(blocks(replace(plan, processes=6)))
    everything = {(v, d) for v in ("fp32", "q8") for d in ("every_inference", "once")}
    orders = []
    for number in range(1, 7):
        part = [block for block in sequence if block.round == number]
        conditions = [(block.variant, block.dequantization) for block in part]
        assert len(conditions) == 5
        assert set(conditions) == everything | {("control", None)}
        assert [block.order for block in part] == list(range(5))
        orders.append(conditions)
    assert any(order != orders[0] for order in orders)  # shuffled anew in each round
    assert {(b.variant, b.dequantization) for b in sequence[30:]} == everything
    assert [block.kind for block in sequence[30:]] == ["operations"] * 4
    assert sequence == list(blocks(replace(plan, processes=6)))  # by the seed alone
    assert sequence != list(blocks(replace(plan, processes=6, seed=2)))


@pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")
def test_a_session_yields_the_declared_tables(plan: BenchmarkPlan, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    with LocalAgent(tmp_path / "agent.log") as agent:
        tables = measure(agent, plan, lambda done, total, _: progress.append((done, total)))

    assert progress == [(done, 14) for done in range(15)]
    for name in ("latency", "memory", "power", "operations", "session"):
        write_table(tmp_path / name, TABLES[name], tables[name])
        assert list(read_table(tmp_path / name, TABLES[name]).columns) == TABLES[name].names

    timed = tables["latency"][~tables["latency"]["warmup"]]
    counts = timed.groupby(["variant", "dequantization", "process", "input_id"]).size()
    assert len(counts) == 2 * 2 * 2 * 2
    assert set(counts) == {10}
    assert set(tables["memory"]["variant"]) == {"fp32", "q8", "control"}
    assert tables["power"].empty

    session = tables["session"].set_index("key")["value"]
    assert session["outputs_agree"] == "true"
    assert session["output/fp32/once/image1"] == session["output/q8/every_inference/image1"]
    assert session["plan/dequantizations"] == "every_inference,once"
    assert len(session["sha256/artifact/q8"]) == 64

    latency = latency_rows(tables["latency"])
    assert (latency["value"] > 0).all()
    assert len(latency) == 4 * 3  # all inputs, and each of two
    assert (memory_rows(tables["memory"])["value"] > 0).all()
    shares = operation_rows(tables["operations"])
    dequantization = shares[shares["label"] == "dequantization"].set_index(["variant", "dequantization"])["value"]
    assert dequantization["q8", "every_inference"] > dequantization["fp32", "every_inference"] == 0
    assert "other" not in set(shares["label"])


class FailingAgent:
    """An agent whose every block fails."""

    hello: dict[str, Any] = {"record": "hello"}  # noqa: RUF012

    def run(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"record": "error", "error": "the worker was ended by signal 9"}


def test_a_block_that_fails_ends_the_session_in_one_line(plan: BenchmarkPlan) -> None:
    with pytest.raises(StudyError, match=r"^benchmark of tiny: round 1: .*: the worker was ended by signal 9$"):
        measure(FailingAgent(), plan)


def test_an_absent_artifact_is_found_before_anything_runs(plan: BenchmarkPlan, tmp_path: Path) -> None:
    absent = replace(plan, artifacts={**plan.artifacts, "q6": tmp_path / "q6.pb"})
    with pytest.raises(StudyError, match=r"q6\.pb: tiny's artifact/q6 is not readable"):
        measure(FailingAgent(), absent)
