"""Jobs that share no folder with the study, as on Kubernetes, leave their records in the storage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tocompress.provenance.record import Record

REPOSITORY = Path(__file__).parents[2]
#: Of no lock: every start of Snakemake imports each plugin that is installed.
PLUGINS = (
    "snakemake-executor-plugin-cluster-generic==1.0.9",
    "snakemake-storage-plugin-fs==1.1.3",
    "sysrsync==1.1.1",
    "toml==0.10.2",
)
STUDY = {
    "study": {"name": "apart", "models": ["mobilenet_v1"], "variants": {"mobilenet_v1": ["q8"]}, "benchmarked": []}
}
TARGET = "results/apart/weights/mobilenet_v1/q8.safetensors"
PROVENANCE = "results/apart/provenance"
#: Starts a job in an empty folder, and prints the name by which `STATUS` asks for it.
SUBMIT = """#!/bin/sh
folder=$(mktemp -d "$JOBS/XXXXXX")
cp "$1" "$folder.sh"
cd "$folder"
(PYTHONPATH=$PLUGINS sh "$folder.sh" && echo success >"$folder.end" || echo failed >"$folder.end") >"$folder.log" 2>&1 &
echo "$folder"
"""
STATUS = """#!/bin/sh
cat "$1.end" 2>/dev/null || echo running
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """Return a folder with the plugins that lend Snakemake a storage and machines."""
    if not shutil.which("rsync"):
        pytest.skip("needs rsync, with which the storage plugin copies")
    folder = tmp_path / "plugins"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PLUGINS]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"needs plugins of Snakemake, and pip cannot install them: {installed.stderr.strip()}")
    return folder


def clone(folder: Path) -> str:
    """Make a clone with the parts that jobs are sent, and return its commit."""
    folder.mkdir()
    for name in ("CITATION.cff", "Snakefile", "config.yaml", "config", "rules", "profiles", "envs", "workflow"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    (folder / "zoo").mkdir()
    shutil.copy(REPOSITORY / "zoo/mobilenet_v1.tar.gz", folder / "zoo")
    (folder / "apart.yaml").write_text(yaml.safe_dump(STUDY))
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def script(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.long
def test_jobs_that_share_no_folder_leave_records_that_verify(tmp_path: Path, plugins: Path) -> None:
    study, storage, jobs = tmp_path / "study", tmp_path / "results/storage", tmp_path / "jobs"
    commit = clone(study)
    jobs.mkdir()
    shutil.copytree(study / "zoo", storage / "zoo")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCOMPRESS")}
    environment = kept | {"PYTHONPATH": str(plugins), "PLUGINS": str(plugins), "JOBS": str(jobs)}

    def snakemake(*arguments: str | Path) -> str:
        command = [sys.executable, "-m", "snakemake", *map(str, arguments), "--configfile", "apart.yaml"]
        done = subprocess.run(command, cwd=study, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + "".join(log.read_text() for log in jobs.glob("*.log"))
        return done.stderr

    snakemake(
        *("--executor", "cluster-generic", "--jobs", "2", "--seconds-between-status-checks", "1"),
        *("--cluster-generic-submit-cmd", script(tmp_path / "submit", SUBMIT)),
        *("--cluster-generic-status-cmd", script(tmp_path / "status", STATUS)),
        *("--shared-fs-usage", "none", "--job-deploy-sources"),
        *("--default-storage-provider", "fs", "--default-storage-prefix", storage),
        TARGET,
    )
    assert not (study / "results").exists()
    found = (Record.model_validate_json(file.read_bytes()) for file in (storage / PROVENANCE).rglob("*.json"))
    records = {record.rule: record for record in found}
    assert set(records) == {"acquire", "compress"}
    assert set(records["acquire"].inputs) == {"zoo/mobilenet_v1.tar.gz"}
    assert set(records["compress"].inputs) == set(records["acquire"].outputs)
    assert set(records["compress"].outputs) == {TARGET, "results/apart/compression/mobilenet_v1/q8.parquet"}
    assert {record.commit for record in records.values()} == {commit}

    shutil.copytree(storage / "results", study / "results")
    assert "3 results of 2 jobs: all as recorded" in snakemake("--cores", "1", "verify")
