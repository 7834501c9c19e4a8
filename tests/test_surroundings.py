"""Jobs start from known surroundings: what is set for other programs changes nothing, or is refused in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tocompress.surroundings import variables

REPOSITORY = Path(__file__).parents[1]


def clone(folder: Path, *names: str) -> Path:
    """A clone in a new folder, as far as what is asked before an installation reads it."""
    (folder / "workflow/tocompress").mkdir(parents=True)
    for name in ("config.yaml", "workflow/tocompress/surroundings.py", *names):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, folder / name)
    return folder


def refusal(command: list[str], folder: Path, **environment: str) -> str:
    """The one line with which a command refuses to begin."""
    kept = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    finished = subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=120)
    assert finished.returncode != 0
    assert "Traceback" not in finished.stderr
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("Error: ")]
    return line


def test_variables_of_the_libraries_do_not_reach_jobs() -> None:
    foreign = {
        "KERAS_MAX_EPOCHS": "1",
        "KERAS_HOME": "/home/me/.keras",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "NVIDIA_TF32_OVERRIDE": "1",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
        "JAX_ENABLE_X64": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": "/home/me",
        "PYTHONPATH": "/home/me/lib",
        "PYTHONOPTIMIZE": "2",
        "PYTHONIOENCODING": "latin-1",
        "MALLOC_ARENA_MAX": "1",
        "GIT_DIR": "/home/me/other/.git",
    }
    wanted = {"PATH": "/bin", "HOME": "/home/me", "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "1"}
    assert variables(foreign | wanted, Path("/study")) == wanted | {
        "KERAS_HOME": "/dev/null",
        "MATPLOTLIBRC": "/dev/null",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": "/study/.snakemake/matplotlib",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


@pytest.mark.parametrize("folder", ["{sample}", "a}b"])
def test_a_folder_that_snakemake_cannot_work_in_is_refused(tmp_path: Path, folder: str) -> None:
    command = [sys.executable, "-I", "workflow/tocompress/surroundings.py"]
    assert "braces" in refusal(command, clone(tmp_path / folder))


def test_a_style_or_backend_that_the_study_does_not_have_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "workflow/tocompress/surroundings.py"]
    folder = clone(tmp_path / "study")
    subprocess.run(command, cwd=folder, check=True)
    assert "KERAS_BACKEND is torch" in refusal(command, folder, KERAS_BACKEND="torch")
    (folder / "matplotlibrc").write_bytes(b"font.size: 30 # gro\xdf\n")
    assert "matplotlibrc" in refusal(command, folder)


@pytest.mark.parametrize("folder", ["a:b", "a{b", 'a"b', "a$b"])
def test_make_refuses_a_folder_before_it_installs_anything(tmp_path: Path, folder: str) -> None:
    place = clone(tmp_path / folder, "Makefile", "envs")
    line = refusal(["make", "study", f"PYTHON={sys.executable}"], place)
    assert folder in line and "move the clone" in line
    assert not (place / ".venv").exists()


@pytest.mark.parametrize("way", ["--directory", "--snakefile"])
def test_another_working_directory_is_refused(tmp_path: Path, way: str) -> None:
    (tmp_path / "config.yaml").write_text("name: of another project\n")
    there, argument = (REPOSITORY, tmp_path) if way == "--directory" else (tmp_path, REPOSITORY / "Snakefile")
    overlay = str(REPOSITORY / "config/smoke.yaml")
    command = [sys.executable, "-m", "snakemake", "-n", way, str(argument), "--configfile", overlay]
    assert f"config.yaml is not in {tmp_path}" in refusal(command, there)
