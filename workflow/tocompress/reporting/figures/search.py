"""Draw the candidates of a search: the cost of each against its accuracy, and the requirements that bound them.

Without a required accuracy, the second axis is another required metric. Without any other, it is the order of costs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from tocompress.reporting import search, style
from tocompress.reporting.figures import Drawing, captions, panels, scans
from tocompress.reporting.figures.labels import Label, place
from tocompress.reporting.figures.pareto import undominated
from tocompress.settings.jobs import SearchFigureJob
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER
from tocompress.vocabulary.metrics import ACCURACY, METRICS
from tocompress.vocabulary.variants import BASELINE

_SCREENED, _JUDGED = "screened", "judged"
_OF_CONFIGURATION = ["variant", "judging", "share", "arithmetic", "bits", "level"]
_OBSERVED = {"cost": "ratio", "metric": "change"}  # a metric, and its change to fp32
_COLOURS, _MARKERS = {FLOAT: "#0072b2", INTEGER: "#c04e00"}, {FLOAT: "o", INTEGER: "s"}
#: How much of the page's white a light mark or bar has.
_LIGHT = 0.55
_RING = 8.0  # points, the radius around the chosen mark
_CAPTION = 0.96 * style.DOUBLE  # inches, because letters at few dots per inch are wider
# Inches: the left axis, the lower axis, the panel, the text of a requirement beside it and above it, a margin.
_LEFT, _AXIS, _HEIGHT, _BESIDE, _ABOVE, _MARGIN = 0.5, 0.34, 2.75, 0.95, 0.2, 0.1
#: The steps of a logarithmic axis, coarse to fine.
_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 7), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))
_LINEAR = 5.0  # points, beyond which an axis with large losses is logarithmic
_FEW = 4  # ticks
_SPAN = {False: 2.0, True: 0.05}  # the least of an axis, by whether it is logarithmic
_ROOM = 0.07  # of the span, beyond the marks


class _Axis(NamedTuple):
    """An axis of the figure: its metric (None: the order of costs) and the columns of its values."""

    metric: str | None
    value: str
    low: str
    high: str

    @property
    def logarithmic(self) -> bool:
        return self.metric is not None and self.metric not in ACCURACY

    @property
    def title(self) -> str:
        if self.metric is None:
            return "configurations, the cheapest lowest"
        of = METRICS[self.metric].title
        return f"{of} relative to fp32" if self.logarithmic else f"change of {of} from fp32 (points)"

    @property
    def origin(self) -> float:
        """Return the value of fp32."""
        return 1.0 if self.logarithmic else 0.0


class _Bound(NamedTuple):
    """A requirement on an axis: its place, and its words."""

    place: float
    text: str


class _Shown(NamedTuple):
    """An axis with its ends, and the requirement between them, if there is one."""

    axis: _Axis
    low: float
    high: float
    bound: _Bound | None

    @property
    def scale(self) -> str:
        """Return the scale: large losses shall leave room for the small ones."""
        if self.axis.logarithmic:
            return "log"
        return "symlog" if self.axis.metric and self.low < -2 * _LINEAR else "linear"


def drawing(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob) -> Drawing:
    """Return the figure of a table of schema `candidates` and its answer, with its caption and its marks."""
    return _drawing(candidates, answer, settings, caption(candidates, answer, settings))


def without_caption(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob) -> Drawing:
    """Return the same for a page that has the caption as text."""
    return _drawing(candidates, answer, settings, "")


def _drawing(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob, text: str) -> Drawing:
    rows = marks(candidates, answer)
    with style.applied():
        return Drawing(_draw(rows, _shown(rows, candidates, answer), settings, text), rows)


def _shown(rows: pd.DataFrame, candidates: pd.DataFrame, answer: Mapping[str, Any]) -> tuple[_Shown, _Shown]:
    """Return both axes of the figure."""
    axes = _Axis(answer["minimized"], "ratio", "ratio_low", "ratio_high"), _second(answer)
    across, along = (_fitted(axis, rows, _bound(axis, candidates, answer)) for axis in axes)
    return across, along


def marks(candidates: pd.DataFrame, answer: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row of each mark: a configuration in its last round of screening, and one in the judging.

    `ratio` is of the minimized cost, `change` of `metric`. fp32 has one mark without intervals.
    """
    last = candidates.groupby(["variant", "judging"])["trial"].transform("max")
    rows = candidates[candidates["trial"] == last]
    cost, axis = answer["minimized"], _second(answer)
    found = _changes(rows, cost, "ratio").assign(metric=axis.metric)
    if axis.metric is None:
        found = found.sort_values("ratio", ascending=False, kind="stable")
        found["change"] = found["change_low"] = found["change_high"] = range(len(found))[::-1]
    else:
        found = found.merge(_changes(rows, axis.metric, "change"), on=_OF_CONFIGURATION)
        scale = 1.0 if axis.logarithmic else search.points(axis.metric)
        found[["change", "change_low", "change_high"]] *= scale
    return _told(_fp32_once(found, axis), answer, axis)


