"""A TensorFlow that is imported at once and computes nothing, a hundred times a second."""

from __future__ import annotations

import sys
from pathlib import Path

_RUNTIME = """
import time
from unittest.mock import MagicMock
import numpy as np
__version__ = "1.15.5"
ConfigProto = Graph = GraphDef = OptimizerOptions = import_graph_def = logging = MagicMock()
class Session:
    def __init__(self, **options): pass
    def run(self, output, feeds, **options):
        time.sleep(0.01)
        return np.zeros(1)
"""


def interpreter(folder: Path) -> Path:
    """A Python that has it, made in a folder."""
    packages = folder / "packages"
    for package in ("tensorflow", "tensorflow/compat", "tensorflow/core", "tensorflow/core/protobuf"):
        (packages / package).mkdir(parents=True)
        (packages / package / "__init__.py").touch()
    (packages / "tensorflow/compat/v1.py").write_text(_RUNTIME)
    (packages / "tensorflow/core/protobuf/__init__.py").write_text(
        "from unittest.mock import MagicMock\nrewriter_config_pb2 = MagicMock()"
    )
    # -I would keep it from being found.
    isolated = f'[ "$1" = -I ] && {{ shift; export PYTHONPATH={packages}; }}'
    return executable(folder / "python", f'{isolated}\nexec {sys.executable} "$@"')


def executable(path: Path, script: str) -> Path:
    """A script of sh."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
