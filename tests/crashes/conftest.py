"""Fixtures shared by the tests of crashes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_study import SmallStudy


@pytest.fixture
def study(tmp_path: Path) -> Iterator[SmallStudy]:
    """A small study, whose runs end with the test."""
    study = SmallStudy(tmp_path)
    yield study
    study.stop()
