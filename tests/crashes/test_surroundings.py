"""A study in hostile surroundings, all of them at once, has the results of a study in kind ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_study import SmallStudy

from tocompress.vocabulary.arithmetic import EVERY_INFERENCE

STUDY = {
    "study": {
        "name": "crashes",
        "models": ["mobilenet_v1"],
        "variants": {"mobilenet_v1": ["q8"]},
        "benchmarked": ["mobilenet_v1"],
        "figures": ["table1_models", "pareto"],
    },
    "data": {"glyphs": {"train": 16, "calibration": 16, "test": 64}},
    "benchmark": {
        "arithmetic": [EVERY_INFERENCE],
        "inputs": {"images": 2},
        "generations": 2,
        "maximum_generations": 2,
        "rounds": 2,
        "slice_seconds": 0.01,
        "profiled_runs": 1,
    },
    "evaluation": {"scores": {"resamples": 100}},
}
SAME = ("data/glyphs/test.npz", "artifacts/tensorflow/mobilenet_v1/fp32.pb", "artifacts/tensorflow/mobilenet_v1/q8.pb")
FIGURES = ("table1_models.png", "table1_models.pdf", "pareto.png", "pareto.pdf")
NAMELESS = ("unshare", "--user", "--map-user=12345", "--map-group=12345")


def study_in(folder: Path) -> SmallStudy:
    folder.mkdir()
    study = SmallStudy(folder)
    (folder / "study.yaml").write_text(json.dumps(STUDY))
    return study


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """What runs a command for a user without a name or a home that can be written to, and with settings for others."""
    home, temporary, modules = tmp_path / "home", tmp_path / ("t" * 90), tmp_path / "modules"
    for folder in (home / ".keras", home / ".config/matplotlib", temporary, modules):
        folder.mkdir(parents=True)
    keras = {"floatx": "float16", "image_data_format": "channels_first", "backend": "torch"}
    (home / ".keras/keras.json").write_text(json.dumps(keras))
    (home / ".config/matplotlib/matplotlibrc").write_bytes(b"font.size: 30  # gro\xdf\n")
    (modules / "keras.py").write_text("raise ImportError('of another program')\n")
    settings = {
        "HOME": home,
        "TMPDIR": temporary,
        "PYTHONPATH": modules,
        "PYTHONOPTIMIZE": 2,
        "LC_ALL": "C",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": home / ".config/matplotlib",
        "KERAS_MAX_EPOCHS": 0,
        "TF_USE_LEGACY_KERAS": 1,
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "OMP_NUM_THREADS": 7,
    }
    home.chmod(0o500)
    unset = [part for name in ("USER", "LOGNAME", "LNAME", "USERNAME") for part in ("-u", name)]
    yield (*NAMELESS, "env", *unset, *(f"{name}={value}" for name, value in settings.items()))
    home.chmod(0o700)


def interpreter_in(folder: Path) -> str:
    """This environment's Python, as if the environment were in `folder`."""
    environment = folder / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/python").symlink_to(os.path.realpath(sys.executable))
    (environment / "lib").symlink_to(Path(sys.prefix, "lib"))
    shutil.copy(Path(sys.prefix, "pyvenv.cfg"), environment)
    return str(environment / "bin/python")


@pytest.mark.long
@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*NAMELESS, "true"], capture_output=True).returncode != 0,
    reason="needs `unshare` and user namespaces, to be nobody",
)
@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs to run in an environment of its own")
def test_a_study_in_hostile_surroundings_is_as_ever(
    tmp_path: Path, hostile: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = study_in(tmp_path / "kind")
    assert kind.run(*(f"results/crashes/{file}" for file in SAME)).end() == 0, kind.runs[-1].text
    other = study_in(tmp_path / 'it\'s "my" [1st] $study: 100% ü')
    monkeypatch.setattr(sys, "executable", interpreter_in(other.folder))
    assert other.run(prefix=hostile).end() == 0, other.runs[-1].text
    for file in SAME:
        assert (kind.results / "crashes" / file).read_bytes() == (other.results / "crashes" / file).read_bytes(), file
    for name in FIGURES:
        assert (other.results / "crashes/figures" / name).stat().st_size > 1000
