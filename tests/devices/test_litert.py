"""The agent with LiteRT: TFLite files in, outputs, times of operations and one line for each problem out."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import interpreter as litert_interpreter
from ai_edge_litert import schema_py_generated as schema
from hand_made import RELU, HandMade

from tocompress.devices.agent import litert, litert_operations
from tocompress.devices.agent.host import AgentError
from tocompress.devices.agent.litert import Network, installable
from tocompress.devices.agent.litert_file import CONV_2D, FULLY_CONNECTED, Node
from tocompress.devices.agent.litert_operations import Event, columns
from tocompress.devices.local import LocalAgent
from tocompress.measurement.verification import values
from tocompress.runtimes.litert.flatbuffer import add_tensor, operator, write
from tocompress.runtimes.litert.integers import quantized

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.normal(size=(3, 8, 8, 4)).astype(np.float32)
KERNELS = {
    "wide": RANDOM.normal(size=(3, 3, 4, 8)),
    "deep": RANDOM.normal(size=(3, 3, 8, 1)),
    "narrow": RANDOM.normal(size=(1, 1, 8, 4)),
    "head": RANDOM.normal(size=(64, 10)),
}


def network(activations: str | None = None) -> bytes:
    """Return a network of a convolution, a depthwise one, one of 1 x 1, a sum, a pool and a dense layer."""
    made = HandMade(1, 8, 8, 4)
    made.subgraph.tensors[made.input].name = "input"
    wide = made.convolution(made.input, "wide", KERNELS["wide"], np.zeros(8), RELU)
    deep = made.depthwise(wide, "deep", KERNELS["deep"], np.zeros(8))
    narrow = made.convolution(deep, "narrow", KERNELS["narrow"], np.zeros(4))
    pooled = made.pool(made.addition(narrow, made.input))
    model = made.ending(made.dense(pooled, "head", KERNELS["head"], np.zeros(10)))
    if activations == "integer":
        ranges = {number: (-30.0, 30.0) for number in range(len(model.subgraphs[0].tensors))}
        weights = {name: KERNELS.get(name, np.zeros(1)) for name in made.places["weight"]}
        model = quantized(model, made.places, weights, ranges, 8)
    return write(model)


def translation() -> bytes:
    """Return a model that doubles the ids of `source`, as long as the sentence is, for any `source_length`."""
    subgraph = schema.SubGraphT(tensors=[], operators=[])
    model = schema.ModelT(
        version=3, operatorCodes=[], subgraphs=[subgraph], buffers=[schema.BufferT()], description="by hand"
    )
    source, length, output = (
        add_tensor(subgraph, name, shape, np.int32)
        for name, shape in (("source", [1, 1]), ("source_length", [1]), ("output", [1, 1]))
    )
    for number in (source, output):
        subgraph.tensors[number].shapeSignature = [1, -1]
    addition = operator(model, "ADD", [source, source], [output])
    addition.builtinOptions, addition.builtinOptionsType = schema.AddOptionsT(), schema.BuiltinOptions.AddOptions
    subgraph.operators, subgraph.inputs, subgraph.outputs = [addition], [source, length], [output]
    return write(model)


def sentence(length: int) -> dict[str, np.ndarray]:
    return {"source": np.arange(1, 1 + length, dtype=np.int32)[None], "source_length": np.int32([length])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.tflite"


def opened(path: Path, content: bytes, **feeds: dict[str, np.ndarray]) -> Network:
    path.write_bytes(content)
    return Network({"artifact": str(path), "processor": "cpu", "threads": 1}, feeds)


def test_a_batch_runs_one_image_after_another(path: Path) -> None:
    singles = {f"image{i}": {"input": IMAGES[i : i + 1]} for i in range(3)}
    opened_network = opened(path, network(), batch={"input": IMAGES}, **singles)
    batch = opened_network.run("batch")
    assert batch.shape == (3, 10)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, np.concatenate([opened_network.run(name) for name in singles]))
    assert np.ptp(batch, axis=0).min() > 0


def test_sentences_of_changing_length_run_in_any_order_and_in_a_batch(path: Path) -> None:
    both = {"source": np.int32([[1, 2, 3], [4, 5, 6]]), "source_length": np.int32([3, 3])}
    opened_network = opened(path, translation(), long=sentence(5), short=sentence(2), batch=both)
    for name, expected in (("long", [[2, 4, 6, 8, 10]]), ("short", [[2, 4]]), ("long", [[2, 4, 6, 8, 10]])):
        np.testing.assert_array_equal(opened_network.run(name), np.int32(expected))
    np.testing.assert_array_equal(opened_network.run("batch"), np.int32([[2, 4, 6], [8, 10, 12]]))
    assert opened_network.run("short").dtype == np.int32


def test_a_shorter_translation_of_a_batch_repeats_its_last_token() -> None:
    joined = litert._joined([np.int32([[7, 8, 2]]), np.int32([[9, 2]])])
    np.testing.assert_array_equal(joined, [[7, 8, 2], [9, 2, 2]])


def test_a_profile_tells_the_kind_and_the_arithmetic_of_each_operation(path: Path) -> None:
    run = opened(path, network(), image={"input": IMAGES[:1]}).profile("image")
    kinds = [kind.partition(" (")[0] for kind in run["type"]]
    assert [kind for kind in kinds if kind not in ("Static Reshape", "Clamp")] == [
        *("Convolution", "Convolution", "Fully Connected", "Add", "Max Pooling", "Fully Connected"),
    ]
    assert [name.partition(" ")[2].partition(" ")[2] for name in run["operation"] if name[-1].isalpha()] == [
        *("CONV_2D", "FULLY_CONNECTED"),
    ]
    assert len(set(run["operation"])) == len(run["operation"]) == len(run["duration_s"])
    assert not any(run["integer"])
    assert 0 < run["invoke_s"] < 1


def test_a_network_of_integers_computes_in_integers_but_at_its_borders(path: Path) -> None:
    run = opened(path, network("integer"), image={"input": IMAGES[:1]}).profile("image")
    told = dict(zip(run["type"], run["integer"], strict=True))
    assert not told["Convert (NC)"]
    assert all(integer for kind, integer in told.items() if kind != "Convert (NC)")
    assert {kind.partition(" (")[0] for kind in told} >= {"Add", "Convolution", "Fully Connected"}


def test_a_profile_of_a_sentence_needs_no_length_of_its_translation(path: Path) -> None:
    opened_network = opened(path, translation(), long=sentence(5), short=sentence(2))
    for name in ("long", "short", "long"):
        run = opened_network.profile(name)
        assert [kind.upper().partition(" (")[0] for kind in run["type"]] == ["ADD"]


def events(*found: tuple[str, int, int, int, int]) -> list[Event]:
    return [Event("Invoke", litert_operations.PART, 100, 0, 0), *(Event(*one) for one in found)]


def test_times_in_a_loop_are_added_up_and_the_loop_itself_does_not_count() -> None:
    body = [("Invoke", 1, 9, 0, 1), ("ADD", 2, 3, 0, 1), ("TanH (NC)", 8, 4, 0, 1), ("Copy (NC, X8)", 8, 1, 0, 1)]
    found = columns(events(("WHILE", 2, 50, 0, 0), *body, *body), [[Node(119, False, False)], [Node(0, True, True)]])
    assert found["operation"] == ["1/0", "1/xnnpack 1/0", "1/xnnpack 2/0"]
    assert found["duration_s"] == pytest.approx([6e-6, 8e-6, 2e-6])
    assert found["integer"] == [True, True, True]
    assert found["invoke_s"] == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("kernel", "integer"),
    [
        ("Convolution (NHWC, QC8) DWConv", True),
        ("Convolution (NHWC, PQS8, QS8, QC8W) IGEMM", True),
        ("Fully Connected (NC, QS8, QC8W) GEMM", True),
        ("Fully Connected (NC, QDU8, F32, QC8W) GEMM", True),
        ("Fully Connected (NC, QP8, F32, QC4W) GEMM", True),
        ("Max Pooling (NHWC, S8)", True),
        ("Fully Connected (NC, F32, QC8W) GEMM", False),
        ("Fully Connected (NC, PF32) GEMM", False),
        ("Convert (NC, F32, QDU8)", False),
        ("Copy (NC, X32)", False),
    ],
)
def test_a_kernel_tells_its_arithmetic_by_the_type_of_its_activations(kernel: str, integer: bool) -> None:
    nodes = [[Node(FULLY_CONNECTED, gives_integers=not integer, computes_in_integers=not integer)]]
    assert columns(events((kernel, 8, 1, 0, 0)), nodes)["integer"] == [integer]


def test_dense_layers_between_convolutions_are_told_by_their_order_and_not_guessed() -> None:
    products = [("Fully Connected (NC, F32) GEMM", 8, 1, number, 0) for number in range(3)]
    narrow, dense, wide = (Node(kind, False, False, kind != 0) for kind in (CONV_2D, FULLY_CONNECTED, 0))
    nodes = [[narrow, wide, dense, wide, narrow]]
    found = columns(events(*products), nodes)
    assert [name.rpartition(" ")[2] for name in found["operation"]] == ["CONV_2D", "FULLY_CONNECTED", "CONV_2D"]
    found = columns(events(("CONV_2D", 2, 1, 0, 0), *products[:2]), nodes)
    assert [name.rpartition(" ")[2] for name in found["operation"][1:]] == ["FULLY_CONNECTED", "CONV_2D"]
    with pytest.raises(AgentError, match="does not tell the dense layers"):
        columns(events(*products[:2]), nodes)


def with_version(content: bytes, version: int) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    model.version = version
    return write(model)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not a model at all", "not a valid Flatbuffer"),
        (b"", "LiteRT does not load the artifact: ValueError"),
        (network()[:2000], "not a valid Flatbuffer"),
        (with_version(network(), 4), "schema version 4 not equal to supported version 3"),
    ],
    ids=["no flatbuffer", "empty", "cut short", "another version"],
)
def test_a_file_that_does_not_load_is_told_in_a_line(path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(AgentError, match=problem) as caught:
        opened(path, content, image={"input": IMAGES[:1]})
    assert str(caught.value).startswith("LiteRT does not load the artifact: ")
    assert "\n" not in str(caught.value)


def test_a_gpu_and_inputs_of_another_network_are_refused(path: Path) -> None:
    path.write_bytes(network())
    with pytest.raises(AgentError, match="set the device's processor to cpu"):
        Network({"artifact": str(path), "processor": "gpu", "threads": 1}, {})
    with pytest.raises(AgentError, match="feed source, source_length, but the artifact has input"):
        opened(path, network(), sentence=sentence(2))


def test_a_board_without_a_runtime_says_what_was_tried_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldLibrary(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise ImportError("libm.so.6: version `GLIBC_2.34' not found")

    monkeypatch.setitem(sys.modules, "ai_edge_litert", OldLibrary("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    monkeypatch.setattr(litert, "c_library", lambda: "glibc 2.31")
    monkeypatch.setattr(litert.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(litert.platform, "python_version", lambda: "3.10.12")
    with pytest.raises(AgentError) as caught:
        litert.load()
    message = str(caught.value)
    assert "ai_edge_litert: ImportError: libm.so.6: version `GLIBC_2.34' not found" in message
    assert "tflite_runtime: ModuleNotFoundError" in message
    assert message.endswith("-m pip install ai-edge-litert==2.1.0")
    assert "\n" not in message


def test_an_older_board_runs_tflite_runtime_and_has_no_profiler(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("tflite_runtime")
    old.__dict__["__version__"] = "2.13.0"
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", old)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", litert_interpreter)
    assert litert.load()["litert"] == "tflite-runtime 2.13.0"
    opened_network = opened(path, network(), image={"input": IMAGES[:1]})
    assert opened_network.run("image").shape == (1, 10)
    with pytest.raises(AgentError, match=r"tflite_runtime 2\.13\.0 has no profiler"):
        opened_network.profile("image")


@pytest.mark.parametrize(
    ("python", "machine", "c_library", "expected"),
    [
        ("3.12.3", "aarch64", "glibc 2.39", "ai-edge-litert==2.3.0"),  # a Pi 5
        ("3.10.12", "aarch64", "glibc 2.35", "ai-edge-litert==2.3.0"),  # JetPack 6
        ("3.9.5", "aarch64", "glibc 2.31", "ai-edge-litert==2.1.0"),  # JetPack 5
        ("3.8.10", "aarch64", "glibc 2.31", "'numpy<2' tflite-runtime==2.13.0"),
        ("3.8.0", "aarch64", "glibc 2.27", "'numpy<2' tflite-runtime==2.13.0"),  # JetPack 4
        ("3.7.5", "aarch64", "glibc 2.27", "'numpy<2' tflite-runtime==2.11.0"),
        ("3.6.9", "aarch64", "glibc 2.27", None),
        ("3.11.2", "aarch64", "glibc 2.28", None),
        ("3.13.1", "x86_64", "glibc 2.28", "ai-edge-litert==2.3.0"),
        ("3.12.3", "aarch64", None, None),  # musl
        ("3.12.3", "riscv64", "glibc 2.39", None),
    ],
)
def test_a_board_is_told_the_newest_release_that_fits(
    python: str, machine: str, c_library: str | None, expected: str | None
) -> None:
    assert installable(python, machine, c_library) == expected


def test_the_agent_runs_without_tensorflow(tmp_path: Path, path: Path) -> None:
    path.write_bytes(network())
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, **{"image/input": IMAGES[:1], "batch/input": IMAGES})
    digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in (path, inputs)}
    block = {
        "command": "block",
        "artifact": digests[path],
        "inputs": digests[inputs],
        "dequantization": "once",
        "processor": "cpu",
        **dict.fromkeys(("threads", "inter_op_threads", "warmup_runs", "minimum_runs", "profiled_runs"), 1),
        **dict.fromkeys(("warmup_seconds", "seconds", "idle_seconds", "tail_seconds"), 0.0),
        "rails": [],
        "timeout_seconds": 60,
    }
    with LocalAgent(tmp_path / "agent.log", runtime="litert") as agent:
        assert agent.hello["litert"].startswith("ai-edge-litert 2.")
        assert "tensorflow" not in agent.hello
        assert "tensorflow" not in Path(f"/proc/{agent.process}/maps").read_text()
        for file, digest in digests.items():
            agent.send(file, digest)
        found = values(agent.run(block | {"kind": "outputs", "input_ids": ["image", "batch"]}))
        np.testing.assert_array_equal(found["image"], found["batch"][:1])
        operations, end = agent.run(block | {"kind": "operations", "input_ids": ["image"]})
        assert end["record"] == "end"
        assert operations["run"] == 1
        assert len(operations["type"]) == len(operations["integer"]) >= 6