def _changes(rows: pd.DataFrame, metric: str, name: str) -> pd.DataFrame:
    """Return the changes of a metric to fp32 and their bounds, in columns named after `name`."""
    own = rows[rows["metric"] == metric]
    found = own[_OF_CONFIGURATION].copy()
    found[name] = own["change"]
    for bound in ("low", "high"):
        found[f"{name}_{bound}"] = own[f"change_{bound}"].fillna(own["change"])
    return found.assign(**{f"{name}_n": own["n"]})


def _fp32_once(found: pd.DataFrame, axis: _Axis) -> pd.DataFrame:
    """Return the marks with the last one of fp32 alone, which differs from itself by chance only."""
    fp32 = found["variant"] == BASELINE
    kept = found[~fp32 | (found.index == found[fp32].sort_values("judging").index[-1])].copy()
    kept.loc[kept["variant"] == BASELINE, ["ratio_low", "ratio", "ratio_high"]] = 1.0
    if axis.metric is not None:
        kept.loc[kept["variant"] == BASELINE, ["change_low", "change", "change_high"]] = axis.origin
    return kept


def _told(found: pd.DataFrame, answer: Mapping[str, Any], axis: _Axis) -> pd.DataFrame:
    """Return the marks with the words of each, its verdict and its place on the front."""
    words, verdicts = search.names(found), {row["variant"]: row["verdict"] for row in answer["judged"]}
    known = found[found["judging"] | ~found["variant"].isin(found.loc[found["judging"], "variant"])]
    gains = -known["change"] if axis.logarithmic else known["change"]
    front = undominated(known["ratio"], gains) if axis.metric else pd.Series(False, known.index, dtype="boolean")
    return found.assign(
        configuration=found["variant"].map(words),
        cost=answer["minimized"],
        stage=found["judging"].map({True: _JUDGED, False: _SCREENED}),
        verdict=found["variant"].map(verdicts).where(found["judging"]),
        on_front=front.reindex(found.index, fill_value=False).astype(bool),
        chosen=found["judging"] & (found["variant"] == answer["chosen"]),
    ).drop(columns="judging")


def _second(answer: Mapping[str, Any]) -> _Axis:
    """Return the second axis: the first required accuracy, else another required metric, else none."""
    required = [row["metric"] for row in answer["judged"][0]["requirements"] if row["metric"] != answer["minimized"]]
    ordered = sorted(required, key=lambda metric: metric not in ACCURACY)
    return _Axis(ordered[0] if ordered else None, "change", "change_low", "change_high")


def _bound(axis: _Axis, candidates: pd.DataFrame, answer: Mapping[str, Any]) -> _Bound | None:
    """Return the requirement that an axis shows. Its place is relative to the fp32 of the judging."""
    rows = [row for row in answer["judged"][0]["requirements"] if row["metric"] == axis.metric]
    if not rows:
        return None
    bound, text = rows[0]["bound"], search.requirement(rows[0])
    fp32 = candidates[candidates["judging"] & (candidates["variant"] == BASELINE)].set_index("metric")["value"]
    if axis.logarithmic:
        return _Bound(bound / fp32[axis.metric], text)
    change = -bound if rows[0]["requirement"] == search.LOSS else bound - fp32[axis.metric]
    return _Bound(search.points(str(axis.metric)) * change, text)


