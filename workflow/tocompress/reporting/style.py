"""The look of every figure: sizes, type, colours, and the names of things in print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags

from tocompress.models.registry import KERAS, find
from tocompress.reporting.palette import FAINT, INK, MUTED, PAPER
from tocompress.reporting.study import full_size

SINGLE, DOUBLE = 3.5, 7.2  # inches: one and two columns of the paper's format

SMALL, NORMAL = 7.0, 8.0  # points


_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same on every machine
    "font.size": SMALL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "axes.labelpad": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 0.8,
    "pdf.fonttype": 42,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}

_BUILDS = {
    "published": "published weights",
    "own": "own weights",
    "zoo": "zoo, reduced",
    "initial": "initial weights",
}


@dataclass(frozen=True)
class ShownModel:
    """A model with its name and its group in figures."""

    name: str
    network: str
    build: str
    label: str
    group: str

    @property
    def trained(self) -> bool:
        """Return whether the model's accuracy means anything."""
        return self.build != "initial"


def applied() -> AbstractContextManager[None]:
    """Return the context for drawing and saving figures, free of the user's own matplotlib settings."""
    return matplotlib.style.context(["default", _SETTINGS])


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, on a canvas that can measure text."""
    made = Figure(figsize=(width, height))
    FigureCanvasAgg(made)
    return made


def figure_of(axes: Axes) -> Figure:
    """Return the figure that `axes` is in."""
    found = axes.get_figure(root=True)
    assert found is not None
    return found


def axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return new axes at a place in inches from the figure's upper left corner."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    )


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Write text at a place in inches from the figure's upper left corner."""
    full_width, full_height = figure.get_size_inches()
    figure.text(left / full_width, 1 - top / full_height, text, **style)


def text_width(*texts: str, size: float = SMALL, weight: str = "normal") -> float:
    """Return the width in inches of the widest of `texts`."""
    font = get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
    font.set_size(size, 72)
    widths = [0.0]
    for text in texts:
        font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
        widths.append(font.get_width_height()[0] / 64)  # FreeType counts in 64ths of a point
    return max(widths) / 72


def shown_models(study: pd.DataFrame) -> list[ShownModel]:
    """Return the models by group, each group in the table's order."""
    facts = study.drop_duplicates("model")[["model", "network", "build"]].itertuples(index=False)
    groups = _groups(study)
    shown = [
        ShownModel(model, network, build, model_name(model, network), groups[build]) for model, network, build in facts
    ]
    return sorted(shown, key=lambda model: list(_BUILDS).index(model.build))


def measured_models(study: pd.DataFrame, values: pd.DataFrame) -> list[ShownModel]:
    """Return the `shown_models` with a value in `values`, or all of them if none has one."""
    models = shown_models(study)
    known = set(values.loc[values["value"].notna(), "model"])
    return [model for model in models if model.name in known] or models


def _groups(study: pd.DataFrame) -> dict[str, str]:
    """Return the heading of each build. Initial weights are worth comparing if all their models have full size."""
    initial = set(study.loc[study["build"] == "initial", "model"])
    whole = initial and initial <= full_size(study)
    return _BUILDS | ({"initial": "full size, initial weights"} if whole else {})


def network_name(network: str) -> str:
    return find(network).title


def model_name(model: str, network: str) -> str:
    """Return a model's name in print: `mobilenet_v1_full` of network `mobilenet_v1` is "MobileNet full".

    A model of one's own has its name in the config.
    """
    if network == KERAS:
        return model.replace("_", " ")
    rest = model.removeprefix(network) if model.startswith(network) else f" ({model})"
    return network_name(network) + rest.replace("_", " ")


def short_names(models: Sequence[ShownModel]) -> dict[ShownModel, str]:
    """Return short names: the network's, or the model's if several share the network and whether it is trained."""
    kinds = [(model.network, model.trained) for model in models]
    names = {}
    for model, kind in zip(models, kinds, strict=True):
        alone = kinds.count(kind) == 1 and model.network != KERAS
        name = network_name(model.network) if alone else model.label
        names[model] = name.replace("Inception", "Inc.").replace("ResNet", "Res.").replace("MobileNet", "Mobile")
    return names


_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))


def quantity(value: float, unit: str) -> str:
    """Return a value with three digits and its unit, short.

    >>> quantity(16_900_000, "byte"), quantity(83.2, "ms"), quantity(0.741, "fraction")
    ('16.9 MB', '83.2 ms', '74.1 %')
    """
    if pd.isna(value):
        return "n/a"
    if unit == "fraction":
        return f"{100 * value:.1f} %"
    if unit == "score":
        return f"{value:.1f}"
    if unit == "ms":
        value, unit = value / 1e3, "s"
    size, prefix = next(((size, prefix) for size, prefix in _SCALES if abs(value) >= size), (1.0, ""))
    symbol = {"byte": "B", "1": "", "1/s": "/s"}.get(unit, unit)
    return f"{digits(value / size)} {prefix}{symbol}".rstrip()


def in_points(change: float, unit: str, *, name: bool = True) -> str:
    """Return the change of an accuracy of this unit with its sign, and with the name of its points.

    >>> in_points(-0.0123, "fraction"), in_points(0.4, "score"), in_points(0.0, "fraction", name=False)
    ('−1.2 points', '+0.4 BLEU', '0.0')
    """
    shown = round(100 * change if unit == "fraction" else change, 1)
    text = f"{shown:+.1f}".replace("-", "\N{MINUS SIGN}") if shown else "0.0"
    return f"{text} {'points' if unit == 'fraction' else 'BLEU'}" if name else text


def digits(value: float, significant: int = 3) -> str:
    """Return a number with so many significant digits and no exponent.

    >>> digits(1234.5), digits(0.01234)
    ('1,230', '0.0123')
    """
    if value == 0:
        return "0"
    decimals = significant - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"
