"""Draw panels of several metrics relative to fp32: models as blocks, variants as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import palette, style
from tocompress.reporting.figures import blocks, panels
from tocompress.reporting.figures.blocks import Blocks, Looks, Order
from tocompress.reporting.study import as_shown, is_clear, select
from tocompress.reporting.style import ShownModel
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.metrics import ACCURACY, METRICS
from tocompress.vocabulary.variants import BASELINE

# Inches: the gap between panels, the edge. Then a line of the key, a panel's title, its axis.
_GAP, _MARGIN = 0.14, 0.05
_KEY, _TITLE, _AXIS = 0.2, 0.22, 0.36
_TALLEST = 9.0  # inches, of the figure


@dataclass(frozen=True)
class Panel:
    """A panel of metrics, of which a model has one. `further` metrics are in the table only."""

    title: str
    metrics: Sequence[str]
    further: Sequence[str] = ()
    label: str = "relative to fp32"  # of the x axis, for ratios


@dataclass(frozen=True)
class Filled:
    """A panel and its rows of the study."""

    panel: Panel
    rows: pd.DataFrame

    @cached_property
    def compared(self) -> pd.DataFrame:
        """Return the rows that the panel shows (`compared`)."""
        return compared(self.rows[self.rows["metric"].isin(list(self.panel.metrics))])


@dataclass(frozen=True)
class Line:
    """Panels beside each other.

    Panels that are `alike` show one metric of different variants. They share their axis, and each names its rows.
    """

    filled: Sequence[Filled]
    alike: bool = False


SIZE = Panel("file size", ["size"])
LATENCY = Panel("inference time", ["latency"])
ACCURACIES = Panel("accuracy", ["top1", "bleu"], ["top5"])
MEMORY = Panel("runtime memory", ["memory"])
POWER = Panel("peak power", ["power_peak"])
ENERGY = Panel("energy", ["energy"])
F1 = Panel("F1", ["f1"], ["precision", "recall"])


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a known difference from fp32. Columns of `as_shown` and `clear` are added."""
    shown = as_shown(rows)
    shown = shown[shown["shown"].notna() & shown["variant"].ne(BASELINE)]
    return shown.assign(clear=is_clear(shown))


def line(study: pd.DataFrame, chosen: Iterable[Panel], plot: Plot) -> Line:
    """Return a line of panels with their rows of `study`."""
    return Line(
        [Filled(panel, select(study, *panel.metrics, *panel.further, arithmetic=plot.arithmetic)) for panel in chosen]
    )


def table(lines: Sequence[Line]) -> pd.DataFrame:
    """Return the rows of all panels, each with its panel's letter. It is empty for panels that are not drawn."""
    letters = _letters(lines)
    parts = [one.rows.assign(panel=letters.get(one.panel.title, "")) for of_line in lines for one in of_line.filled]
    return pd.concat(parts, ignore_index=True)


def _letters(lines: Sequence[Line]) -> dict[str, str]:
    """Return the letters of the panels that are drawn, by their titles."""
    drawn = [one.panel.title for of_line in _drawn(lines) for one in of_line.filled]
    return dict(zip(drawn, "abcdefghijklmnop", strict=False))