def _fitted(axis: _Axis, rows: pd.DataFrame, bound: _Bound | None) -> _Shown:
    """Return an axis that shows all marks. A requirement that is further away than they span stays outside."""
    to, back = (math.log10, lambda place: 10.0**place) if axis.logarithmic else (float, float)
    lows, values, highs = (rows[name].map(to) for name in (axis.low, axis.value, axis.high))
    least = _SPAN[axis.logarithmic]
    low, high = panels.reach(lows, values, highs, least)
    span = max(high - low, least)
    within = bound is not None and low - span <= to(bound.place) <= high + span
    if bound and within:
        low, high = min(low, to(bound.place)), max(high, to(bound.place))
    room = max(_ROOM * (high - low), (least - (high - low)) / 2)
    return _Shown(axis, back(low - room), back(high + room), bound if within else None)


def _draw(rows: pd.DataFrame, shown: tuple[_Shown, _Shown], settings: SearchFigureJob, text: str) -> Figure:
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
    _draw_front(panel, rows)
    _draw_marks(panel, rows)
    place(panel, _labels(rows))
    for name in panel.texts:  # which may cross a light bar
        name.set_path_effects([withStroke(linewidth=2.0, foreground="white")])
    scans.write_lines(figure, below, lines)
    return figure


def _set_axis(panel: Axes, name: str, shown: _Shown) -> None:
    """Set the scale, the ends, the ticks and the title of the axis `name`, with a thin line at fp32."""
    axis, low, high, scale = shown.axis, shown.low, shown.high, shown.scale
    options = {"linthresh": _LINEAR} if scale == "symlog" else {}
    (panel.set_xscale if name == "x" else panel.set_yscale)(scale, **options)
    panel.set(**{f"{name}lim": (low, high), f"{name}label": axis.title})
    ticks = {"log": _ratios, "linear": _numbers, "symlog": _losses}[scale](low, high) if axis.metric else []
    own = panel.xaxis if name == "x" else panel.yaxis
    own.set_major_locator(FixedLocator(ticks))
    own.set_major_formatter(FixedFormatter([f"{tick:g}" if scale == "log" else panels.percent(tick) for tick in ticks]))
    own.set_minor_locator(NullLocator())
    if axis.metric:
        lines, transform = (
            (panel.vlines, panel.get_xaxis_transform()) if name == "x" else (panel.hlines, panel.get_yaxis_transform())
        )
        lines(axis.origin, 0, 1, transform=transform, color=style.FAINT, linewidth=0.7, zorder=0)


