"""Pictures in folders: which jobs a change of them makes due."""

from __future__ import annotations

import pytest
import yaml
from dry_runs import Workflow
from snakemake.exceptions import WorkflowError

TARGETS = tuple(f"results/default/data/mine/{split}.parquet" for split in ("train", "calibration", "test"))


@pytest.fixture
def overlay(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> str:
    """An overlay with pictures in folders, which are there."""
    monkeypatch.chdir(workflow.folder)
    for name in ("train/rose/1.png", "train/tulip/1.png", "test/rose/2.png", "test/tulip/2.png"):
        (workflow.folder / name).parent.mkdir(parents=True)
        (workflow.folder / name).touch()
    path = workflow.folder / "mine.yaml"
    data = {"mine": {"kind": "folders", "train": "train", "test": "test"}}
    model = {"network": "vgg_16", "build": "initial", "input_size": 32, "classes": 2, "data": "mine"}
    path.write_text(yaml.safe_dump({"data": data, "models": {"flowers": model}, "study": {"models": ["flowers"]}}))
    return str(path)


def test_a_change_of_pictures_makes_their_splits_due(workflow: Workflow, overlay: str) -> None:
    assert workflow.due(overlay, targets=TARGETS).of("pictures") == {"mine/train", "mine/calibration", "mine/test"}
    workflow.finish(overlay, targets=TARGETS)
    (workflow.folder / "test/rose/.DS_Store").touch()
    assert not workflow.due(overlay, targets=TARGETS).rules
    (workflow.folder / "test/rose/3.png").touch()
    assert workflow.due(overlay, targets=TARGETS).of("pictures") == {"mine/test"}
    (workflow.folder / "train/rose/1.png").write_text("another")
    assert workflow.due(overlay, targets=TARGETS).of("pictures") == {"mine/train", "mine/calibration", "mine/test"}


def test_a_split_is_kept_where_its_pictures_are_gone(
    workflow: Workflow, overlay: str, capfd: pytest.CaptureFixture[str]
) -> None:
    target = "results/default/benchmarks/inputs/flowers.npz"
    workflow.finish(overlay, targets=(target,))
    (workflow.folder / "test").rename(workflow.folder / "elsewhere")
    assert not workflow.due(overlay, targets=(target,)).rules
    assert "data/mine/test.parquet is taken as it is" in capfd.readouterr().err


def test_folders_that_are_not_there_end_the_run_in_one_line(
    workflow: Workflow, overlay: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (workflow.folder / "train").rename(workflow.folder / "elsewhere")
    with pytest.raises((SystemExit, WorkflowError)):
        workflow.due(overlay, targets=TARGETS)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "data.mine: there is no folder or CSV 'train'" in line


def test_a_class_without_pictures_ends_the_run_in_one_line(
    workflow: Workflow, overlay: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (workflow.folder / "train/daisy").mkdir()
    with pytest.raises((SystemExit, WorkflowError)):
        workflow.due(overlay, targets=TARGETS)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "data.mine: train/daisy: holds no pictures" in line
