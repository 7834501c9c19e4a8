"""Draw which models are worth having: accuracy against inference time and file size, with the Pareto fronts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tocompress.reporting import style
from tocompress.reporting.figures import captions, panels
from tocompress.reporting.figures.labels import Label, place
from tocompress.reporting.study import is_unsettled, models, select, variants
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import JUDGES, METRICS
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, methods_of

_COMPARABLE = ["accuracy_metric", "accuracy_dataset"]  # models that agree in these share an overview
_LINEAR = 5.0  # % of the accuracy, beyond which an axis of changes is logarithmic
_LEAST_ERROR = 0.1  # %, the end of the axis of accuracy
_MOST = 6  # panels of single models in a line
_SHAPES, _OTHER_SHAPE = {"": "s", QUANTIZE: "o", PRUNE: "^"}, "P"
_CONNECTION = "#9a9a9a"
# The ticks of an axis of ratios, up to each factor between its ends.
_TICKS = ((2.5, (0.5, 0.7, 1, 1.4, 2)), (10, (0.5, 1, 2)), (math.inf, (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)))
_Numbers = npt.NDArray[np.float64]
# Inches: the left axis, the edge, the key, a title, an axis, an overview, the space between two overviews.
_LEFT, _MARGIN, _KEY, _TITLE, _AXIS, _OVERVIEW, _BETWEEN = 0.52, 0.08, 0.2, 0.22, 0.4, 2.25, 0.55
# Inches: a model's panel, its name, the gap between panels, the height without any panel.
_HEIGHT, _NAME, _GAP, _EMPTY = 0.8, 0.19, 0.12, 0.5


@dataclass(frozen=True)
class _Cost:
    """A cost to weigh against accuracy."""

    metric: str
    title: str
    unit: str
    scale: float


_COSTS = (_Cost("latency", "inference time", "ms", 1), _Cost("size", "file size", "MB", 1e6))


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return rows of inference time and file size, each with its accuracy (`accuracy...`) and its places on fronts.

    `on_front` covers all models with the same metric on the same dataset, `on_model_front` the variants of one model.
    Both are null if time, size or accuracy is unknown.
    """
    costs = select(study, *(cost.metric for cost in _COSTS), arithmetic=plot.arithmetic)
    numbers = ["metric", "dataset", "value", "low", "high", "ratio", "ratio_low", "ratio_high"]
    accuracy = select(study, *JUDGES, arithmetic=plot.arithmetic)[["model", "variant", *numbers]]
    accuracy = accuracy[accuracy["value"].notna()].rename(columns={name: _of_accuracy(name) for name in numbers})
    rows = costs.merge(accuracy, on=["model", "variant"], how="left")
    placed = rows[rows["value"].notna() & rows["accuracy"].notna()]
    for column, keys in (("on_front", ["metric", *_COMPARABLE]), ("on_model_front", ["metric", *_COMPARABLE, "model"])):
        groups = [undominated(group["value"], group["accuracy"]) for _, group in placed.groupby(keys, dropna=False)]
        rows[column] = pd.concat([pd.Series(dtype="boolean"), *groups]).reindex(rows.index).astype("boolean")
    return rows


def _of_accuracy(name: str) -> str:
    return "accuracy" if name == "value" else f"accuracy_{name}"


