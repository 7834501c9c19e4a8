"""Snakemake's own report of a finished study. Its results are stand-ins: the report shows what it is given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
STAND_INS = {".png": b"\x89PNG\r\n\x1a\n", ".csv": b"model,value\nvgg_16,1\n", ".html": b"<p>The study.</p>"}


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", str(REPOSITORY / "Snakefile")]
    profile = ["--workflow-profile", str(REPOSITORY / "profiles/default"), "--configfile", "config/smoke.yaml"]
    done = subprocess.run(
        [*command, *profile, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page that `snakemake --report` writes of a study that looks as if it had run."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copy(REPOSITORY / "config.yaml", folder)
    for name in ("config", "zoo", "workflow"):
        (folder / name).symlink_to(REPOSITORY / name)
    for line in snakemake(folder, "--summary").stdout.splitlines()[1:]:
        output = folder / line.partition("\t")[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(STAND_INS.get(output.suffix, b""))
    snakemake(folder, "--touch", "--forceall")
    written = snakemake(folder, "--report", "report.html")
    assert "ERROR/" not in written.stderr  # how docutils reports a mistake in a caption
    return unescape((folder / "report.html").read_text(encoding="utf-8"))


def test_captions_hold_no_mistake(report: str) -> None:
    assert "System Message" not in report


def test_figures_their_tables_and_the_summary_are_in_it(report: str) -> None:
    assert "the study <tt" in report
    assert "fig13_quantization.png" in report
    assert "fig13_quantization.csv" in report
    assert "How the jobs follow" in report
    assert "A mark is filled where the interval excludes no change" in report
    assert "The study on one page" in report
