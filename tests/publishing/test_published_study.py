"""A real study's package, unpacked into another clone, has nothing to do there and can be verified."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[2]
STUDY = {
    "study": {
        "name": "published",
        "models": ["mobilenet_v1"],
        "variants": {"mobilenet_v1": ["q8"]},
        "devices": [],
        "figures": ["table1_models"],
    },
    "data": {"glyphs": {"test": 24}},
}
CONFIG = "results/published/provenance/config.yaml"


def clone(folder: Path) -> Path:
    for name in ("Snakefile", "config.yaml", "rules", "workflow", "profiles", "config", "zoo", "envs"):
        (folder / name).symlink_to(REPOSITORY / name)
    return folder


def snakemake(folder: Path, config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", config]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOCOMPRESS")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone in which a study has run."""
    folder = clone(tmp_path_factory.mktemp("made"))
    (folder / "mine.yaml").write_text(yaml.safe_dump(STUDY))
    run = snakemake(folder, "mine.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.mark.parametrize("artifacts", ["[]", "['*']"])
def test_a_clone_has_nothing_to_do_and_knows_an_edited_file(made: Path, tmp_path: Path, artifacts: str) -> None:
    run = snakemake(
        made, "mine.yaml", "results/published/package.zip", "--config", f"publish={{artifacts: {artifacts}}}"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    other = clone(tmp_path)
    with zipfile.ZipFile(made / "results/published/package.zip") as package:
        package.extractall(other)
    assert (other / "results/published/weights/mobilenet_v1/q8.safetensors").exists() == (artifacts != "[]")

    planned = snakemake(other, CONFIG, "--dry-run")
    assert "Nothing to be done" in planned.stdout + planned.stderr
    assert snakemake(other, CONFIG, "verify").returncode == 0

    table = other / "results/published/study.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    verified = snakemake(other, CONFIG, "verify")
    assert verified.returncode != 0
    assert "results/published/study.parquet: is not what 'aggregate' made" in verified.stderr
