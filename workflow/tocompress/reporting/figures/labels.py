"""Place names beside the marks of a panel, where they cover the least."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from tocompress.reporting import palette, style

_SPACING = 8.5  # points, between the middles of names below each other


@dataclass(frozen=True)
class Label:
    """A name for the mark at (x, y) in data coordinates. The mark has a `radius` in points."""

    text: str
    x: float
    y: float
    radius: float
    colour: str = palette.INK


def place(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label beside its mark, clear of the drawing so far. A placed label may still move for others.

    A thin line joins a label to a distant mark.
    """
    pixel = style.figure_of(axes).dpi / 72
    obstacles = [_extent(mark, 0.5 * pixel) for mark in (*axes.lines, *axes.texts)]
    panel = _extent(axes.patch)
    texts, choices = [], []
    for label in labels:
        text = axes.annotate(
            label.text, (label.x, label.y), (0, 0), textcoords="offset points", ha="center", va="center",
            color=label.colour, zorder=4,
        )  # fmt: skip
        size = text.get_window_extent()
        centre = axes.transData.transform((label.x, label.y))
        texts.append((text, centre, label.radius * pixel))
        choices.append(list(_around(centre, label.radius * pixel, size.width, size.height, pixel)))
    fixed = [[_burden(box, distance / pixel, obstacles, panel) for box, distance in boxes] for boxes in choices]
    chosen = [boxes[costs.index(min(costs))][0] for boxes, costs in zip(choices, fixed, strict=True)]
    for _ in range(4):
        for number, (boxes, costs) in enumerate(zip(choices, fixed, strict=True)):
            others = [box for other, box in enumerate(chosen) if other != number]
            total = [
                cost + 8 * sum(_overlap(box, other) for other in others)
                for (box, _), cost in zip(boxes, costs, strict=True)
            ]
            chosen[number] = boxes[total.index(min(total))][0]
    for (text, centre, radius), box in zip(texts, chosen, strict=True):
        middle = np.array([box.left + box.right, box.bottom + box.top]) / 2
        text.set_position((middle - centre) / pixel)
        edge = (min(max(centre[0], box.left), box.right), min(max(centre[1], box.bottom), box.top))
        if math.dist(centre, edge) > radius + 4 * pixel:
            rim = centre + (np.array(edge) - centre) * radius / math.dist(centre, edge)
            start, end = axes.transData.inverted().transform([rim, edge])
            axes.plot([start[0], end[0]], [start[1], end[1]], color=palette.MUTED, linewidth=0.4, zorder=2)


def name_ends(axes: Axes, ends: Mapping[str, tuple[float, float]]) -> None:
    """Write names right of the panel, each joined to the end of its line, in data coordinates."""
    pixel = style.figure_of(axes).dpi / 72
    panel = _extent(axes.patch)
    heights = {name: float(axes.transData.transform(end)[1]) for name, end in ends.items()}
    for name, y in _spread(heights, _SPACING * pixel, panel.bottom, panel.top).items():
        x = (panel.right - panel.left + 6 * pixel) / (panel.right - panel.left)
        place = (x, (y - panel.bottom) / (panel.top - panel.bottom))
        line = {"arrowstyle": "-", "color": palette.MUTED, "linewidth": 0.4, "shrinkA": 1, "shrinkB": 3}
        axes.annotate(
            name, ends[name], place, textcoords="axes fraction", va="center", annotation_clip=False, arrowprops=line
        )


def _spread(heights: Mapping[str, float], spacing: float, low: float, high: float) -> dict[str, float]:
    """Return the heights in their order, moved apart to the spacing and between both ends."""
    ordered = sorted(heights, key=lambda name: heights[name])
    placed = dict[str, float]()
    below = low - spacing
    for name in ordered:
        placed[name] = below = max(heights[name], below + spacing)
    above = high + spacing
    for name in reversed(ordered):
        placed[name] = above = min(placed[name], above - spacing)
    return placed


class _Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float


def _extent(artist: Artist, padding: float = 0.0) -> _Box:
    return _Box(*artist.get_window_extent().padded(padding).extents)


def _around(
    centre: np.ndarray, radius: float, width: float, height: float, pixel: float
) -> Iterator[tuple[_Box, float]]:
    """Yield places for a box around a circle, with the distance between both. All numbers are pixels."""
    for distance in (1.5 * pixel, 7 * pixel, 14 * pixel, 22 * pixel):
        for degrees in range(0, 360, 30):
            angle = math.radians(degrees)
            x = centre[0] + math.cos(angle) * (radius + distance + width / 2)
            y = centre[1] + math.sin(angle) * (radius + distance + height / 2)
            yield _Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2), distance


def _burden(box: _Box, distance: float, obstacles: Sequence[_Box], panel: _Box) -> float:
    """Return the cost of a place. It grows with the area covered or outside the panel, and with the distance."""
    covered = sum(_overlap(box, obstacle) for obstacle in obstacles)
    outside = _overlap(box, box) - _overlap(box, panel)
    return 3 * covered + 6 * outside + 5 * distance


def _overlap(one: _Box, other: _Box) -> float:
    """Return the area that both cover."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return max(width, 0.0) * max(height, 0.0)
