"""Draw how the accuracy of each model falls with the bits of its weights: per tensor, per channel and with options."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.study import made_by, select
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.variants import BASELINE, QUANTIZE

_COLUMNS = 4
#: Marker and colour of the paper's quantizer by its granularity, and of quantizers with options.
_GRIDS = {"per tensor": ("o", "#d55e00"), "per channel": ("s", "#0072b2")}
_WITH_OPTIONS = (("^", "#009e73"), ("D", "#cc79a7"), ("v", "#56b4e9"))
# Inches: the key, a panel's height and title, the space below and between panels, the left axis, the edge.
_KEY, _HEIGHT, _TITLE, _BELOW, _BETWEEN, _LEFT, _MARGIN = 0.22, 1.05, 0.2, 0.22, 0.14, 0.4, 0.05
_AXIS = 0.2  # inches, the name of the axis under the last panels


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return top-1 or BLEU of fp32 and of the variants that are only quantized, with the same bits everywhere."""
    drawn = study[study["variant"].isin([BASELINE, *made_by(study[study["bits"].notna()], QUANTIZE)])]
    return select(drawn, *JUDGES, arithmetic=plot.arithmetic).reset_index(drop=True)


def _looks(rows: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return the marker and the colour of each quantizer that rows show."""
    named = set(_quantizers(rows[rows["variant"] != BASELINE]))
    others = sorted(named - _GRIDS.keys())
    return {name: look for name, look in _GRIDS.items() if name in named} | dict(
        zip(others, _WITH_OPTIONS, strict=False)
    )


def _quantizers(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the granularity and the options of each row's quantizer, as a key names them."""
    return "per " + rows["granularity"] + (", " + rows["options"]).fillna("")


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel per model. Bits fall from left to right, on a logarithmic axis."""
    values = table(study, plot)
    scored = values[values["value"].notna()]
    models = style.measured_models(study, scored)
    lines = math.ceil(len(models) / _COLUMNS)
    pitch = _TITLE + _HEIGHT + _BELOW
    figure = style.figure(style.DOUBLE, _KEY + lines * pitch + _AXIS)
    if scored.empty:
        axes = style.axes(figure, _MARGIN, _KEY, style.DOUBLE - 2 * _MARGIN, _HEIGHT)
        axes.set_yticks([])
        panels.explain(axes, panels.why_missing(values))
        return figure, values
    looks = _looks(scored)
    panels.key(figure, _LEFT, _KEY / 2, [panels.Entry(name, *look, bold=True) for name, look in looks.items()])
    width = (style.DOUBLE - _LEFT - _MARGIN - (_COLUMNS - 1) * _BETWEEN) / _COLUMNS
    bits = sorted(int(number) for number in values["bits"].dropna().unique())
    for number, model in enumerate(models):
        line, column = divmod(number, _COLUMNS)
        axes = style.axes(
            figure, _LEFT + column * (width + _BETWEEN), _KEY + _TITLE + line * pitch, width, _HEIGHT
        )  # fmt: skip
        _set_up(axes, bits, named=column == 0, last=number + _COLUMNS >= len(models))
        _lines(axes, model, scored[scored["model"] == model.name], looks)
    return figure, values


def _set_up(axes: Axes, bits: list[int], *, named: bool, last: bool) -> None:
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 25, 50, 75, 100], ["0", "", "50", "", "100"] if named else [""] * 5)
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    low, high = (bits[0], bits[-1]) if bits else (1, 2)
    axes.set_xlim(high * 1.15, low / 1.15)
    axes.set_xticks(bits, [str(bit) if bit in (2, 3, 4, 6, 8, 16) else "" for bit in bits])
    axes.grid(axis="y")
    if named:
        axes.set_ylabel("top-1 (%) or BLEU")
    if last:
        axes.set_xlabel("bits a weight")


def _lines(axes: Axes, model: style.ShownModel, rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    scale = 100 if "top1" in set(rows["metric"]) else 1
    baseline = rows.loc[rows["variant"] == BASELINE, "value"]
    title = model.label
    if len(baseline):
        axes.axhline(scale * baseline.iloc[0], color=style.INK, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        title += f" ({scale * baseline.iloc[0]:.1f})"
    axes.set_title(title, loc="left", pad=3, fontweight="bold", fontsize=style.SMALL)
    for name, (marker, colour) in looks.items():
        own = rows[_quantizers(rows).eq(name).fillna(False)].sort_values("bits")
        axes.plot(own["bits"], scale * own["value"], color=colour, marker=marker, markersize=2.6, zorder=3)
        axes.vlines(own["bits"], scale * own["low"], scale * own["high"], color=colour, linewidth=0.8, zorder=2)


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    return captions.compose(
        "Accuracy against the bits of a weight: post-training quantization of all kernels without retraining, with one"
        " grid a tensor and one an output channel. Dashed, and in brackets: the uncompressed model.",
        captions.options_of(values),
        captions.artifacts_of(study),
        captions.few_bits_sentence(study, values),
        captions.intervals(values),
        captions.observations(values),
        captions.unavailable(values),
    )
