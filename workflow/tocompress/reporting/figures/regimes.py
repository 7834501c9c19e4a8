"""Draw time and energy of 8 bits in the paper, and in each runtime and arithmetic here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import by_runtime, devices, of_device, whole
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, EVERY_INFERENCE, IN_SHORT, INTEGER, ONCE, in_print
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import TENSORFLOW, title
from tocompress.vocabulary.variants import QUANTIZE

EVERY_RUNTIME = True

#: The paper's ratios to fp32: of 8 bits for VGG 16 and ResNet 50 (Figure 5), and of 16, 8 and 6 bits on average for
#: the others (section IV-E). A test holds them against config/claims.yaml.
PAPER = {
    "latency": {
        **{"vgg_16": 1.41, "resnet_v1_50": 1.41, "mobilenet_v1": 1.2},
        **dict.fromkeys(("inception_v1", "inception_v2", "inception_v3", "inception_v4"), 2.0),
    },
    "energy": {"vgg_16": 1.19, "resnet_v1_50": 1.19},
}

_BITS = 8
_PAPER = "the paper"
_COLOURS = {
    (TENSORFLOW, EVERY_INFERENCE): "#d55e00",
    (TENSORFLOW, ONCE): "#0072b2",
}
_OF_MODES = {EVERY_INFERENCE: "#e69f00", ONCE: "#56b4e9", INTEGER: "#00695c"}
# Inches: a dot's line, the space between models, the edge, the gap between texts and panels. Then the columns right of
# a panel: of ratios, and of their bounds, for which a single panel leaves room.
_LINE, _BETWEEN, _MARGIN, _GAP, _RATIOS, _BOUNDS = 0.135, 0.09, 0.05, 0.1, 0.42, 0.58
_TITLE, _AXIS, _TALLEST = 0.22, 0.38, 9.3
#: The ticks of an axis by the largest ratio of its ends.
_TICKS = {
    3: (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.7, 2, 2.5),
    12: (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5),
    float("inf"): (0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
}


@dataclass(frozen=True)
class _Regime:
    """A runtime and how its operations compute."""

    runtime: str
    arithmetic: str

    @property
    def name(self) -> str:
        return f"{title(self.runtime)}, {IN_SHORT[self.arithmetic]}"

    @property
    def colour(self) -> str:
        return _COLOURS.get((self.runtime, self.arithmetic), _OF_MODES[self.arithmetic])


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of time and energy of 8 bits, with the paper's ratio (`paper`).

    One variant of a model stands for a regime: a measured one, with 8-bit activations and without options if any.
    """
    quantized = study[(study["methods"] == QUANTIZE) & (study["bits"] == _BITS)]
    parts = [of_device(whole(own, *PAPER), *devices(own)[:1]) for own in by_runtime(quantized).values()]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["arithmetic"].isin(ARITHMETICS)]
    better = {"known": rows["ratio"].notna(), "fixed": rows["activations"].eq("8"), "plain": rows["options"].isna()}
    rows = rows.loc[pd.DataFrame(better).sort_values([*better], ascending=False, kind="stable").index]
    rows = rows.drop_duplicates(["model", "metric", "runtime", "arithmetic"]).sort_index()
    paper = [PAPER[metric].get(network) for metric, network in zip(rows["metric"], rows["network"], strict=True)]
    return rows.assign(paper=pd.array(paper, dtype="Float64")).reset_index(drop=True)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel for time and one for energy. Each model has a line for each regime."""
    values = table(study, plot)
    known = values[values["ratio"].notna()]
    metrics = [metric for metric in PAPER if metric in set(known["metric"])] or [next(iter(PAPER))]
    regimes = list(_regimes(known))
    rows = _arranged(style.measured_models(study, known), regimes)
    left = _MARGIN + rows.label_width + _names_width(regimes, known)
    texts = _RATIOS + (_BOUNDS if len(metrics) == 1 else 0.0)
    width = (style.DOUBLE - left - _MARGIN - (len(metrics) - 1) * _GAP) / len(metrics) - texts
    figure = style.figure(style.DOUBLE, _TITLE + rows.height + _AXIS)
    for number, metric in enumerate(metrics):
        corner = left + number * (width + texts + _GAP), _TITLE
        axes = panels.panel(figure, rows, *corner, width, METRICS[metric].title, names=False)
        _fill(axes, rows, regimes, values[values["metric"] == metric], bounds=len(metrics) == 1)
        if number == 0:
            _name_lines(axes, rows, regimes, known)
    panels.name_rows(figure, rows, _MARGIN + rows.label_width, _TITLE)
    return figure, values


def _regimes(known: pd.DataFrame) -> Iterator[_Regime]:
    """Yield the regimes with values, runtime by runtime."""
    for runtime, own in by_runtime(known).items():
        for mode in ARITHMETICS:
            if mode in set(own["arithmetic"]):
                yield _Regime(str(runtime), mode)


def _arranged(models: Sequence[style.ShownModel], regimes: Sequence[_Regime]) -> panels.Rows:
    """Return rows with a line for the paper and each regime. They fit on a page."""
    lines = len(regimes) + 1
    rows = panels.arrange(models, _LINE * lines + _BETWEEN)
    excess = _TITLE + rows.height + _AXIS - _TALLEST
    return rows if excess <= 0 else panels.arrange(models, rows.pitch - excess / len(models))


def _names_width(regimes: Sequence[_Regime], known: pd.DataFrame) -> float:
    """Return the inches that the names of lines take, with the longest of the variants."""
    longest = max(known["variant"], key=len, default="")
    return style.text_width(_PAPER, *(f"{regime.name} ({longest})" for regime in regimes)) + 2 * _GAP


def _lines(rows: panels.Rows, regimes: Sequence[_Regime], model: str) -> list[float]:
    """Return the places of a model's lines: of the paper, then of each regime."""
    height = rows.pitch - _BETWEEN
    line = height / (len(regimes) + 1)
    return [rows.centres[model] - height / 2 + (place + 0.5) * line for place in range(len(regimes) + 1)]


