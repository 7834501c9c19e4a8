"""Draw which variants are worth having: accuracy against inference time and file size, with the Pareto fronts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import fronts, palette, style
from tocompress.reporting.figures import captions, panels, scatter
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.study import models, select, variants
from tocompress.reporting.thresholds import sweep
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import COUNTED, JUDGES, METRICS
from tocompress.vocabulary.variants import BASELINE

_COMPARABLE = ["accuracy_metric", "accuracy_dataset"]  # models that agree in these share an overview
_OF_ACCURACY = [
    "metric", "dataset", "unit", "value", "low", "high", "n",
    "ratio", "ratio_low", "ratio_high", "change", "change_low", "change_high",
]  # fmt: skip
_FEWEST = 3  # cuts of a sweep, so a model has a panel of its own
_COLUMNS = 3  # panels of single models in a line
# Inches: the axis on the left, the edge, the key, a title, an axis below, an overview, a model's panel, the gap.
_LEFT, _MARGIN, _KEY, _TITLE, _AXIS, _OVERVIEW, _PANEL, _GAP = 0.45, 0.08, 0.2, 0.24, 0.42, 2.6, 1.6, 0.35
_BETWEEN = 0.55  # inches, between two overviews


@dataclass(frozen=True)
class _Cost:
    """A cost to weigh against accuracy, and how its axis is labelled."""

    metric: str
    unit: str
    scale: float

    @property
    def title(self) -> str:
        return METRICS[self.metric].title


_COSTS = (_Cost("latency", "ms", 1), _Cost("size", "MB", 1e6))


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return rows of inference time and file size, each with its accuracy (`accuracy...`) and its places on fronts.

    `on_front` covers all models with the same metric on the same dataset, and compares values. `on_model_front` covers
    the variants of one model, and compares their paired differences from fp32. Both are null if cost or accuracy is
    unknown.
    """
    costs = select(study, *(cost.metric for cost in _COSTS), arithmetic=plot.arithmetic)
    accuracy = select(study, *JUDGES, arithmetic=plot.arithmetic)[["model", "variant", *_OF_ACCURACY]]
    names = {name: "accuracy" if name == "value" else f"accuracy_{name}" for name in _OF_ACCURACY}
    rows = costs.merge(accuracy[accuracy["value"].notna()].rename(columns=names), on=["model", "variant"], how="left")
    placed = rows[rows["value"].notna() & rows["accuracy"].notna()]
    return rows.assign(
        on_front=_on_fronts(placed, ["metric", *_COMPARABLE], _front_of_values).reindex(rows.index),
        on_model_front=_on_fronts(placed, ["metric", *_COMPARABLE, "model"], _front_of_changes).reindex(rows.index),
    )


def _on_fronts(
    placed: pd.DataFrame, keys: list[str], front: Callable[[pd.DataFrame], pd.Series[bool]]
) -> pd.Series[bool]:
    """Return whether each row is on the `front` of its group."""
    found = [front(group) for _, group in placed.groupby(keys, dropna=False)]
    return pd.concat([pd.Series(dtype="boolean"), *found]).astype("boolean")


def _front_of_values(rows: pd.DataFrame) -> pd.Series[bool]:
    gains = fronts.goal(rows["accuracy"], rows["accuracy_low"], rows["accuracy_high"])
    return fronts.front(gains, _cost_goal(rows, rows["value"], rows["low"], rows["high"]))