def undominated(costs: pd.Series[float], gains: pd.Series[float]) -> pd.Series[bool]:
    """Return whether no other point is as good in cost and gain and better in one. Equal points stand together."""
    return pd.Series(
        [
            not (((costs <= cost) & (gains >= gain)) & ((costs < cost) | (gains > gain))).any()
            for cost, gain in zip(costs, gains, strict=True)
        ],
        costs.index,
        dtype="boolean",
    )


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw overviews of comparable models, time beside size. Draw a panel per model below, for time and for size."""
    values = table(study, plot)
    placed = values[values["on_model_front"].notna()]
    names = style.short_names([model for model in style.shown_models(study) if model.name in models(placed)])
    colours = {variant: style.colours(study)[variant] for variant in variants(placed)}
    methods = placed.drop_duplicates("variant").set_index("variant")["methods"]
    overviews = _compared(placed)
    flags = ("settled", "ratio_settled") if overviews else ("ratio_settled",)
    shapes = {variant: _shape(methods[variant]) for variant in colours}
    entries = panels.variant_entries(colours, placed, shapes, flags)
    key = panels.wrap(entries, style.DOUBLE - _LEFT - _MARGIN)
    blocks = [(cost, [model for model in names if model.name in models(_of(placed, cost))]) for cost in _COSTS]
    height = _KEY * len(key) + len(overviews) * (_TITLE + _OVERVIEW + _AXIS)
    columns = min(max(2, *(len(shown) for _, shown in blocks)), _MOST)
    heights = [_TITLE + _block_height(len(shown), columns) for _, shown in blocks]
    height += sum(heights) + _MARGIN
    figure = style.figure(style.DOUBLE, height)
    for number, line in enumerate(key):
        panels.key(figure, _LEFT, (number + 0.5) * _KEY, line)
    top, letters = _KEY * len(key), iter("abcdefghijklmnop")
    for group in overviews:
        _overviews(figure, top + _TITLE, group, values, names, colours, letters)
        top += _TITLE + _OVERVIEW + _AXIS
    for block_height, (cost, shown) in zip(heights, blocks, strict=True):
        title = f"({next(letters)}) {cost.title} and accuracy, model by model"
        style.write(figure, _LEFT, top + 0.6 * _TITLE, title, fontsize=style.NORMAL, fontweight="bold", va="center")
        if shown:
            _block(figure, top + _TITLE, columns, cost, _of(placed, cost), shown, colours)
        else:
            axes = style.axes(figure, _LEFT, top + _TITLE, style.DOUBLE - _LEFT - _MARGIN, _EMPTY)
            axes.set_yticks([])
            panels.explain(axes, _why_none(study, values, cost))
        top += block_height
    return figure, values


def _compared(placed: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each overview: several models with the same metric on the same dataset."""
    return [group for _, group in placed.groupby(_COMPARABLE, dropna=False) if len(models(group)) > 1]


def _of(rows: pd.DataFrame, cost: _Cost) -> pd.DataFrame:
    return rows[rows["metric"] == cost.metric]


def _block_height(number: int, columns: int) -> float:
    return math.ceil(number / columns) * (_NAME + _HEIGHT) + _AXIS if number else _EMPTY


def _why_none(study: pd.DataFrame, values: pd.DataFrame, cost: _Cost) -> str:
    """Return why no model can be placed: the cost is missing, or else the accuracy."""
    known = _of(values, cost)["value"].notna().any()
    return panels.why_missing(study[study["metric"].isin(JUDGES)] if known else _of(values, cost))


def _shape(methods: str) -> str:
    """Return the marker of a family of variants, because colour alone must not distinguish them."""
    return "D" if len(methods_of(methods)) > 1 else _SHAPES.get(methods, _OTHER_SHAPE)


def _overviews(
    figure: Figure,
    top: float,
    group: pd.DataFrame,
    values: pd.DataFrame,
    names: Mapping[style.ShownModel, str],
    colours: Mapping[str, str],
    letters: Iterator[str],
) -> None:
    """Draw all models and variants of `group`, with the front over all and a faint front of each model."""
    metric, dataset = group[["accuracy_metric", "accuracy_dataset"]].iloc[0]
    width = (style.DOUBLE - _LEFT - _MARGIN - _BETWEEN) / len(_COSTS)
    for number, cost in enumerate(_COSTS):
        axes = style.axes(figure, _LEFT + number * (width + _BETWEEN), top, width, _OVERVIEW)
        axes.set_title(f"({next(letters)}) {cost.title} and accuracy", loc="left", fontweight="bold", pad=3)
        points = _of(group, cost)
        if points.empty:
            axes.set_yticks([])
            panels.explain(axes, panels.why_missing(_of(values, cost)))
            continue
        scale = 1 if metric == "bleu" else 100
        shown = pd.DataFrame(
            {name: points[name] for name in ("model", "variant", "methods", "on_front", "on_model_front")}
        )
        shown[["left", "x", "right"]] = points[["low", "value", "high"]] / cost.scale
        shown[["low", "y", "high"]] = points[["accuracy_low", "accuracy", "accuracy_high"]] * scale
        shown["hollow"] = is_unsettled(points["settled"])
        _set_time_or_size(axes, shown["x"])
        _set_accuracy(axes, scale * group["accuracy"].min(), scale * group["accuracy_high"].max())
        axes.grid()
        axes.set_xlabel(f"{cost.title} ({cost.unit})")
        if number == 0:
            unit = "" if metric == "bleu" else " (%)"
            axes.set_ylabel(f"{METRICS[metric].title}{unit}" + ("" if pd.isna(dataset) else f" on {dataset}"))
        for _, own in shown[shown["on_model_front"]].groupby("model"):
            _stairs(axes, own, _CONNECTION, 0.5)
        _stairs(axes, shown[shown["on_front"]], style.INK, 1.2)
        _dots(axes, shown, colours)
        place(axes, _labels(shown, names, colours))


