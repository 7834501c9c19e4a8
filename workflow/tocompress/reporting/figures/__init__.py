"""The figures of the study, one module each. `draw` makes a figure and the table behind it, `caption` its text.

A `draw` may also return alternatives of its figure, between which a page switches.
A module gets the rows of the study's first runtime. One that sets `EVERY_RUNTIME` gets the rows of all.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.reporting import style
from tocompress.reporting.figures import svg
from tocompress.reporting.figures.captions import Caption
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
    """A figure, and the rows of the study behind it.

    `alternatives` are figures of the same size between which a page switches, by name. The first is `figure`.
    """

    figure: Figure
    table: pd.DataFrame
    alternatives: Mapping[str, Figure] = field(default_factory=dict)


def draw(name: str, study: pd.DataFrame, plot: Plot) -> Drawing:
    """Return the figure `name` of a table of schema `study`. Raise StudyError for an unknown name."""
    with style.applied():
        return Drawing(*_module(name).draw(_shown(name, study), plot))


def caption(name: str, study: pd.DataFrame, plot: Plot) -> Caption:
    """Return the caption of the figure `name`."""
    found: Caption = _module(name).caption(_shown(name, study), plot)
    return found


def _shown(name: str, study: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the study that the figure `name` may show."""
    every_runtime = getattr(_module(name), "EVERY_RUNTIME", False)
    return typed(study) if every_runtime else of_first_runtime(typed(study))


def _module(name: str) -> Any:
    if name not in FIGURES:
        raise StudyError(f"unknown figure {name!r}: known are {', '.join(FIGURES)}")
    return importlib.import_module(f"{__name__}.{name}")


def as_svg(drawing: Drawing) -> str:
    """Return a figure as SVG, with its alternatives."""
    with style.applied():
        return svg.text_of(drawing.figure, drawing.alternatives)


def save(drawing: Drawing, files: Mapping[str, str | Path], plot: Plot) -> None:
    """Write the files `png`, `pdf`, `svg` and `csv`, each whole or not at all."""
    with style.applied():
        for kind in ("png", "pdf"):
            with replace_on_success(files[kind]) as temporary:
                drawing.figure.savefig(temporary, format=kind, dpi=plot.dpi, metadata=_METADATA[kind])
    with replace_on_success(files["svg"]) as temporary:
        temporary.write_text(as_svg(drawing), encoding="utf-8")
    with replace_on_success(files["csv"]) as temporary:
        drawing.table.to_csv(temporary, index=False, lineterminator="\n")
