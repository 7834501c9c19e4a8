"""The worked examples of docs/examples/: what a page says is done, word for word, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from sshd import Server, server

from tocompress.weights import read_shapes

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "docs/examples"

#: A file that is new or changed, or a block of code: its language and its lines.
STEP = re.compile(
    r"(?:New: |In )\*\*(?P<file>\S+)\*\*|^```(?P<language>\w+)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)


#: The files of the library that a page adds and changes. A config of its own does not count.
FILES = {
    "network.md": (1, 1), "technique.md": (1, 1), "metric.md": (0, 2), "dataset.md": (1, 1), "figure.md": (1, 1),
    "runtime.md": (4, 3),
}  # fmt: skip


@pytest.mark.parametrize("page", FILES)
def test_an_extension_takes_few_files(page: str) -> None:
    steps = re.findall(r"(New: |In )\*\*(\S+)\*\*", (EXAMPLES / page).read_text(encoding="utf-8"))
    files = {(kind, file) for kind, file in steps if not file.startswith("config/")}
    assert tuple(sum(kind == of for of, _ in files) for kind in ("New: ", "In ")) == FILES[page]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a clone holds that a study needs."""
    for name in ("config", "envs", "profiles", "rules", "workflow", "zoo"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config.yaml", "Snakefile"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def written(page: str, folder: Path) -> list[str]:
    """Make the files of a page and its changes to others in `folder`; returns its commands."""
    commands, file = [], folder
    for step in STEP.finditer((EXAMPLES / page).read_text(encoding="utf-8")):
        if step["file"]:
            file = folder / step["file"]
        elif step["language"] == "sh":
            commands += step["code"].splitlines()
        elif step["language"] == "diff":
            change(file, step["code"].splitlines(keepends=True))
        else:
            assert not file.exists(), f"{file} is not new"
            file.parent.mkdir(exist_ok=True)
            file.write_text(step["code"], encoding="utf-8")
    return commands


def change(file: Path, lines: list[str]) -> None:
    """Apply a diff without line numbers; what it takes away or leaves must stand in the file once."""
    before, after = ("".join(line[1:] or "\n" for line in lines if line[0] in kept) for kept in (" -\n", " +\n"))
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file} does not hold once:\n{before}"
    file.write_text(text.replace(before, after), encoding="utf-8")


def follow(page: str, folder: Path) -> None:
    """Do all that a page says."""
    for command in written(page, folder):
        run(command, folder)


def run(command: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(folder / "workflow")}
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_a_network(copy: Path) -> None:
    follow("network.md", copy)
    results = copy / "results/squeezenet"
    assert sum(map(prod, read_shapes(results / "weights/squeezenet/fp32.safetensors").values())) == 1_235_496
    assert (
        pd.read_parquet(results / "artifacts/tensorflow/squeezenet/p50_l1-q8.parquet")["parameters"].item()
        < 1_235_496 / 2
    )


def test_a_model_of_ones_own(copy: Path) -> None:
    follow("own-model.md", copy)
    results = copy / "results/flowers"
    check = (results / "check/flowers.txt").read_text()
    assert "52 of 52 folded" in check and "left whole" not in check
    study = pd.read_parquet(results / "study.parquet")
    top1 = study[study["metric"] == "top1"].set_index(["runtime", "variant"])["value"]
    assert (top1.drop(index=("tensorflow", "i8")) > 0.8).all()
    assert top1["litert", "i8"] > top1["litert", "fp32"] - 0.05  # 180 pictures, and another training on each machine
    worst = study[study["metric"] == "class_recall"]
    assert set(worst["label"]) == {"daisy", "pansy", "tulip"}
    times = study[(study["metric"] == "latency") & study["label"].isna() & (study["basis"] == "measured")]
    assert {("litert", "i8"), ("tensorflow", "p30")} <= set(zip(times["runtime"], times["variant"], strict=True))
    assert "Worst classes" in (results / "report.html").read_text()


def test_a_technique(copy: Path) -> None:
    follow("technique.md", copy)
    results = copy / "results/sparse"
    plain, sparse = (
        pd.read_parquet(results / f"artifacts/tensorflow/mobilenet_v1/{variant}.parquet")["size_deflated"].item()
        for variant in ("fp32", "s50-q8")
    )
    assert sparse < plain / 4
    metrics = pd.read_parquet(results / "metrics/tensorflow/mobilenet_v1/s50-q8.parquet").set_index("metric")
    assert metrics["ratio"]["top1"] < 1


def test_a_metric(copy: Path) -> None:
    follow("metric.md", copy)
    study = pd.read_parquet(copy / "results/kappa/study.parquet")
    q6 = study[(study["metric"] == "kappa") & (study["variant"] == "q6")].iloc[0]
    predictions = pd.read_parquet(copy / "results/kappa/predictions/tensorflow/mobilenet_v1/q6.parquet")
    best = predictions[predictions["rank"] == 1]
    assert q6["value"] == pytest.approx(cohen_kappa_score(best["label"], best["predicted"]), abs=1e-12)
    assert q6["low"] < q6["value"] < q6["high"]
    assert q6["ratio_low"] <= q6["ratio"] <= q6["ratio_high"]


def test_a_runtime(copy: Path) -> None:
    follow("runtime.md", copy)
    study = pd.read_parquet(copy / "results/xla/study.parquet")
    values = study[study["metric"].isin(["size", "top1", "latency"])]
    assert set(values["runtime"]) == {"xla"} and values["value"].notna().all()
    compiled = pd.read_parquet(copy / "results/xla/benchmarks/compiled/mobilenet_v1/operations.parquet")
    assert compiled["type"].str.startswith("_Xla").any()


def test_a_figure(copy: Path) -> None:
    follow("figure.md", copy)
    behind = pd.read_csv(copy / "results/deflated/figures/deflated.csv")
    assert set(behind["metric"]) == {"size", "size_deflated"}
    assert set(behind["variant"]) == {"fp32", "q8", "q6"}


def test_a_dataset(copy: Path) -> None:
    follow("dataset.md", copy)
    with np.load(copy / "results/digits/data/digits/test.npz") as test:
        assert np.bincount(test["labels"]).min() > 20
    metrics = pd.read_parquet(copy / "results/digits/metrics/tensorflow/reader/fp32.parquet").set_index("metric")
    assert metrics["value"]["top1"] > 0.5


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def test_a_device(copy: Path, board: Server) -> None:
    commands = written("device.md", copy)
    # The board of the page is this machine, which ssh finds elsewhere and whose TensorFlow is that of these tests.
    here = board.config.read_text().replace("Host board", "Host pi")
    (copy / "config/devices/pi.ssh").write_text(here)
    lock = copy / "workflow/tocompress/devices/ssh.py"  # another study may be holding that of this machine
    change(lock, ["-/tmp/tocompress.lock", f"+{copy}/lock"])
    change(copy / "config/devices/pi.yaml", ["-interpreter: python3", f"+interpreter: {sys.executable}"])
    for command in commands:
        run(command, copy)
    study = pd.read_parquet(copy / "results/pi/study.parquet")
    latency = study[study["metric"] == "latency"]
    assert set(latency["device"]) == {"pi"}
    assert set(latency["basis"]) == {"measured"}
