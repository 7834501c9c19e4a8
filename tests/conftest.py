"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden values, real weights and photographs beside a developer's checkout."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared (golden values), which a public clone does not have")
    return folder


@pytest.fixture(scope="session")
def rule(shared: Path) -> ModuleType:
    """The rule that makes the golden weights and images."""
    spec = importlib.util.spec_from_file_location("golden_rule", shared / "golden" / "rule.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