def _drawn(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with the panels that show anything."""
    full = [Line([one for one in of_line.filled if len(one.compared)], of_line.alike) for of_line in lines]
    return [of_line for of_line in full if of_line.filled]


def draw(study: pd.DataFrame, lines: Sequence[Line]) -> Figure:
    """Draw lines of panels. Panels without a value vanish, and without any panel a sentence says why."""
    drawn, looks = _drawn(lines), palette.looks(study)
    if not drawn:
        return panels.sentence(panels.why_missing(table(lines)))
    orders = [_orders(of_line, looks) for of_line in drawn]
    key = _key(orders, looks)
    arranged = _fitting(style.shown_models(study), orders, _KEY * len(key))
    if all(places.labelled for places in arranged):
        key = []
    figure = style.figure(style.DOUBLE, _KEY * len(key) + sum(map(_height, arranged)))
    letters = _letters(lines) if sum(len(of_line.filled) for of_line in drawn) > 1 else {}
    top = 0.0
    for of_line, of_panels, places in zip(drawn, orders, arranged, strict=True):
        while key and not places.labelled:
            panels.key(figure, _MARGIN, top + _KEY / 2, key.pop(0))
            top += _KEY
        _draw_line(figure, top + _TITLE, of_line, of_panels, places, looks, letters)
        top += _height(places)
    return figure


def _orders(of_line: Line, looks: Looks) -> list[Order]:
    """Return the variants of each model's rows, from top to bottom, for each panel."""
    shown = [one.compared for one in of_line.filled]
    tables = shown if of_line.alike else [pd.concat(shown)] * len(shown)
    named = [rows.groupby("model")["variant"].agg(set) for rows in tables]
    return [{model: [name for name in looks if name in of_model] for model, of_model in own.items()} for own in named]


def _key(orders: Sequence[Sequence[Order]], looks: Looks) -> list[list[panels.Entry]]:
    """Return the lines of a key of all variants that are shown."""
    shown = {name for of_line in orders for order in of_line for names in order.values() for name in names}
    entries = panels.variant_entries({variant: look for variant, look in looks.items() if variant in shown})
    return panels.wrap(entries, style.DOUBLE - 2 * _MARGIN)


def _fitting(models: Sequence[ShownModel], orders: Sequence[Sequence[Order]], key: float) -> list[Blocks]:
    """Return the places of models in each line, with a key of `key` inches above low rows.

    If the page is too small for high rows, the longest lines have low ones.
    """
    high = [_arranged(models, of_line, blocks.LABELLED) for of_line in orders]
    arranged, room = high, _TALLEST
    longest = sorted(range(len(orders)), key=lambda number: -high[number].height)
    for count in range(1, len(orders) + 1):
        for pitch in blocks.LOW:
            if sum(map(_height, arranged)) <= room:
                return arranged
            low = {number: _arranged(models, orders[number], pitch) for number in longest[:count]}
            arranged, room = [low.get(number, places) for number, places in enumerate(high)], _TALLEST - key
    return arranged


def _height(places: Blocks) -> float:
    return _TITLE + places.height + _AXIS


def _arranged(models: Sequence[ShownModel], orders: Sequence[Order], pitch: float) -> Blocks:
    """Return the places of the models that any panel of a line shows."""
    rows = {model: max(len(order.get(model.name, ())) for order in orders) for model in models}
    return blocks.arrange({model: count for model, count in rows.items() if count}, pitch)


def _draw_line(
    figure: Figure,
    top: float,
    of_line: Line,
    orders: Sequence[Order],
    places: Blocks,
    looks: Looks,
    letters: Mapping[str, str],
) -> None:
    """Draw the panels of a line, `top` inches below the edge of the figure."""
    names = _name_widths(of_line, orders, places)
    count = len(names)
    width = (style.DOUBLE - 2 * _MARGIN - sum(names) - count * blocks.VALUES - (count - 1) * _GAP) / count
    blocks.name_models(figure, places, _MARGIN, _MARGIN + names[0], top)
    whole = pd.concat([one.compared for one in of_line.filled])
    left = _MARGIN
    for one, order, beside in zip(of_line.filled, orders, names, strict=True):
        left += beside
        letter = f"({letters[one.panel.title]}) " if letters else ""
        axes = blocks.panel(figure, places, (left, top), width, letter + one.panel.title)
        blocks.set_axis(axes, whole if of_line.alike else one.compared)
        models = set(one.compared["model"])
        blocks.cover(axes, places, {model: len(names) for model, names in order.items() if model in models})
        blocks.fill(axes, places, one.compared, order, looks)
        if beside and places.labelled:
            blocks.name_variants(axes, places, order)
        blocks.write_baselines(axes, places, one.rows[one.rows["metric"].isin(list(one.panel.metrics))])
        axes.set_xlabel(_label(one))
        left += width + blocks.VALUES + _GAP


def _name_widths(of_line: Line, orders: Sequence[Order], places: Blocks) -> list[float]:
    """Return the inches of names left of each panel. Panels that are not alike share the names of the first."""
    if not places.labelled:
        models = style.text_width(*(model.label for model in places.models)) + 0.1
        return [models, *[0.0] * (len(orders) - 1)]
    first, *others = map(_name_width, orders)
    return [first, *(other if of_line.alike else 0.0 for other in others)]


def _name_width(order: Order) -> float:
    return style.text_width(*(variant for names in order.values() for variant in names)) + 0.06


def _label(one: Filled) -> str:
    """Return the text of a panel's axis."""
    metrics = [metric for metric in one.panel.metrics if metric in set(one.compared["metric"])]
    if not set(metrics) <= ACCURACY:
        return one.panel.label
    units = {"fraction": "points", "score": "BLEU"}
    return f"change in {' or '.join(dict.fromkeys(units[METRICS[metric].unit] for metric in metrics))}"