def _of_regime(rows: pd.DataFrame, regime: _Regime) -> pd.DataFrame:
    return rows[rows["runtime"].eq(regime.runtime) & rows["arithmetic"].eq(regime.arithmetic)]


def _name_lines(axes: Axes, rows: panels.Rows, regimes: Sequence[_Regime], known: pd.DataFrame) -> None:
    """Write the name of each line, with the variant that stands for a model there."""
    for model in rows.models:
        first, *others = _lines(rows, regimes, model.name)
        if any(model.network in of_metric for of_metric in PAPER.values()):
            _write(axes, _PAPER, first, (0, -4), style.INK)
        for regime, y in zip(regimes, others, strict=True):
            used = _of_regime(known[known["model"] == model.name], regime)["variant"].unique()
            _write(axes, f"{regime.name} ({captions.listing(used)})" if len(used) else "", y, (0, -4), regime.colour)


def _fill(axes: Axes, rows: panels.Rows, regimes: Sequence[_Regime], own: pd.DataFrame, *, bounds: bool) -> None:
    """Draw the ratios of one metric, and write them beside the panel."""
    known = own[own["ratio"].notna()]
    if known.empty:
        panels.explain(axes, panels.why_missing(own))
        return
    axes.axvline(1, color=style.INK, linewidth=0.7, zorder=1)
    _set_axis(axes, known)
    paper = PAPER[str(own["metric"].iloc[0])]
    for model in rows.models:
        first, *others = _lines(rows, regimes, model.name)
        height = (rows.pitch - _BETWEEN) * 72
        axes.axhline(rows.centres[model.name], color="#f4f4f4", linewidth=height, solid_capstyle="butt", zorder=0)
        if model.network in paper:
            axes.plot(paper[model.network], first, **panels.dot("D", style.INK, hollow=False))
            _write(axes, f"×{paper[model.network]:.2f}", first, (1, 72 * _RATIOS), style.INK)
        for regime, y in zip(regimes, others, strict=True):
            for row in _of_regime(known[known["model"] == model.name], regime).to_dict("records"):
                _draw_ratio(axes, row, y, regime.colour, bounds=bounds)


def _draw_ratio(axes: Axes, row: Mapping[Any, Any], y: float, colour: str, *, bounds: bool) -> None:
    """Draw a ratio with its interval. Write it beside the panel, with its `bounds` if there is room."""
    hollow = row["ratio_settled"] is not None and not pd.isna(row["ratio_settled"]) and not row["ratio_settled"]
    axes.plot(row["ratio"], y, **panels.dot("o", colour, hollow=hollow))
    _write(axes, f"×{row['ratio']:.2f}", y, (1, 72 * _RATIOS), style.INK)
    if not pd.isna(row["ratio_low"]) and not pd.isna(row["ratio_high"]):
        axes.plot([row["ratio_low"], row["ratio_high"]], [y, y], color=colour, linewidth=0.9, solid_capstyle="butt")
        if bounds:
            text = f"{row['ratio_low']:.2f}, {row['ratio_high']:.2f}"
            _write(axes, text, y, (1, 72 * (_RATIOS + _BOUNDS)), style.MUTED)


def _write(axes: Axes, text: str, y: float, end: tuple[float, float], colour: str) -> None:
    """Write text. `end` is an edge of the panel (0 left, 1 right), and points right of it."""
    axes.annotate(
        text, (end[0], y), (end[1], 0), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
        va="center_baseline", color=colour,
    )  # fmt: skip


def _set_axis(axes: Axes, known: pd.DataFrame) -> None:
    """Set the x axis, logarithmic, with all ratios and the paper's in sight."""
    shown = pd.concat([known["ratio"], known["paper"].dropna().astype(float)])
    low, high = min(shown.min(), 0.9) / 1.15, max(shown.max(), 1.1) * 1.15
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(next(ticks for most, ticks in _TICKS.items() if high / low < most)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(panels.multiple))
    axes.grid(axis="x")
    axes.set_xlabel("relative to fp32 of the same runtime")


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    known = values[values["ratio"].notna()]
    return captions.compose(
        f"Weights of {_BITS} bits in each regime: inference time and energy relative to fp32 of the same runtime.",
        f"The variants are {captions.listing(_variants(known))}." if len(known) else "",
        "Diamonds: the paper's number for the network, where it states one (Figure 5 for 8 bits; section IV-E for the"
        " average of 16, 8 and 6 bits of Inception and MobileNet), measured on the GPU of a Jetson TX2."
        if known["paper"].notna().any()
        else "",
        captions.measurements(study, values, "; cut off where they leave a panel"),
    )


def _variants(known: pd.DataFrame) -> Iterator[str]:
    """Yield the variants of each regime."""
    for regime in _regimes(known):
        of_mode = f"{in_print(regime.arithmetic)} in {title(regime.runtime)}"
        yield f"{captions.listing(_of_regime(known, regime)['variant'])} ({of_mode})"
