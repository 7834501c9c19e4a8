"""Draw the candidates of a search: the cost of each against its accuracy, and the requirements that bound them.

Without a required accuracy, the second axis is another required metric. Without any other, it is the order of costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from tocompress.reporting import palette, search, style
from tocompress.reporting.figures import Drawing, captions, panels, scales, scans
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.labels import Label, place
from tocompress.reporting.figures.search_marks import JUDGED, LINEAR, SCREENED, Bound, Shown, looks, marks, shown_axes
from tocompress.reporting.figures.svg import tell
from tocompress.settings.jobs import SearchFigureJob
from tocompress.vocabulary.metrics import ACCURACY, METRICS
from tocompress.vocabulary.variants import BASELINE

_OBSERVED = {"cost": "ratio", "metric": "change"}  # a metric, and its change to fp32
_RING = 8.0  # points, the radius around the chosen mark
_LARGE = 1.4  # of a usual mark's size
_CAPTION = 0.96 * style.DOUBLE  # inches, because letters at few dots per inch are wider
# Inches: the left axis, the lower axis, the panel, the text of a requirement beside it and above it, a margin.
_LEFT, _AXIS, _HEIGHT, _BESIDE, _ABOVE, _MARGIN = 0.5, 0.34, 2.75, 0.95, 0.2, 0.1


def drawing(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob) -> Drawing:
    """Return the figure of a table of schema `candidates` and its answer, with its caption and its marks."""
    return _drawing(candidates, answer, settings, str(caption(candidates, answer, settings)))


def without_caption(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob) -> Drawing:
    """Return the same for a page that has the caption as text."""
    return _drawing(candidates, answer, settings, "")


def _drawing(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob, text: str) -> Drawing:
    rows = marks(candidates, answer)
    with style.applied():
        return Drawing(_draw(rows, shown_axes(rows, candidates, answer), settings, text), rows)


def _draw(rows: pd.DataFrame, shown: tuple[Shown, Shown], settings: SearchFigureJob, text: str) -> Figure:
    """Draw the title, the key and the panel. Write `text` below."""
    across, along = shown
    top = scans.TITLE + scans.KEY + (_ABOVE if across.bound else _MARGIN / 2)
    width = style.DOUBLE - _LEFT - (_BESIDE if along.bound else _MARGIN)
    below = top + _HEIGHT + _AXIS
    lines = scans.caption_lines(text, _CAPTION) if text else []
    figure = style.figure(style.DOUBLE, below + (scans.height_of(lines) if lines else scans.MARGIN))
    scans.write_title(figure, f"{style.model_name(settings.model, settings.network)}: the candidates of its search")
    panels.key(figure, scans.MARGIN, scans.TITLE + scans.KEY / 2, _entries(rows))
    panel = style.axes(figure, _LEFT, top, width, _HEIGHT)
    _set_axis(panel, "x", across)
    _set_axis(panel, "y", along)
    _draw_bounds(panel, across.bound, along.bound)
    own = looks(rows)
    _draw_front(panel, rows, falling=along.axis.logarithmic)
    _draw_marks(panel, rows, own)
    place(panel, _labels(rows, own))
    for name in panel.texts:  # which may cross a light bar
        name.set_path_effects([withStroke(linewidth=2.0, foreground="white")])
    scans.write_lines(figure, below, lines)
    return figure


def _set_axis(panel: Axes, name: str, shown: Shown) -> None:
    """Set the axis `name`. Draw a thin line at fp32."""
    axis, low, high, scale = shown.axis, shown.low, shown.high, shown.scale
    options = {"linthresh": LINEAR} if scale == "symlog" else {}
    (panel.set_xscale if name == "x" else panel.set_yscale)(scale, **options)
    panel.set(**{f"{name}lim": (low, high), f"{name}label": axis.title})
    ticks = {"log": scales.logarithmic, "linear": scales.linear, "symlog": _losses}[scale](low, high)
    own = panel.xaxis if name == "x" else panel.yaxis
    texts = [f"{tick:g}" if scale == "log" else panels.percent(tick) for tick in ticks]
    scales.set_ticks(own, *((ticks, texts) if axis.metric else ([], [])))
    if axis.metric:
        lines, transform = (
            (panel.vlines, panel.get_xaxis_transform()) if name == "x" else (panel.hlines, panel.get_yaxis_transform())
        )
        lines(axis.origin, 0, 1, transform=transform, color=palette.FAINT, linewidth=0.7, zorder=0)


def _losses(low: float, high: float) -> list[float]:
    return [tick for tick in (-100, -50, -20, -10, -5, -2, 0, 2, 5, 10, 20) if low <= tick <= high]


def _draw_bounds(panel: Axes, across: Bound | None, along: Bound | None) -> None:
    """Draw the requirements as dashed lines. Their words stand outside of the panel, where no mark is."""
    dashed: dict[str, Any] = {"color": palette.MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}
    if across:
        panel.axvline(across.place, **dashed)
        panel.annotate(
            across.text, (across.place, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha=_side(panel, across.place), va="bottom", color=palette.MUTED, annotation_clip=False,
        )  # fmt: skip
    if along:
        panel.axhline(along.place, **dashed)
        panel.annotate(
            along.text.replace(" at ", "\nat "), (1, along.place), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="left", va="center", color=palette.MUTED, annotation_clip=False,
        )  # fmt: skip


def _side(panel: Axes, place: float) -> str:
    """Return how a text above the panel is aligned so that it stays on the page."""
    share = panel.transAxes.inverted().transform(panel.transData.transform((place, panel.get_ylim()[0])))[0]
    return "left" if share < 0.2 else "right" if share > 0.8 else "center"


def _draw_front(panel: Axes, rows: pd.DataFrame, *, falling: bool) -> None:
    """Draw the best of the second metric for each cost. Each step is a line of its own, so that names keep clear."""
    front = rows[rows["on_front"]].sort_values(["ratio", "change"])
    best = front["change"].cummin() if falling else front["change"].cummax()
    places = list(zip(front["ratio"], best, strict=True))
    if len(places) > 1:
        places.append((panel.get_xlim()[1], places[-1][1]))
    for (x, y), (next_x, next_y) in pairwise(places):
        panel.plot([x, next_x, next_x], [y, y, next_y], color=palette.MUTED, linewidth=0.9, zorder=2)


def _draw_marks(panel: Axes, rows: pd.DataFrame, shown: Mapping[str, palette.Look]) -> None:
    """Draw each mark with its intervals, the judged ones large and above, and a ring around the chosen one."""
    for row in rows.sort_values("stage", ascending=False).itertuples():
        look, judged = shown[row.variant], row.stage == JUDGED
        colour = look.colour if judged else palette.MUTED
        bars: dict[str, Any] = {"color": colour if judged else palette.FAINT, "zorder": 3 if judged else 1.5}
        # Names may cross these collections.
        panel.hlines(row.change, row.ratio_low, row.ratio_high, linewidth=1.0 if judged else 0.5, **bars)
        panel.vlines(row.ratio, row.change_low, row.change_high, linewidth=1.0 if judged else 0.5, **bars)
        mark = panels.dot(look.shape, colour, clear=row.clear)
        size = mark["markersize"] * (_LARGE if judged else 1.0)
        (drawn,) = panel.plot(row.ratio, row.change, **mark | {"markersize": size})
        tell(drawn, _told(row))
        if row.chosen:
            ring = panels.dot("o", palette.INK, clear=False)
            panel.plot(row.ratio, row.change, **ring | {"markersize": 2 * _RING, "markerfacecolor": "none"})


def _told(row: Any) -> str:
    """Return the numbers of a mark in words."""
    cost = f"{METRICS[row.cost].title} ×{_span(row.ratio, row.ratio_low, row.ratio_high)}"
    if pd.isna(row.metric):
        return f"{row.configuration}, {row.stage}: {cost}"
    unit = "points" if row.metric in ACCURACY else "times fp32"
    other = f"{METRICS[row.metric].title} {_span(row.change, row.change_low, row.change_high)} {unit}"
    return f"{row.configuration}, {row.stage}: {cost}; {other}"


def _span(value: float, low: float, high: float) -> str:
    texts = [f"{number:.3g}".replace("-", "\N{MINUS SIGN}") for number in (value, low, high)]
    return texts[0] if low == high else "{} ({} to {})".format(*texts)


def _labels(rows: pd.DataFrame, shown: Mapping[str, palette.Look]) -> list[Label]:
    """Return the names of fp32 and of the judged configurations."""
    named = rows[(rows["stage"] == JUDGED) | (rows["variant"] == BASELINE)]
    return [
        Label(
            f"chosen: {row.configuration}" if row.chosen else row.configuration,
            row.ratio,
            row.change,
            _RING if row.chosen else 6.0,
            shown[row.variant].colour,
        )
        for row in named.itertuples()
    ]


def _entries(rows: pd.DataFrame) -> list[panels.Entry]:
    """Return the key: the stages and the front."""
    stages = {JUDGED: panels.Entry("judged", colour=palette.INK), SCREENED: panels.Entry("screened, its last round")}
    entries = [entry for stage, entry in stages.items() if stage in set(rows["stage"])]
    return entries + ([panels.Entry("Pareto front", "_")] if rows["on_front"].sum() > 1 else [])


def caption(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob) -> Caption:
    """Return the caption: the outcome, the requirements, the observations of both stages, the basis of the front."""
    rows = marks(candidates, answer)
    across, along = shown_axes(rows, candidates, answer)
    others = rows[rows["variant"] != BASELINE]
    model = style.model_name(settings.model, settings.network)
    further = " and the higher" if along.axis.metric in ACCURACY else " and the lower" if along.axis.metric else ""
    return Caption(
        _finding(rows, answer, model),
        f"Each mark is a configuration. The further left{further}, the better.",
        captions.compose(
            f"Required: {captions.listing(search.requirements(answer))}.",
            _outcome(answer),
            _stage(others[others["stage"] == SCREENED], f"the calibration set of {settings.data}", "Small and grey"),
            _stage(others[others["stage"] == JUDGED], f"the test set of {settings.data}", "Large"),
            "Filled: an interval excludes no change from fp32.",
            "On the Pareto front is each configuration that no other one is shown to beat in one goal with a value as"
            " good in the other. The line joins the best values."
            if rows["on_front"].sum() > 1
            else "",
            "Dashed: a requirement." if across.bound or along.bound else "",
            f"The axis of changes is logarithmic beyond {LINEAR:g} points." if along.scale == "symlog" else "",
        ),
    )


def _finding(rows: pd.DataFrame, answer: Mapping[str, Any], model: str) -> str:
    """Return the chosen configuration with its cost, or that there is none."""
    chosen = rows[rows["chosen"]]
    if chosen.empty:
        return f"No configuration of {model} surely meets all requirements, of {answer['tried']} that were tried."
    row = next(chosen.itertuples())
    if row.variant == BASELINE:
        return f"fp32 is the cheapest configuration of {model} that surely meets all requirements."
    cost = f"×{_span(row.ratio, row.ratio_low, row.ratio_high)} of fp32's {METRICS[row.cost].title}"
    return f"{model} with {row.configuration} meets all requirements at {cost}."


def _outcome(answer: Mapping[str, Any]) -> str:
    """Return the meaning of the ring, or that nothing was chosen."""
    if answer["met"]:
        return "Ringed: the chosen one, the first judged one whose intervals meet all requirements."
    return "None was chosen, as none surely meets all requirements."


def _stage(rows: pd.DataFrame, of: str, look: str) -> str:
    """Return the look of the marks of a stage, and the number of observations behind them."""
    if rows.empty:
        return ""
    stage, levels = rows["stage"].iloc[0], captions.listing(f"{100 * level:.3g}" for level in rows["level"].unique())
    metrics = [(rows[name].iloc[0], f"{change}_n") for name, change in _OBSERVED.items() if f"{change}_n" in rows]
    observed = [
        f"{captions.listing(f'{n:,}' for n in sorted(rows[column].unique()))} {_observations(metric, of)}"
        for metric, column in metrics
        if METRICS[metric].kind != "count"
    ]
    sure = f", {levels} % intervals" if observed else ""
    on = f" on {captions.listing(observed)}" if observed else ""
    return f"{look}: {stage}{on}{sure}."


def _observations(metric: str, of: str) -> str:
    """Return the name of a metric's observations. BLEU is of resampled sentences."""
    if metric not in ACCURACY:
        return "processes"
    return f"{'resamples' if METRICS[metric].task == 'translation' else 'examples'} of {of}"
