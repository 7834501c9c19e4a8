"""A study runs through a real Slurm. Its head is killed, and its results are those of a local run all the same."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from one_node import one_node
from small_study import REPOSITORY, SmallStudy, assert_equal

LOCK = REPOSITORY / "envs/requirements-slurm.txt"
_PATIENCE_S = 1200  # beside other tests
#: The node of the test is small, its disk is local, and it keeps no accounts.
ON_SLURM = (
    *("--profile", "profiles/slurm", "--cores", "2"),
    *("--latency-wait", "10", "--slurm-status-command", "squeue"),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test environment and the plugin, which is no part of it: Snakemake would import it at each start."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "study.pth").write_text(sysconfig.get_path("purelib"))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    installed = subprocess.run([*install, "--target", packages, "--requirement", LOCK], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"needs the plugin for Slurm from the index: {installed.stderr.strip().splitlines()[-1]}")
    return folder / "bin/python"


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a running Slurm."""
    with one_node(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def local(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """The study, run on this machine."""
    study = small_study(tmp_path_factory.mktemp("local"))
    assert study.run().end() == 0, study.runs[-1].text
    return study


def small_study(folder: Path) -> SmallStudy:
    study = SmallStudy(folder)
    shutil.copy(Path(__file__).with_name("study.yaml"), folder)
    return study


def jobs(environment: dict[str, str]) -> list[tuple[str, str, datetime, datetime]]:
    """Return the name, the state, the start and the end of each job of Slurm that has ended."""
    command = ["squeue", "--noheader", "--states=all", "--format=%k|%T|%S|%e"]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split("|") for line in lines]
    return [
        (name, state, datetime.fromisoformat(start), datetime.fromisoformat(end))
        for name, state, start, end in rows
        if start[0].isdigit() and end[0].isdigit()
    ]


def assert_never_two_at_a_time(environment: dict[str, str], rule: str) -> None:
    times = sorted((start, end) for name, _, start, end in jobs(environment) if name.startswith(f"rule_{rule}_"))
    assert times and all(end <= start for (_, end), (start, _) in itertools.pairwise(times)), times


@pytest.mark.long
@pytest.mark.timeout(2 * _PATIENCE_S + 600)
def test_a_study_whose_head_is_killed_has_the_results_of_a_local_run(
    local: SmallStudy, python: Path, slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", slurm["PATH"])
    study = small_study(tmp_path)
    first = study.start(*ON_SLURM)
    try:
        first.until(study.an_epoch_is_done, _PATIENCE_S)
        first.kill()
        last = study.run(*ON_SLURM)
        assert last.end(_PATIENCE_S) == 0, last.text
    finally:
        study.stop()
    assert_never_two_at_a_time(slurm, "prune")
    assert not {message for message in first.finished if message in last.begun}, last.text
    assert_equal(study, local)
    assert study.run("verify").end() == 0, study.runs[-1].text
