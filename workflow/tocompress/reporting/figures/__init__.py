"""The figures of the study, one module each. `draw` makes a figure and the table behind it, `caption` its text.

A module gets the rows of the study's first runtime. One that sets `EVERY_RUNTIME` gets the rows of all.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.reporting import style
from tocompress.reporting.study import of_first_runtime, typed
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.figures import FIGURES

# Without dates and versions, the same study gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True)
class Drawing:
    """A figure, and the rows of the study behind it."""

    figure: Figure
    table: pd.DataFrame


def draw(name: str, study: pd.DataFrame, plot: Plot) -> Drawing:
    """Return the figure `name` of a table of schema `study`. Raise StudyError for an unknown name."""
    with style.applied():
        return Drawing(*_module(name).draw(_shown(name, study), plot))


def caption(name: str, study: pd.DataFrame, plot: Plot) -> str:
    """Return the caption of the figure `name`, one paragraph."""
    text: str = _module(name).caption(_shown(name, study), plot)
    return text


def _shown(name: str, study: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the study that the figure `name` may show."""
    every_runtime = getattr(_module(name), "EVERY_RUNTIME", False)
    return typed(study) if every_runtime else of_first_runtime(typed(study))


def _module(name: str) -> Any:
    if name not in FIGURES:
        raise StudyError(f"unknown figure {name!r}: known are {', '.join(FIGURES)}")
    return importlib.import_module(f"{__name__}.{name}")


def png(drawing: Drawing, plot: Plot) -> bytes:
    """Return a figure as PNG."""
    file = io.BytesIO()
    with style.applied():
        drawing.figure.savefig(file, format="png", dpi=plot.dpi, metadata=_METADATA["png"])
    return file.getvalue()


def save(drawing: Drawing, png: str | Path, pdf: str | Path, csv: str | Path, plot: Plot) -> None:
    """Write all three files, each whole or not at all."""
    with style.applied():
        for kind, path in (("png", png), ("pdf", pdf)):
            with replace_on_success(path) as temporary:
                drawing.figure.savefig(temporary, format=kind, dpi=plot.dpi, metadata=_METADATA[kind])
    with replace_on_success(csv) as temporary:
        drawing.table.to_csv(temporary, index=False, lineterminator="\n")
