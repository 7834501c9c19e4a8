"""The container holds the locked Python and all that a study needs. No test builds it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
INSTRUCTIONS = re.findall(
    r"^([A-Z]+) ((?:.*\\\n)*.*)$", (REPOSITORY / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE
)


def arguments(instruction: str) -> list[str]:
    return [argument for name, argument in INSTRUCTIONS if name == instruction]


def test_the_python_of_the_container_is_that_of_the_lock() -> None:
    (base,) = arguments("FROM")
    dependencies = yaml.safe_load((REPOSITORY / "envs/environment.yaml").read_text())["dependencies"]
    (locked,) = (entry.partition("=")[2] for entry in dependencies if str(entry).startswith("python="))
    assert re.search(rf"python:{re.escape(locked)}\.\d+-", base)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return a folder with the files that the container holds."""
    for copied in arguments("COPY"):
        *sources, target = copied.split()
        for source in sources:
            path = REPOSITORY / source
            if path.is_dir():
                shutil.copytree(path, tmp_path / target, dirs_exist_ok=True)
            else:
                (tmp_path / target).mkdir(exist_ok=True)
                shutil.copy(path, tmp_path / target)
    return tmp_path


def test_the_container_plans_the_default_study(image: Path) -> None:
    (entry,), (command,) = arguments("ENTRYPOINT"), arguments("CMD")
    words = [sys.executable, "-m", *json.loads(entry), *json.loads(command), "--dry-run", "--quiet", "all"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    planned = subprocess.run(words, cwd=image, capture_output=True, text=True, env=environment)
    assert planned.returncode == 0, planned.stderr


def test_the_container_installs_the_lock_and_runs_as_no_administrator() -> None:
    assert any("envs/install.py envs/requirements.txt" in command for command in arguments("RUN"))
    (user,) = arguments("USER")
    assert user not in ("root", "0")