def _ratios(low: float, high: float) -> list[float]:
    """Return round ratios between the ends of a logarithmic axis, as few as tell it."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _STEPS:
        ticks = [round(step * 10.0**power, 9) for power in powers for step in steps]
        within = [tick for tick in ticks if low <= tick <= high]
        if len(within) >= _FEW:
            return within
    return _numbers(low, high)


def _numbers(low: float, high: float) -> list[float]:
    ticks = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [round(float(tick), 9) for tick in ticks if low <= tick <= high]


def _losses(low: float, high: float) -> list[float]:
    return [tick for tick in (-100, -50, -20, -10, -5, -2, 0, 2, 5, 10, 20) if low <= tick <= high]


def _draw_bounds(panel: Axes, across: _Bound | None, along: _Bound | None) -> None:
    """Draw the requirements as dashed lines. Their words stand outside of the panel, where no mark is."""
    dashed: dict[str, Any] = {"color": style.MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}
    if across:
        panel.axvline(across.place, **dashed)
        panel.annotate(
            across.text, (across.place, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha=_side(panel, across.place), va="bottom", color=style.MUTED, annotation_clip=False,
        )  # fmt: skip
    if along:
        panel.axhline(along.place, **dashed)
        panel.annotate(
            along.text.replace(" at ", "\nat "), (1, along.place), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="left", va="center", color=style.MUTED, annotation_clip=False,
        )  # fmt: skip


def _side(panel: Axes, place: float) -> str:
    """Return how a text above the panel is aligned so that it stays on the page."""
    share = panel.transAxes.inverted().transform(panel.transData.transform((place, panel.get_ylim()[0])))[0]
    return "left" if share < 0.2 else "right" if share > 0.8 else "center"


def _draw_front(panel: Axes, rows: pd.DataFrame) -> None:
    """Draw the Pareto front as stairs. Each step is a line of its own, so that names keep clear of it."""
    front = rows[rows["on_front"]].sort_values(["ratio", "change"])
    places = list(zip(front["ratio"], front["change"], strict=True))
    if len(places) > 1:
        places.append((panel.get_xlim()[1], places[-1][1]))
    for (x, y), (next_x, next_y) in pairwise(places):
        panel.plot([x, next_x], [y, y], color=style.INK, linewidth=0.9, zorder=2)
        panel.plot([next_x, next_x], [y, next_y], color=style.INK, linewidth=0.9, zorder=2)


def _draw_marks(panel: Axes, rows: pd.DataFrame) -> None:
    """Draw each mark with its intervals, the judged ones above the others, and a ring around the chosen one."""
    for row in rows.sort_values("stage", ascending=False).itertuples():
        light = row.stage == _SCREENED
        colour = _colour(row)
        across, along = (row.ratio_low, row.ratio_high), (row.change_low, row.change_high)
        if light:  # as collections, which names may cross
            look: dict[str, Any] = {"color": _lighter(colour), "linewidth": 0.5, "zorder": 1.5}
            panel.hlines(row.change, *across, **look)
            panel.vlines(row.ratio, *along, **look)
        else:
            panel.plot(across, [row.change] * 2, color=colour, linewidth=1.0)
            panel.plot([row.ratio] * 2, along, color=colour, linewidth=1.0)
        mark = panels.dot(_marker(row), colour, hollow=light and row.variant != BASELINE)
        panel.plot(row.ratio, row.change, **mark | {"markersize": 4.0 if light else 5.0})
        if row.chosen:
            ring = panels.dot("o", style.INK, hollow=True)
            panel.plot(row.ratio, row.change, **ring | {"markersize": 2 * _RING, "markerfacecolor": "none"})


def _colour(row: Any) -> str:
    return style.INK if row.variant == BASELINE else _COLOURS[row.arithmetic]


def _marker(row: Any) -> str:
    """Return the marker of an arithmetic, because colour alone must not distinguish them."""
    return "D" if row.variant == BASELINE else _MARKERS[row.arithmetic]


def _lighter(colour: str) -> str:
    """Return a colour mixed with white."""
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + _LIGHT * (255 - part)):02x}" for part in parts)


def _labels(rows: pd.DataFrame) -> list[Label]:
    """Return the names of fp32 and of the judged configurations."""
    named = rows[(rows["stage"] == _JUDGED) | (rows["variant"] == BASELINE)]
    return [
        Label(
            f"chosen: {row.configuration}" if row.chosen else row.configuration,
            row.ratio,
            row.change,
            _RING if row.chosen else 6.0,
            _colour(row),
        )
        for row in named.itertuples()
    ]


def _entries(rows: pd.DataFrame) -> list[panels.Entry]:
    """Return the key: the arithmetics that are shown, the stages and the front."""
    shown = rows[rows["variant"] != BASELINE]
    entries = [
        panels.Entry(arithmetic, _MARKERS[arithmetic], colour, bold=True)
        for arithmetic, colour in _COLOURS.items()
        if arithmetic in set(shown["arithmetic"])
    ]
    if _SCREENED in set(shown["stage"]):
        entries.append(panels.Entry("screened, its last round", hollow=True))
    if _JUDGED in set(shown["stage"]):
        entries.append(panels.Entry("judged"))
    return entries + ([panels.Entry("Pareto front", "_", style.INK)] if rows["on_front"].sum() > 1 else [])


def caption(candidates: pd.DataFrame, answer: Mapping[str, Any], settings: SearchFigureJob) -> str:
    """Return the caption: the requirements, the observations of both stages, and the basis of the front."""
    rows = marks(candidates, answer)
    shown = _shown(rows, candidates, answer)
    cost, axis = METRICS[answer["minimized"]].title, shown[1].axis
    against = f" against {METRICS[axis.metric].title}" if axis.metric else ""
    others = rows[rows["variant"] != BASELINE]
    return captions.compose(
        f"The configurations of {style.model_name(settings.model, settings.network)} that a search tried: {cost}"
        f"{against}, relative to fp32.",
        f"Required: {captions.listing(search.requirements(answer))}.",
        _outcome(answer),
        _stage(others[others["stage"] == _SCREENED], f"the calibration set of {settings.data}", "Light and hollow"),
        _stage(others[others["stage"] == _JUDGED], f"the test set of {settings.data}", "Full"),
        "The Pareto front joins the last values of each, whose intervals may overlap."
        if rows["on_front"].sum() > 1
        else "",
        "Dashed: a requirement." if any(axis.bound for axis in shown) else "",
        f"The axis of changes is logarithmic beyond {_LINEAR:g} points." if shown[1].scale == "symlog" else "",
    )


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
