"""A search runs the study's own rules, goes on after a kill, and leaves results that are as recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from small_study import SmallStudy

CHOSEN = "results/crashes/search/mobilenet_v1/chosen"
SEARCH = {
    "device": "host",
    "runtime": "litert",
    "requirements": {"top1": {"lose at most": 90}, "size": {"at most": "1 MB"}},
    "minimize": "size",
    "space": {"bits": [8, 6]},
    "budget": "1 s",
}


@pytest.mark.long
def test_a_killed_search_goes_on_and_its_results_are_as_recorded(tmp_path: Path) -> None:
    study = SmallStudy(tmp_path)
    overlay = yaml.safe_load((study.folder / "study.yaml").read_text()) | {"search": {"mobilenet_v1": SEARCH}}
    overlay["quantization_sensitivity"] = {"examples": 50, "bits": [6, 8]}
    (study.folder / "study.yaml").write_text(yaml.safe_dump(overlay))
    killed = study.start(CHOSEN)
    first = study.folder / CHOSEN / "../1/predictions"
    killed.until(lambda: any(first.rglob("*.parquet")))
    assert not killed.kill()
    made = {file: file.stat().st_mtime_ns for file in (study.folder / "results/crashes/weights").rglob("*.safetensors")}

    assert study.run(CHOSEN).end() == 0, study.runs[-1].text
    assert all(file.stat().st_mtime_ns == time for file, time in made.items())
    answer = json.loads((study.folder / CHOSEN / "../answer.json").read_text())
    assert answer["met"] and answer["tried"] == 2
    table = pd.read_parquet(study.folder / CHOSEN / "../candidates.parquet")
    assert set(table.loc[table["chosen"], "variant"]) == {answer["chosen"]}
    assert {file.name for file in (study.folder / CHOSEN).iterdir()} >= {"answer.md", "card.json", "run.py"}

    assert study.run(CHOSEN).end() == 0
    assert not study.runs[-1].begun
    for config in ("study.yaml", "results/crashes/search/mobilenet_v1/judging/logs/config.json"):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "verify", "--configfile", config]
        verified = subprocess.run(command, cwd=study.folder, capture_output=True, text=True, check=False)
        assert verified.returncode == 0, verified.stderr
