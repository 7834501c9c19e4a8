"""Draw how the accuracy of each model falls with the bits of its weights: per tensor, per channel and with options."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.figures.values import told
from tocompress.reporting.study import is_clear, made_by, select
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.variants import BASELINE, QUANTIZE

_COLUMNS = 4
#: Marker and line of the paper's quantizer by its granularity, and of quantizers with options.
_GRIDS = {"per tensor": ("o", "-"), "per channel": ("s", "--")}
_WITH_OPTIONS = (("^", ":"), ("D", "-."), ("v", ":"))
# Inches: the key, a panel's height and title, the space below and between panels, the left axis, the edge.
_KEY, _HEIGHT, _TITLE, _BELOW, _BETWEEN, _LEFT, _MARGIN = 0.22, 1.05, 0.2, 0.22, 0.14, 0.4, 0.05
_AXIS = 0.2  # inches, the name of the axis under the last panels


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return top-1 or BLEU of fp32 and of the variants that are only quantized, with the same bits everywhere."""
    drawn = study[study["variant"].isin([BASELINE, *made_by(study[study["bits"].notna()], QUANTIZE)])]
    return select(drawn, *JUDGES, arithmetic=plot.arithmetic).reset_index(drop=True)


def _styles(rows: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return the marker and the line of each quantizer that rows show."""
    named = set(_quantizers(rows[rows["variant"] != BASELINE]))
    others = sorted(named - _GRIDS.keys())
    return {name: style for name, style in _GRIDS.items() if name in named} | dict(
        zip(others, _WITH_OPTIONS, strict=False)
    )


def _quantizers(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the granularity and the options of each row's quantizer, as a key names them."""
    return "per " + rows["granularity"] + (", " + rows["options"]).fillna("")


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel per model. Bits fall from left to right, on a logarithmic axis."""
    values = table(study, plot)
    scored = values[values["value"].notna()]
    if scored.empty:
        return panels.sentence(panels.why_missing(values)), values
    models = style.measured_models(study, scored)
    lines = math.ceil(len(models) / _COLUMNS)
    pitch = _TITLE + _HEIGHT + _BELOW
    figure = style.figure(style.DOUBLE, _KEY + lines * pitch + _AXIS)
    styles = _styles(scored)
    panels.key(figure, _LEFT, _KEY / 2, [panels.Entry(name, marker) for name, (marker, _) in styles.items()])
    width = (style.DOUBLE - _LEFT - _MARGIN - (_COLUMNS - 1) * _BETWEEN) / _COLUMNS
    bits = sorted(int(number) for number in values["bits"].dropna().unique())
    looks = palette.looks(study)
    for number, model in enumerate(models):
        line, column = divmod(number, _COLUMNS)
        axes = style.axes(
            figure, _LEFT + column * (width + _BETWEEN), _KEY + _TITLE + line * pitch, width, _HEIGHT
        )  # fmt: skip
        _set_up(axes, bits, named=column == 0, last=number + _COLUMNS >= len(models))
        _lines(axes, model, scored[scored["model"] == model.name], styles, looks)
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


def _lines(
    axes: Axes,
    model: style.ShownModel,
    rows: pd.DataFrame,
    styles: Mapping[str, tuple[str, str]],
    looks: Mapping[str, palette.Look],
) -> None:
    """Draw a line of each quantizer, with marks in the colours of the bits, and fp32 as a dashed line."""
    scale = 100 if "top1" in set(rows["metric"]) else 1
    baseline = rows.loc[rows["variant"] == BASELINE, "value"]
    title = model.label
    if len(baseline):
        axes.axhline(scale * baseline.iloc[0], color=palette.INK, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        title += f" ({scale * baseline.iloc[0]:.1f})"
    axes.set_title(title, loc="left", pad=3, fontweight="bold", fontsize=style.SMALL)
    rows = rows.assign(clear=is_clear(rows))
    for name, (marker, line) in styles.items():
        own = rows[_quantizers(rows).eq(name).fillna(False)].sort_values("bits")
        axes.plot(own["bits"], scale * own["value"], color=palette.MUTED, linestyle=line, linewidth=0.7, zorder=2)
        for row in own.itertuples():
            colour = looks[row.variant].colour
            axes.plot([row.bits] * 2, [scale * row.low, scale * row.high], color=colour, linewidth=0.8, zorder=2)
            (mark,) = axes.plot(row.bits, scale * row.value, **panels.dot(marker, colour, clear=row.clear))
            tell(mark, told(row))


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    return Caption(
        _finding(values),
        "Accuracy against the bits of a weight. Dashed, and in brackets: the uncompressed model.",
        captions.compose(
            captions.FILLED,
            "All kernels are quantized after training, without retraining, with one grid a tensor or one an output"
            " channel.",
            captions.options_of(values),
            captions.artifacts_of(study),
            captions.few_bits_sentence(study, values),
            captions.intervals(values),
            captions.observations(values),
            captions.unavailable(values),
        ),
    )


def _finding(values: pd.DataFrame) -> str:
    """Return the bits from which models lose accuracy clearly. The first quantizer counts."""
    known = values[values["change"].notna() & values["variant"].ne(BASELINE)]
    if known.empty:
        return ""
    quantizer = next(iter(_styles(known)))
    own = known[_quantizers(known).eq(quantizer)]
    lower = (is_clear(own) & own["change"].lt(0)).groupby(own["bits"]).agg(["sum", "count"]).sort_index(ascending=False)
    lossy = lower[lower["sum"] > 0]
    if lossy.empty:
        return f"Down to {lower.index[-1]} bits, the accuracy of no model is clearly lower ({quantizer})."
    bits, (worse, count) = lossy.index[0], lossy.iloc[0]
    return f"From {bits} bits down, models lose accuracy clearly: {worse} of {count} with {bits} bits ({quantizer})."