def _front_of_changes(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return the front of one model: by values, if one of them cannot be compared with fp32."""
    fp32 = rows["variant"] == BASELINE
    change = [rows[f"accuracy_change{end}"].mask(fp32, 0.0) for end in ("", "_low", "_high")]
    ratio = [rows[f"ratio{end}"].mask(fp32, 1.0) for end in ("", "_low", "_high")]
    if change[0].isna().any() or ratio[0].isna().any():
        return _front_of_values(rows)
    return fronts.front(fronts.goal(*change), _cost_goal(rows, *ratio))


def _cost_goal(
    rows: pd.DataFrame, values: pd.Series[float], lows: pd.Series[float], highs: pd.Series[float]
) -> pd.DataFrame:
    counted = rows["metric"].isin(COUNTED).all()
    return fronts.exact(values) if counted else fronts.goal(values, lows, highs)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw overviews of comparable models, time beside size. Draw a panel below for each model with a sweep."""
    values = table(study, plot)
    placed = values[values["on_model_front"].notna()]
    if placed.empty:
        return panels.sentence(_nothing(study, values, plot)), values
    looks = palette.looks(study)
    names = style.short_names([model for model in style.shown_models(study) if model.name in models(placed)])
    swept = [model for model in names if model.name in _swept(study, placed)]
    overviews, blocks = _overviews(study, placed), [cost for cost in _COSTS if len(_of(placed, cost, swept))]
    key = panels.wrap(panels.variant_entries({name: looks[name] for name in variants(placed)}), _width())
    lines = math.ceil(len(swept) / _COLUMNS)
    heights = [_TITLE + _OVERVIEW + _AXIS] * len(overviews) + [_TITLE + lines * (_TITLE + _PANEL) + _AXIS] * len(blocks)
    figure = style.figure(style.DOUBLE, _KEY * len(key) + sum(heights))
    for number, line in enumerate(key):
        panels.key(figure, _LEFT, (number + 0.5) * _KEY, line)
    tops = [_KEY * len(key) + sum(heights[:number]) for number in range(len(heights))]
    letters = map(chr, count(ord("a")))
    for top, group in zip(tops, overviews, strict=False):
        _draw_overview(figure, top + _TITLE, group, names, looks, letters)
    for top, cost in zip(tops[len(overviews) :], blocks, strict=True):
        _draw_block(figure, top, cost, placed, swept, looks, next(letters))
    return figure, values


def _width() -> float:
    return style.DOUBLE - _LEFT - _MARGIN


def _of(rows: pd.DataFrame, cost: _Cost, shown: Sequence[style.ShownModel]) -> pd.DataFrame:
    return rows[rows["metric"].eq(cost.metric) & rows["model"].isin([model.name for model in shown])]


def _swept(study: pd.DataFrame, placed: pd.DataFrame) -> set[str]:
    """Return the models with a panel of their own."""
    cuts = placed[placed["variant"].isin(sweep(study))].groupby("model")["variant"].nunique()
    return set(cuts.index[cuts >= _FEWEST])


def _overviews(study: pd.DataFrame, placed: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each overview: models with the same metric on the same dataset.

    A single model has no overview where it has a panel of its own.
    """
    groups = [group for _, group in placed.groupby(_COMPARABLE, dropna=False)]
    return [group for group in groups if len(models(group)) > 1 or not set(models(group)) <= _swept(study, placed)]


def _draw_overview(
    figure: Figure,
    top: float,
    group: pd.DataFrame,
    names: Mapping[style.ShownModel, str],
    looks: Mapping[str, palette.Look],
    letters: Iterator[str],
) -> None:
    """Draw all models and variants of `group` beside each other, for each cost that is known."""
    costs = [cost for cost in _COSTS if group["metric"].eq(cost.metric).any()]
    width = (_width() - (len(costs) - 1) * _BETWEEN) / len(costs)
    metric, dataset = group[_COMPARABLE].iloc[0]
    unit = "" if metric == "bleu" else " (%)"
    short = {model.name: name for model, name in names.items()}
    for number, cost in enumerate(costs):
        axes = style.axes(figure, _LEFT + number * (width + _BETWEEN), top, width, _OVERVIEW)
        axes.set_title(f"({next(letters)}) {cost.title} and accuracy", loc="left", fontweight="bold", pad=4)
        points = scatter.values(group[group["metric"] == cost.metric], cost.scale, short)
        scatter.draw(axes, points, looks)
        axes.set_xlabel(f"{cost.title} ({cost.unit})")
        if number == 0:
            axes.set_ylabel(f"{METRICS[metric].title}{unit}" + ("" if pd.isna(dataset) else f" on {dataset}"))


def _draw_block(
    figure: Figure,
    top: float,
    cost: _Cost,
    placed: pd.DataFrame,
    swept: Sequence[style.ShownModel],
    looks: Mapping[str, palette.Look],
    letter: str,
) -> None:
    """Draw a panel per model with a sweep, relative to fp32."""
    title = f"({letter}) {cost.title} and accuracy of each model with a sweep, relative to fp32"
    style.write(figure, _LEFT, top + _TITLE / 2, title, fontsize=style.NORMAL, fontweight="bold", va="center")
    width = (_width() - (_COLUMNS - 1) * _GAP) / _COLUMNS
    shown = [model for model in swept if len(_of(placed, cost, [model]))]
    for number, model in enumerate(shown):
        line, column = divmod(number, _COLUMNS)
        below = top + 2 * _TITLE + line * (_TITLE + _PANEL)
        axes = style.axes(figure, _LEFT + column * (width + _GAP), below, width, _PANEL)
        axes.set_title(model.label, loc="left", fontsize=style.SMALL, fontweight="bold", pad=2)
        scatter.draw(axes, scatter.changes(_of(placed, cost, [model])), looks)
        if column == 0:
            axes.set_ylabel("points from fp32")
        if number + _COLUMNS >= len(shown):
            axes.set_xlabel(cost.title)


def _nothing(study: pd.DataFrame, values: pd.DataFrame, plot: Plot) -> str:
    accuracy = select(study, *JUDGES, arithmetic=plot.arithmetic)
    return captions.unavailable(pd.concat([accuracy, values])) or "No variant has both a cost and an accuracy."


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    placed = values[values["on_model_front"].notna()]
    if placed.empty:
        return Caption("", "", f"No variant has both a cost and an accuracy. {_nothing(study, values, plot)}")
    accuracy = select(study, *JUDGES, arithmetic=plot.arithmetic)
    labels = {model.name: model.label for model in style.shown_models(study)}
    return Caption(
        _finding(placed, labels),
        "The higher and the further left, the better. Named marks are on the front; grey ones are shown to be beaten.",
        captions.compose(
            "A variant is beaten if another is shown to be better in one goal and has a value that is no worse in the"
            " other: its interval lies wholly beyond, and file sizes are exact. Panels of many models compare values,"
            " and panels of one model its paired differences from fp32. The line joins the best values of the front.",
            captions.FILLED,
            _below(placed, labels),
            captions.few_bits_sentence(study, placed),
            captions.weights_are(values),
            captions.measured_on(study),
            captions.intervals(placed, "; cut off where they leave a panel"),
            captions.observations(pd.concat([accuracy, values])),
            captions.unsettled(placed, "settled"),
            captions.unavailable(pd.concat([accuracy, values])),
        ),
    )


def _finding(placed: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Return how many variants are unbeaten in each cost. They are of the largest group of comparable models."""
    groups = [group for _, group in placed.groupby(_COMPARABLE, dropna=False)]
    largest = max(groups, key=lambda group: len(models(group)))
    return captions.compose(*(_unbeaten(own, labels) for _, own in largest.groupby("metric", sort=False)))


def _unbeaten(own: pd.DataFrame, labels: Mapping[str, str]) -> str:
    front = own[own["on_front"]].sort_values(["value", "accuracy"])
    texts = [
        f"{labels[row.model]} {row.variant} ({style.quantity(row.value, row.unit)},"
        f" {style.quantity(row.accuracy, row.accuracy_unit)})"
        for row in front.itertuples()
    ]
    title = METRICS[str(own["metric"].iloc[0])].title
    of = f"{len(front)} of {len(own)} variants"
    if len(front) == 1:
        return f"Only {texts[0]} is unbeaten in {title} and accuracy."
    best = texts[front["accuracy"].to_numpy().argmax()]
    return f"{of} are unbeaten in {title} and accuracy, from {texts[0]} to {best}."


def _below(placed: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Return the variants that lose more accuracy than the panels show."""
    lost = placed[scatter.is_deep(placed)].drop_duplicates(["model", "variant"])
    names = [f"{labels[model]} {captions.listing(own['variant'])}" for model, own in lost.groupby("model", sort=False)]
    return f"Not shown, or at the lower edge, for their large losses: {captions.listing(names, 9)}." if names else ""
