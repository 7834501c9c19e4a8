"""Draw time and energy of 8 bits in the paper, and in each runtime and arithmetic here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import captions, panels, scales
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.figures.values import told
from tocompress.reporting.study import by_runtime, devices, is_clear, of_device, whole
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, IN_SHORT, in_print
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title
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
# Inches: a dot's line, the space between models, the edge, the gap between texts and panels. Then the columns right of
# a panel: of ratios, and of their bounds, for which a single panel leaves room.
_LINE, _BETWEEN, _MARGIN, _GAP, _RATIOS, _BOUNDS = 0.135, 0.09, 0.05, 0.1, 0.42, 0.58
_TITLE, _AXIS, _TALLEST = 0.22, 0.38, 9.3


@dataclass(frozen=True)
class _Regime:
    """A runtime and how its operations compute."""

    runtime: str
    arithmetic: str

    @property
    def name(self) -> str:
        return f"{title(self.runtime)}, {IN_SHORT[self.arithmetic]}"


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of time and energy of 8 bits, with the paper's ratio (`paper`).

    One variant of a model stands for a regime. A measured one comes first, then 8-bit activations, then no options.
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
    if known.empty:
        return panels.sentence(captions.unavailable(values) or f"No model has weights of {_BITS} bits."), values
    metrics = [metric for metric in PAPER if metric in set(known["metric"])]
    regimes = list(_regimes(known))
    rows = _arranged(style.measured_models(study, known), regimes)
    left = _MARGIN + rows.label_width + _names_width(regimes, known)
    texts = _RATIOS + (_BOUNDS if len(metrics) == 1 else 0.0)
    width = (style.DOUBLE - left - _MARGIN - (len(metrics) - 1) * _GAP) / len(metrics) - texts
    figure = style.figure(style.DOUBLE, _TITLE + rows.height + _AXIS)
    for number, metric in enumerate(metrics):
        corner = left + number * (width + texts + _GAP), _TITLE
        axes = panels.panel(figure, rows, *corner, width, METRICS[metric].title, names=False)
        own = known[known["metric"] == metric].assign(clear=is_clear)
        _fill(axes, rows, regimes, own, palette.looks(study), bounds=len(metrics) == 1)
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
            _write(axes, _PAPER, first, (0, -4), palette.INK)
        for regime, y in zip(regimes, others, strict=True):
            used = _of_regime(known[known["model"] == model.name], regime)["variant"].unique()
            _write(axes, f"{regime.name} ({captions.listing(used)})" if len(used) else "", y, (0, -4), palette.INK)


def _fill(
    axes: Axes,
    rows: panels.Rows,
    regimes: Sequence[_Regime],
    known: pd.DataFrame,
    looks: Mapping[str, palette.Look],
    *,
    bounds: bool,
) -> None:
    """Draw the ratios of one metric, and write them beside the panel."""
    axes.axvline(1, color=palette.INK, linewidth=0.7, zorder=1)
    _set_axis(axes, known)
    paper = PAPER[str(known["metric"].iloc[0])]
    for model in rows.models:
        first, *others = _lines(rows, regimes, model.name)
        height = (rows.pitch - _BETWEEN) * 72
        axes.axhline(rows.centres[model.name], color=palette.SOFT, linewidth=height, solid_capstyle="butt", zorder=0)
        if model.network in paper:
            ratio = paper[model.network]
            (mark,) = axes.plot(ratio, first, **panels.dot("D", palette.INK, clear=True))
            tell(mark, f"{model.label} in the paper: {METRICS[str(known['metric'].iloc[0])].title} ×{ratio:.2f}")
            _write(axes, f"×{ratio:.2f}", first, (1, 72 * _RATIOS), palette.INK)
        for regime, y in zip(regimes, others, strict=True):
            for row in _of_regime(known[known["model"] == model.name], regime).itertuples():
                _draw_ratio(axes, row, y, looks[row.variant], bounds=bounds)


def _draw_ratio(axes: Axes, row: Any, y: float, look: palette.Look, *, bounds: bool) -> None:
    """Draw a ratio with its interval. Write it beside the panel, with its `bounds` if there is room."""
    (mark,) = axes.plot(row.ratio, y, **panels.dot(look.shape, look.colour, clear=row.clear))
    tell(mark, f"{told(row)}, in {title(row.runtime)}")
    _write(axes, f"×{row.ratio:.2f}", y, (1, 72 * _RATIOS), palette.INK)
    if not pd.isna(row.ratio_low) and not pd.isna(row.ratio_high):
        ends = [row.ratio_low, row.ratio_high]
        axes.plot(ends, [y, y], color=look.colour, linewidth=0.9, solid_capstyle="butt")
        if bounds:
            _write(axes, "{:.2f}, {:.2f}".format(*ends), y, (1, 72 * (_RATIOS + _BOUNDS)), palette.MUTED)


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
    ticks = scales.logarithmic(low, high)
    scales.set_ticks(axes.xaxis, ticks, [panels.multiple(tick) for tick in ticks])
    axes.grid(axis="x")
    axes.set_xlabel("relative to fp32 of the same runtime")


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    known = values[values["ratio"].notna()]
    return Caption(
        _finding(known),
        "Each line is a way to compute with weights of 8 bits, relative to fp32 of the same runtime."
        if len(known)
        else "",
        captions.compose(
            captions.FILLED if len(known) else "",
            f"The variants are {captions.listing(_variants(known))}." if len(known) else "",
            "Diamonds: the paper's number for the network, where it states one (Figure 5 for 8 bits; section IV-E for"
            " the average of 16, 8 and 6 bits of Inception and MobileNet), measured on the GPU of a Jetson TX2."
            if known["paper"].notna().any()
            else "",
            captions.measurements(study, values, "; cut off where they leave a panel"),
        ),
    )


def _finding(known: pd.DataFrame) -> str:
    """Return in how many models each regime is clearly slower or faster than fp32."""
    times = known[known["metric"] == "latency"]
    times = times.assign(clear=is_clear(times))
    phrases = [_verdict(regime, _of_regime(times, regime)) for regime in _regimes(times)]
    return captions.compose("Inference time of 8 bits against fp32:" if phrases else "", *phrases)


def _verdict(regime: _Regime, own: pd.DataFrame) -> str:
    slower, faster = (int((own["clear"] & apart).sum()) for apart in (own["ratio"] > 1, own["ratio"] < 1))
    counts = {"slower": slower, "faster": faster, "no clear change": len(own) - slower - faster}
    told = captions.listing(f"{kind} in {count}" for kind, count in counts.items() if count)
    span = captions.listing(f"×{ratio:.2f}" for ratio in (own["ratio"].min(), own["ratio"].max()))
    return f"{regime.name}, {told} of {len(own)} models ({span.replace(' and ', ' to ')})."


def _variants(known: pd.DataFrame) -> Iterator[str]:
    """Yield the variants of each regime."""
    for regime in _regimes(known):
        of_mode = f"{in_print(regime.arithmetic)} in {title(regime.runtime)}"
        yield f"{captions.listing(_of_regime(known, regime)['variant'])} ({of_mode})"
