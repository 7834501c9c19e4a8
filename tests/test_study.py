"""A small study run for real, from the command line, as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from tocompress.paths import FIGURE_FORMATS
from tocompress.schemas.study import STUDY

REPOSITORY = Path(__file__).parents[1]
TINY = [
    *("--configfile", "config/smoke.yaml"),
    "--config",
    "study={variants: {mobilenet_v1: [i8, p50], gnmt: []}}",
    "techniques={p50: {criterion: l1}}",
    "benchmark={generations: 2, maximum_generations: 2, rounds: 2}",
]


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(REPOSITORY / "Snakefile")]
    profile = ["--workflow-profile", str(REPOSITORY / "profiles/default")]
    return subprocess.run(
        [*command, *profile, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")},
        check=False,
    )


def folder_of_a_study(path: Path) -> Path:
    for name in ("config", "workflow"):
        (path / name).symlink_to(REPOSITORY / name)
    shutil.copytree(REPOSITORY / "zoo", path / "zoo")
    shutil.copy(REPOSITORY / "config.yaml", path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small study has run."""
    folder = folder_of_a_study(tmp_path_factory.mktemp("study"))
    run = snakemake(folder, *TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "results/smoke/study.parquet")


def test_every_figure_and_the_report_are_there(folder: Path) -> None:
    results = folder / "results/smoke"
    assert (results / "report.html").stat().st_size > 10_000
    for figure in yaml.safe_load((folder / "config.yaml").read_text())["study"]["figures"]:
        for kind in FIGURE_FORMATS:
            assert (results / "figures" / f"{figure}.{kind}").stat().st_size > 0


def test_the_table_keeps_its_contract(folder: Path, study: pd.DataFrame) -> None:
    assert pq.read_schema(folder / "results/smoke/study.parquet").equals(STUDY, check_metadata=False)
    assert set(study["basis"]) == {"measured", "unavailable"}
    assert study.loc[study["basis"] == "unavailable", "reason"].notna().all()
    assert study.loc[study["basis"] == "unavailable", "value"].isna().all()
    assert study.loc[study["basis"] == "measured", ["value", "n"]].notna().all(axis=None)
    metrics = {"bleu", "latency", "latency_per_token", "memory", "size"}
    assert set(study.loc[study["model"] == "gnmt", "metric"]) >= metrics


def test_the_uncompressed_model_is_its_own_baseline(study: pd.DataFrame) -> None:
    baseline = study[(study["variant"] == "fp32") & study["ratio"].notna()]
    assert len(baseline) > 10
    assert (baseline["ratio"] == 1).all()


def test_the_shipped_checkpoints_are_trained(study: pd.DataFrame) -> None:
    whole = study[study["variant"] == "fp32"].set_index(["runtime", "model", "metric"])["value"]
    for runtime in ("tensorflow", "litert"):
        assert 0.7 < whole[runtime, "mobilenet_v1", "top1"] < 0.95
        assert 55 < whole[runtime, "gnmt", "bleu"] < 92


def test_nothing_is_left_to_do(folder: Path) -> None:
    run = snakemake(folder, *TINY)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_a_damaged_checkpoint_is_named_in_one_line_and_leaves_results_alone(folder: Path, tmp_path: Path) -> None:
    damaged = folder_of_a_study(tmp_path)
    archive = damaged / "zoo/mobilenet_v1.tar.gz"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    weights = damaged / "results/smoke/weights/mobilenet_v1/fp32.safetensors"
    run = snakemake(damaged, "results/smoke/weights/mobilenet_v1/fp32.safetensors", *TINY)
    assert run.returncode != 0
    (line,) = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error: ")]
    assert "zoo/mobilenet_v1.tar.gz" in line
    assert "sha256" in line.lower()
    assert not weights.exists()
    assert not list(weights.parent.rglob("*"))


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("plto={dpi: 3}", "Error: config: plto: unknown key; did you mean 'plot'?"),
        ("study={models: [vgg16]}", "Error: config: study.models: 'vgg16' is not defined; did you mean 'vgg_16'?"),
        ("data={number_phrases: {codes: no/codes.bpe}}", "Error: config: data.number_phrases.codes: there is no file"),
    ],
)
def test_a_wrong_config_ends_in_one_line(folder: Path, config: str, line: str) -> None:
    run = snakemake(folder, "--dry-run", "--config", config)
    assert run.returncode != 0
    assert line in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