def _set_time_or_size(axes: Axes, costs: pd.Series[float]) -> None:
    """Set the x axis, logarithmic, with room for names."""
    axes.set_xscale("log")
    low, high = costs.min(), costs.max()
    room = max(high / low, 1.5) ** 0.12
    axes.set_xlim(low / room, high * room)
    steps = (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 7)
    axes.xaxis.set_major_locator(FixedLocator([step * 10.0**power for power in range(-4, 6) for step in steps]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _set_accuracy(axes: Axes, low: float, high: float) -> None:
    """Set the y axis, logarithmic in the distance to 100."""
    axes.set_yscale("function", functions=(_forward, _backward))
    bottom, top = _forward(np.array([low, high]))
    margin = 0.05 * (top - bottom) or 0.1
    axes.set_ylim(*_backward(np.array([bottom - margin, top + margin])))
    ticks = [0, 20, 40, 50, 60, 70, 80, 85, 90, 95, 98, 99, 99.5]
    axes.yaxis.set_major_locator(FixedLocator(list(_apart(ticks, 0.07 * (top - bottom)))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _apart(ticks: Sequence[float], least: float) -> Iterator[float]:
    """Yield the ticks that stand at least `least` from the tick before, on the transformed axis."""
    last = -math.inf
    for tick in ticks:
        place = float(_forward(np.array(tick)))
        if place - last >= least:
            last = place
            yield tick


def _forward(accuracy: _Numbers) -> _Numbers:
    return np.negative(np.log(np.maximum(100 - accuracy, _LEAST_ERROR)))


def _backward(place: _Numbers) -> _Numbers:
    return np.subtract(100, np.exp(-place))


def _stairs(axes: Axes, front: pd.DataFrame, colour: str, width: float) -> None:
    """Draw the best accuracy for each cost. Each step is a line of its own, so that names keep clear of it."""
    front = front.sort_values(["x", "y"])
    places = list(zip(front["x"], front["y"], strict=True))
    places.append((axes.get_xlim()[1], places[-1][1]))
    for (x, y), (next_x, next_y) in pairwise(places):
        axes.plot([x, next_x], [y, y], color=colour, linewidth=width, zorder=2)
        axes.plot([next_x, next_x], [y, next_y], color=colour, linewidth=width, zorder=2)


def _dots(axes: Axes, shown: pd.DataFrame, colours: Mapping[str, str]) -> None:
    for row in shown.itertuples():
        colour = colours[row.variant]
        axes.plot([row.left, row.right], [row.y, row.y], color=colour, linewidth=0.6, alpha=0.6)
        axes.plot([row.x, row.x], [row.low, row.high], color=colour, linewidth=0.6, alpha=0.6)
        axes.plot(row.x, row.y, **panels.dot(_shape(row.methods), colour, hollow=row.hollow))


def _labels(shown: pd.DataFrame, names: Mapping[style.ShownModel, str], colours: Mapping[str, str]) -> list[Label]:
    """Return model and variant for points on the front. Other models have their name at their most accurate point."""
    short = {model.name: name for model, name in names.items()}
    front = shown[shown["on_front"]]
    labels = [
        Label(f"{short[row.model]} {row.variant}", row.x, row.y, 2.0, colours[row.variant])
        for row in front.itertuples()
    ]
    others = shown[~shown["model"].isin(front["model"])].sort_values("y").drop_duplicates("model", keep="last")
    return labels + [Label(short[row.model], row.x, row.y, 2.0, style.MUTED) for row in others.itertuples()]


def _block(
    figure: Figure,
    top: float,
    columns: int,
    cost: _Cost,
    points: pd.DataFrame,
    shown: Sequence[style.ShownModel],
    colours: Mapping[str, str],
) -> None:
    """Draw a panel per model, relative to fp32, all on the same axes: its variants and its own front."""
    changes = _changes(points)
    width = (style.DOUBLE - _LEFT - _MARGIN - (columns - 1) * _GAP) / columns
    for number, model in enumerate(shown):
        line, column = divmod(number, columns)
        left, place = _LEFT + column * (width + _GAP), top + line * (_NAME + _HEIGHT) + _NAME
        axes = style.axes(figure, left, place, width, _HEIGHT)
        axes.set_title(model.label, loc="left", fontsize=style.SMALL, fontweight="bold", pad=2)
        _set_changes(axes, changes)
        axes.tick_params(labelleft=column == 0, labelbottom=number + columns >= len(shown))
        own = changes[changes["model"] == model.name]
        _stairs(axes, own[own["on_model_front"]], style.INK, 0.9)
        _dots(axes, own, colours)
    height = _block_height(len(shown), columns) - _AXIS
    used = min(len(shown), columns) * (width + _GAP) - _GAP
    style.write(
        figure, _LEFT + used / 2, top + height + 0.28, f"{cost.title} relative to fp32", ha="center", va="center"
    )
    style.write(figure, _MARGIN, top + height / 2, "accuracy change (%)", rotation=90, va="center", ha="left")


def _changes(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points relative to fp32: `x` as a ratio, `y` in percent more or less."""
    changes = points[["model", "variant", "methods", "on_model_front"]].copy()
    changes[["left", "x", "right"]] = points[["ratio_low", "ratio", "ratio_high"]]
    changes[["low", "y", "high"]] = 100 * (points[["accuracy_ratio_low", "accuracy_ratio", "accuracy_ratio_high"]] - 1)
    baseline = changes["variant"] == BASELINE
    changes["hollow"] = is_unsettled(points["ratio_settled"])
    changes.loc[baseline, ["left", "x", "right"]] = 1.0
    changes.loc[baseline, ["low", "y", "high"]] = 0.0
    return changes.dropna(subset=["x", "y"])


def _set_changes(axes: Axes, changes: pd.DataFrame) -> None:
    """Set both axes so that they show the changes of all models."""
    least, most = changes["x"].min(), changes["x"].max()
    room = max(most / least, 1.5) ** 0.08
    left, right = least / room, most * room
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.xaxis.set_major_locator(FixedLocator(next(ticks for factor, ticks in _TICKS if right / left < factor)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(panels.multiple))
    panels.change_axis(axes, changes["y"].min(), changes["y"].max(), linear=_LINEAR)
    axes.grid()


def _shapes_are(methods: Collection[str]) -> str:
    combined = [{*methods_of(one)} for one in methods if len(methods_of(one)) > 1]
    both = "both" if all(some == {QUANTIZE, PRUNE} for some in combined) else "several techniques"
    other = ", pluses another technique" if any(_shape(one) == _OTHER_SHAPE for one in methods) else ""
    return f"Squares are uncompressed models, dots quantized, triangles pruned ones, diamonds {both}{other}."


def caption(study: pd.DataFrame, plot: Plot) -> str:
    values = table(study, plot)
    placed = values[values["on_model_front"].notna()]
    accuracy = select(study, *JUDGES, arithmetic=plot.arithmetic)
    compared = _compared(placed)
    return captions.compose(
        "What a given inference time or file size buys in accuracy (top-1, BLEU for GNMT), every model and variant: the"
        " stairs are the Pareto front, the points that no other equals in both and beats in one.",
        "Above, all models of the same data together: black, the front over all of them, whose points are named; grey,"
        " that of each model. The axis of accuracy is logarithmic in what is missing to 100."
        if compared
        else "",
        f"{'Below, each' if compared else 'Each'} model by itself, relative to fp32; changes of accuracy are"
        f" logarithmic beyond {_LINEAR:g} %. {_shapes_are(set(placed['methods']))}"
        if len(placed)
        else "No model has both.",
        "Fronts are of the values: where intervals overlap, another draw may put another point on it."
        if len(placed)
        else "",
        captions.few_bits_sentence(study, placed),
        captions.weights_are(values),
        captions.measured_on(study),
        captions.intervals(placed, "; cut off where they leave a panel"),
        captions.observations(pd.concat([accuracy, values])),
        captions.unsettled(pd.concat(compared), "settled", " above") if compared else "",
        captions.unsettled(placed, where=" below" if compared else ""),
        captions.unavailable(pd.concat([accuracy, values])),
    )
