"""The tables of docs/how-to.md: their YAML is a config, and their commands plan jobs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from tocompress.plan import plan

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`]+)`", "\n".join(line for line in PAGE.splitlines() if line.startswith("| ")))
COMMANDS = [code for code in CODE if re.match(r"(?:[A-Z_]+=\S+ )*snakemake ", code) and code != "snakemake"]
OVERLAYS = [code for code in CODE if ": " in code and code not in COMMANDS]
(EXAMPLE,) = re.findall(
    r"^```yaml\n(study:.*?)^```",
    (REPOSITORY / "docs/published.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)
NAMED = (
    *("imagenet/ILSVRC2012_img_val.tar", "imagenet/ILSVRC2012_devkit_t12.tar.gz", "imagenet/ILSVRC2012_img_train.tar"),
    *("path/to/model.ckpt", "path/to/labels.csv", "path/to/images/a.JPEG", "meter.csv"),
    "results/default/study.parquet",
)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone with the files that the tables name, and make it the working folder."""
    for name in ("Snakefile", "config.yaml", "config", "envs", "profiles", "rules", "workflow", "zoo"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    for name in NAMED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_tables_hold_yaml_and_commands() -> None:
    assert len(OVERLAYS) >= 18
    assert len(COMMANDS) >= 15


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("overlay", [*OVERLAYS, pytest.param(EXAMPLE, id="docs/published.md")])
def test_yaml_that_is_shown_is_an_overlay(overlay: str) -> None:
    config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    update_config(config, yaml.safe_load(overlay))
    plan(config)


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_shown_plans_its_jobs(command: str, clone: Path) -> None:
    if "--sdm conda" in command and not shutil.which("conda"):
        pytest.skip("needs conda")
    if "KERAS_BACKEND=jax" in command and not find_spec("jax"):
        pytest.skip("needs JAX")
    (clone / "mine.yaml").write_text(next(overlay for overlay in OVERLAYS if "retraining" in overlay), encoding="utf-8")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", f"{command} -n"], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
