"""The measure of prose: docs/prose.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "docs/prose.py"


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module, with limits of its own."""
    spec = importlib.util.spec_from_file_location("prose", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LIMITS", tmp_path / "limits.yaml")
    monkeypatch.setattr(module, "texts", lambda: {"docs": "What it does is said. Is it known what it does?"})
    return module


def test_code_and_tables_are_no_prose(measure: ModuleType) -> None:
    text = "A [link](a;b.md) to `a; b`.\n\n| what; | is |\n\n```\nwhat; is\n```\n"
    assert measure.prose(text).split() == ["A", "link", "to", "code."]


def test_a_question_may_ask_what(measure: ModuleType) -> None:
    found = measure.figures(measure.texts()["docs"])
    assert found == {"words": 11, "mean": 5.5, "p90": 6, "nominal": 90.9, "that_of": 0.0, "semicolons": 0.0}


@pytest.mark.parametrize(("limit", "status"), [(90, 1), (91, 0)])
def test_a_figure_above_its_limit_fails(measure: ModuleType, limit: int, status: int) -> None:
    measure.LIMITS.write_text(f"docs: {{nominal: {limit}}}", encoding="utf-8")
    assert measure.main() == status
