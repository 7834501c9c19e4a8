"""The agent on an ARM board of 64 bits, emulated: it computes what this machine computes. Its times mean nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_models import SmallModel, small_model

from tocompress.devices import Record, answered
from tocompress.devices.local import LocalAgent
from tocompress.measurement.verification import values, verify
from tocompress.models.registry import NETWORKS
from tocompress.runtimes.deployed import deployed
from tocompress.runtimes.litert.body import trace
from tocompress.runtimes.litert.export import fill
from tocompress.runtimes.litert.flatbuffer import read, write
from tocompress.runtimes.litert.integers import quantized
from tocompress.runtimes.litert.ranges import extremes, ranges
from tocompress.runtimes.tensorflow.graph import write_graph
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER

INTERPRETER = os.environ.get("AARCH64_PYTHON")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc"),
    pytest.mark.skipif(
        not INTERPRETER or not shutil.which(INTERPRETER),
        reason="needs AARCH64_PYTHON, a command that runs an ARM Python with the runtimes: docs/devices.md",
    ),
]

#: Runtime, name of the artifact, and its arithmetic.
ARTIFACTS = [
    ("litert", "mobilenet_v1", FLOAT),
    ("litert", "mobilenet_v1-i8", INTEGER),
    ("litert", "mobilenet_v1-dyn8", INTEGER),
    ("litert", "gnmt", FLOAT),
    ("tensorflow", "mobilenet_v1", FLOAT),
    ("tensorflow", "gnmt", FLOAT),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of both runtimes, `{name}.{runtime}`, and their inputs, `{network}.npz`."""
    folder = tmp_path_factory.mktemp("aarch64")
    for network in ("mobilenet_v1", "gnmt"):
        model = small_model(network)
        body = model.body()
        write_graph(folder / f"{network}.tensorflow", model.artifact(body, None))
        for name, content in litert_models(folder, model, body).items():
            (folder / f"{network}{name}.litert").write_bytes(content)
        np.savez(folder / f"{network}.npz", **{f"example/{name}": array for name, array in one(model).items()})
    return folder


def one(model: SmallModel) -> Mapping[str, np.ndarray]:
    """Return the first example of the feeds, as a batch of one."""
    return {name: array[:1] if np.ndim(array) else array for name, array in model.feeds.items()}


def litert_models(folder: Path, model: SmallModel, body: Any) -> dict[str, bytes]:
    content, places = trace(model.metadata, body)
    weights = deployed(model.weights, NETWORKS[model.metadata.network].batch_norm_epsilon)
    floats = write(fill(read(content), pd.DataFrame(places), weights))
    if model.metadata.network == "gnmt":
        return {"": floats}
    (folder / "floats.tflite").write_bytes(floats)
    calibrated = ranges(extremes(folder / "floats.tflite", [image[None] for image in model.feeds["input"]]), 1.0)
    return {
        "": floats,
        "-i8": write(quantized(read(floats), pd.DataFrame(places), weights, calibrated, 8)),
        "-dyn8": write(quantized(read(floats), pd.DataFrame(places), weights, None, "dynamic")),
    }


@pytest.fixture(scope="module", params=["litert", "tensorflow"])
def agents(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, LocalAgent, LocalAgent]]:
    """An agent of a runtime on this machine, and one on the emulated board."""
    runtime = request.param
    with (
        LocalAgent(folder / "here.log", runtime=runtime) as here,
        LocalAgent(folder / "there.log", str(INTERPRETER), runtime=runtime) as there,
    ):
        yield runtime, here, there


def run(agent: LocalAgent, folder: Path, runtime: str, artifact: str, kind: str) -> list[Record]:
    files = folder / f"{artifact}.{runtime}", folder / f"{artifact.partition('-')[0]}.npz"
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    for file, digest in zip(files, digests, strict=True):
        agent.send(file, digest)
    command = {
        "command": "block",
        "kind": kind,
        "artifact": digests[0],
        "inputs": digests[1],
        "input_ids": ["example"],
        "dequantization": "once",
        "processor": "cpu",
        **dict.fromkeys(("threads", "inter_op_threads", "warmup_runs", "minimum_runs", "profiled_runs"), 1),
        **dict.fromkeys(("warmup_seconds", "seconds", "idle_seconds", "tail_seconds"), 0.0),
        "rails": [],
        "timeout_seconds": 300,
    }
    return answered(agent.run(command))


def test_the_board_is_an_arm_with_the_runtime_alone(agents: tuple[str, LocalAgent, LocalAgent]) -> None:
    runtime, here, there = agents
    assert there.hello["machine"] == "aarch64"
    assert there.hello[runtime] == here.hello[runtime]
    assert {"litert", "tensorflow"} & there.hello.keys() == {runtime}
    assert "asimd" in there.hello["processor_features"]


def test_the_board_computes_what_this_machine_computes(
    agents: tuple[str, LocalAgent, LocalAgent], folder: Path
) -> None:
    runtime, here, there = agents
    differences = {}
    for of_runtime, artifact, arithmetic in ARTIFACTS:
        if of_runtime == runtime:
            expected, found = (values(run(agent, folder, runtime, artifact, "outputs")) for agent in (here, there))
            assert np.ptp(expected["example"]) > 0
            differences[artifact] = verify(artifact, found, expected, arithmetic).difference
    assert len(differences) > 1


def test_the_board_tells_the_times_of_its_operations(agents: tuple[str, LocalAgent, LocalAgent], folder: Path) -> None:
    runtime, _, there = agents
    for artifact in ("mobilenet_v1", "gnmt"):
        (operations,) = (
            record for record in run(there, folder, runtime, artifact, "operations") if record["record"] == "operations"
        )
        assert len(operations["type"]) > 20
        assert sum(operations["duration_s"]) > 0
