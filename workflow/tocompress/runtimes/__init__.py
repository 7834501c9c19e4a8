"""The runtimes that execute artifacts, each in a folder with the same words.

`export` writes an artifact, `session` runs one on this machine, and `operations` names the classes of its operations.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal


def module(runtime: str, part: Literal["export", "session", "operations"]) -> str:
    """Return the name of a module of a runtime. It is imported by name: a job depends on its own runtime only."""
    return f"{__name__}.{runtime}.{part}"


def load(runtime: str, part: Literal["export", "session", "operations"]) -> Any:
    """Return a module of a runtime."""
    return importlib.import_module(module(runtime, part))
