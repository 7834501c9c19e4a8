"""Workflows in folders of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from dry_runs import Workflow, with_imagenet


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow(tmp_path)


@pytest.fixture
def paper(workflow: Workflow) -> Workflow:
    return with_imagenet(workflow)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The default study, as if it had run; tests only look at what would be due."""
    workflow = Workflow(tmp_path_factory.mktemp("finished"))
    workflow.finish()
    return workflow
