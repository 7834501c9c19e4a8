"""Draw points of cost and accuracy: those on the front with their names, the others small and grey."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from tocompress.reporting import palette
from tocompress.reporting.figures import panels, scales
from tocompress.reporting.figures.labels import Label, place
from tocompress.reporting.figures.svg import tell
from tocompress.reporting.figures.values import alone, told
from tocompress.reporting.study import is_clear
from tocompress.vocabulary.variants import BASELINE

_DEEPEST = 6.0  # points below fp32, where the axis of accuracy ends
_ENDS = ("_low", "", "_high")
_OTHERS = 0.65  # of the size of a mark on the front


def is_deep(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows of the table `pareto` lose more accuracy than a panel of one model shows."""
    accuracy = accuracies(rows)
    return accuracy["change"] * _points(accuracy) < -_DEEPEST


def values(rows: pd.DataFrame, scale: float, names: Mapping[str, str]) -> pd.DataFrame:
    """Return points of many models: cost (`x`, in units of `scale`) and accuracy (`y`), named by model and variant."""
    accuracy = accuracies(rows)
    labels = [f"{names[model]} {variant}" for model, variant in zip(rows["model"], rows["variant"], strict=True)]
    points = _marks(rows, accuracy).assign(on_front=rows["on_front"], label=labels)
    for end in _ENDS:
        name = end.removeprefix("_") or "value"
        points[f"x{end}"] = rows[name] / scale
        points[f"y{end}"] = accuracy[name] * _points(accuracy)
    least = points.loc[points["variant"] == BASELINE, "y"].min()
    return points.assign(floor=(points["y"].min() if pd.isna(least) else least) - _DEEPEST)


def changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return points of one model: ratio of cost (`x`) and points of accuracy from fp32 (`y`), named by variant."""
    accuracy, fp32 = accuracies(rows), rows["variant"] == BASELINE
    points = _marks(rows, accuracy)
    points = points.assign(on_front=rows["on_model_front"], label=rows["variant"], floor=-_DEEPEST)
    for end in _ENDS:
        points[f"x{end}"] = rows[f"ratio{end}"].mask(fp32, 1.0)
        points[f"y{end}"] = (accuracy[f"change{end}"] * _points(accuracy)).mask(fp32, 0.0)
    return points.dropna(subset=["x", "y"])


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracies (`accuracy...`) of the table `pareto` as rows of the study."""
    names = {name: name.removeprefix("accuracy_") for name in rows if name.startswith("accuracy_")}
    names |= {"accuracy": "value"}
    return rows[["model", "network", "variant", *names]].rename(columns=names).assign(arithmetic=None)


def _points(accuracy: pd.DataFrame) -> pd.Series[float]:
    """Return how many points one of each accuracy's unit is."""
    return accuracy["unit"].map({"fraction": 100.0, "score": 1.0}).astype(float)


def _marks(rows: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the variant of each row, whether its cost or accuracy differs clearly from fp32, and its mark's title."""
    titles = [
        "; ".join(map(alone if cost.variant == BASELINE else told, (cost, score)))
        for cost, score in zip(rows.itertuples(), accuracy.itertuples(), strict=True)
    ]
    clear = is_clear(rows) | is_clear(accuracy) | rows["variant"].eq(BASELINE)
    return pd.DataFrame({"variant": rows["variant"], "clear": clear, "title": titles})


def draw(axes: Axes, points: pd.DataFrame, looks: Mapping[str, palette.Look]) -> None:
    """Draw points on a logarithmic axis of cost. Points below the floor are ticks at the lower edge."""
    shown, deep = points[points["y"] >= points["floor"]], points[points["y"] < points["floor"]]
    _set_axes(axes, shown)
    front = shown[shown["on_front"]].sort_values(["x", "y"])
    _stairs(axes, front)
    for row in shown.sort_values("on_front").to_dict("records"):
        look = looks[row["variant"]]
        colour = look.colour if row["on_front"] else palette.MUTED
        if row["on_front"]:
            axes.plot([row["x_low"], row["x_high"]], [row["y"]] * 2, color=colour, linewidth=0.6)
            axes.plot([row["x"]] * 2, [row["y_low"], row["y_high"]], color=colour, linewidth=0.6)
        style = panels.dot(look.shape, colour, clear=row["clear"])
        small = {} if row["on_front"] else {"markersize": _OTHERS * style["markersize"], "markeredgewidth": 0.6}
        (mark,) = axes.plot(row["x"], row["y"], **style | small)
        tell(mark, row["title"])
    for row in deep[deep["x"].between(*axes.get_xlim())].to_dict("records"):
        (mark,) = axes.plot(row["x"], 0.015, "|", color=palette.MUTED, transform=axes.get_xaxis_transform())
        mark.set_markersize(4)
        tell(mark, row["title"])
    place(axes, [Label(row.label, row.x, row.y, 2.0, looks[row.variant].colour) for row in front.itertuples()])


def _set_axes(axes: Axes, shown: pd.DataFrame) -> None:
    """Set both axes, with room for names beside the outermost points."""
    low, high = shown["x"].min(), shown["x"].max()
    room = max(high / low, 1.5) ** 0.12
    axes.set_xscale("log")
    axes.set_xlim(low / room, high * room)
    ratios = shown["x"].eq(1.0).any()
    ticks = scales.logarithmic(*axes.get_xlim())
    scales.set_ticks(axes.xaxis, ticks, [panels.multiple(tick) if ratios else f"{tick:,g}" for tick in ticks])
    lowest, highest = panels.reach(shown["y_low"], shown["y"], shown["y_high"], least=1.0)
    margin = 0.08 * (highest - lowest)
    axes.set_ylim(max(lowest, shown["floor"].min()) - margin, highest + margin)
    ticks = scales.linear(*axes.get_ylim())
    scales.set_ticks(axes.yaxis, ticks, [panels.percent(tick) if ratios else f"{tick:g}" for tick in ticks])
    axes.grid()


def _stairs(axes: Axes, front: pd.DataFrame) -> None:
    """Draw the best accuracy for each cost. Each step is a line of its own, so that names keep clear of it."""
    places = list(zip(front["x"], front["y"].cummax(), strict=True))
    places += [(axes.get_xlim()[1], y) for _, y in places[-1:]]
    for (x, y), (next_x, next_y) in pairwise(places):
        axes.plot([x, next_x, next_x], [y, y, next_y], color=palette.MUTED, linewidth=0.7, zorder=1.5)
