"""What this TensorFlow exports, TensorFlow 1.15 runs to the same end: it is what older boards have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import run_graphs
from small_models import SmallModel, small_model

from tocompress.models.registry import NETWORKS
from tocompress.runtimes.tensorflow.graph import write_graph

INTERPRETER = os.environ.get("TENSORFLOW_1_15")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not INTERPRETER, reason="needs TENSORFLOW_1_15, the path of a Python with TensorFlow 1.15: make tensorflow-1.15"
    ),
]

ALL_BITS = (None, 16, 8, 7, 6, 5, 4, 3, 2)
BITS = {"mobilenet_v1": ALL_BITS, "inception_v1": (None, 16, 8, 6), "gnmt": (None, 6)}
IMAGES = [(network, bits) for network in NETWORKS if network != "gnmt" for bits in BITS.get(network, (None,))]
TRANSLATIONS = [f"{graph}/{case}" for graph in ("gnmt-None", "gnmt-6", "gnmt-beam") for case in ("free", "forced")]

Outputs = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, feeds = tmp_path_factory.mktemp("graphs"), {}
    for network in NETWORKS:
        model = small_model(network)
        body = model.body()
        for bits in BITS.get(network, (None,)):
            write_graph(folder / f"{network}-{bits}.pb", model.artifact(body, bits))
            feeds |= cases(f"{network}-{bits}", model)
        if network == "gnmt":
            write_graph(folder / "gnmt-beam.pb", model.artifact(model.body(beam_width=10), None))
            feeds |= cases("gnmt-beam", model)
    np.savez(folder / "feeds.npz", **feeds)
    return folder


def cases(graph: str, model: SmallModel) -> dict[str, np.ndarray]:
    feeds = {f"{graph}/free/{name}": array for name, array in model.feeds.items()}
    if model.metadata.network == "gnmt":
        forced = model.feeds | {"forced": np.bool_(True)}
        feeds |= {f"{graph}/forced/{name}": array for name, array in forced.items()}
    return feeds


@pytest.fixture(scope="module")
def here(folder: Path) -> Outputs:
    return run_graphs.run_graphs(folder)


@pytest.fixture(scope="module")
def there(folder: Path) -> Outputs:
    command = [str(INTERPRETER), run_graphs.__file__, str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert finished.returncode == 0, finished.stderr[-2000:]
    with np.load(folder / "outputs.npz") as outputs:
        return dict(outputs)


@pytest.mark.parametrize(("network", "bits"), IMAGES)
def test_an_image_networks_logits_are_the_same(here: Outputs, there: Outputs, network: str, bits: int | None) -> None:
    expected, logits = (outputs[f"{network}-{bits}/free"] for outputs in (here, there))
    tolerance = 1e-5 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 100 * tolerance  # of two images
    np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("translation", TRANSLATIONS)
def test_a_translators_tokens_are_the_same(here: Outputs, there: Outputs, translation: str) -> None:
    np.testing.assert_array_equal(there[translation], here[translation])


def test_a_translator_ends_by_itself_and_when_forced(there: Outputs) -> None:
    assert there["gnmt-None/free"].shape == (2, 10)
    assert there["gnmt-None/forced"].shape == (2, 14)
