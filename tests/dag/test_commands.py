"""What the command line says of the workflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dry_runs import REPOSITORY, Workflow


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_linter_of_snakemake_finds_nothing(workflow: Workflow) -> None:
    done = run(workflow.folder, "snakemake", "--lint", "--snakefile", str(REPOSITORY / "Snakefile"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Congratulations" in done.stdout + done.stderr


def test_rules_are_formatted() -> None:
    pytest.importorskip("snakefmt")
    done = run(REPOSITORY, "snakefmt", "--check", "Snakefile", "rules")
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_printed_while_the_workflow_is_read(workflow: Workflow) -> None:
    done = run(workflow.folder, "snakemake", "--rulegraph", "--snakefile", str(REPOSITORY / "Snakefile"))
    assert done.stdout.startswith("digraph"), done.stdout[:500] + done.stderr
    assert done.stdout.count("digraph") == 1 and done.stdout.rstrip().endswith("}")
