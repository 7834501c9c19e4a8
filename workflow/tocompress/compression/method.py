"""Apply a technique that needs nothing but weights."""

from __future__ import annotations

import importlib

import pandas as pd

from tocompress.settings.technique import Technique
from tocompress.weights import Weights


def compress(weights: Weights, technique: Technique) -> tuple[Weights, pd.DataFrame]:
    """Return the compressed weights, and the table of schema `compression` without `model` and `variant`.

    The module of the technique's method is imported by name: a job depends on its own method only.
    """
    assert technique.module is not None  # by the rule's constraint
    compressed: tuple[Weights, pd.DataFrame] = importlib.import_module(technique.module).compress(weights, technique)
    return compressed
