"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest import mock

import hypothesis
import pytest

from tocompress.surroundings import clean

REPOSITORY = Path(__file__).parents[1]

# Before a test imports Keras.
clean(REPOSITORY)

# What a change breaks is its own doing: examples are the same each time, but where new ones are looked for.
hypothesis.settings.register_profile("repeatable", derandomize=True)
if not os.environ.get("FUZZ_SEED"):
    hypothesis.settings.load_profile("repeatable")

#: The files that take longest, the longest first. No worker is left alone with one of them at the end.
LENGTHY = (
    "test_executed.py",
    "test_killed.py",
    "test_slurm.py",
    "test_invalidation.py",
    "test_examples.py",
    "test_study.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LENGTHY.index(item.path.name) if item.path.name in LENGTHY else len(LENGTHY))


@pytest.fixture(scope="module", autouse=True)
def environment_of_module() -> Iterator[None]:
    """End the changes of a module to the environment with the module. A Snakefile that is read changes it."""
    with mock.patch.dict(os.environ):
        yield


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
