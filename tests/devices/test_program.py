"""The agent is one file, the same from the same sources, which runs in every Python from 3.6 on."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tocompress.devices.program import AGENT, FOLDER, MODULES, program
from tocompress.provenance.digests import libraries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads /proc")

SOURCES = sorted(FOLDER.glob("*.py"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "agent.zip"
    file.write_bytes(AGENT)
    return file


def test_neither_times_nor_modes_nor_other_files_change_a_byte(tmp_path: Path) -> None:
    copy = tmp_path / "agent"
    (copy / "__pycache__").mkdir(parents=True)
    (copy / "__pycache__" / "host.cpython-311.pyc").write_bytes(b"compiled")
    (copy / "notes.txt").write_bytes(b"notes")
    for number, source in enumerate(reversed(SOURCES)):
        (copy / source.name).write_bytes(source.read_bytes())
        os.utime(copy / source.name, (10**9 + number, 10**9 + number))
        (copy / source.name).chmod(0o700)
    assert program(copy) == AGENT
    (copy / "host.py").write_bytes((copy / "host.py").read_bytes() + b"\n")
    assert program(copy) != AGENT


def test_every_module_and_the_runtime_it_imports_count_for_a_measurement() -> None:
    assert [f"{module.rpartition('.')[2]}.py" for module in MODULES] == [
        source.name for source in SOURCES if source.name != "__init__.py"
    ]
    assert {"ai_edge_litert", "tensorflow"} <= libraries("benchmark.py", *MODULES)


def test_the_agent_keeps_to_python_3_6_and_to_itself() -> None:
    known = {*sys.stdlib_module_names, "ai_edge_litert", "numpy", "tensorflow"} - {"dataclasses", "__future__"}
    for source in SOURCES:
        tree = ast.parse(source.read_text(), feature_version=(3, 6))
        modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        others = {module for module in modules if not module.startswith("tocompress.devices.agent")}
        assert {module.partition(".")[0] for module in others} <= known, source.name


def test_no_call_of_the_agent_needs_more_than_python_3_6() -> None:
    vermin = "from vermin import main; main()"
    command = [sys.executable, "-c", vermin, "-t=3.6-", "--no-tips", "--violations", str(FOLDER)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_an_old_python_runs_the_agent_up_to_the_runtime_that_it_lacks(version: str, file: Path) -> None:
    command = [interpreter(version), "-I", str(file), "--folder", str(file.parent)]
    finished = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    (record,) = map(json.loads, finished.stdout.splitlines())
    assert record["record"] == "error", finished.stderr
    assert "cannot import TensorFlow (ModuleNotFoundError: No module named " in record["error"]


def interpreter(version: str) -> str:
    """Return an interpreter, or skip the test. On the path, pyenv may have one that only says where others are."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for python in (shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")):
        if python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            return str(python)
    pytest.skip(f"needs a Python {version}")
