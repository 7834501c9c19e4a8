"""The look of each variant: one encoding for all figures and for the report.

The hue tells the method, the lightness its strength (fewer bits, or more filters removed), and the shape the kind.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex

from tocompress.reporting.study import controls, of_first_runtime, variants
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE, methods_of

INK, MUTED, FAINT, SOFT, PAPER = "#1a1a1a", "#5c5c5c", "#d8dade", "#f4f5f7", "#ffffff"
#: The same on a dark ground.
DARK = {INK: "#e8e8e8", MUTED: "#a8abb0", FAINT: "#3a3d42", SOFT: "#1f2226", PAPER: "#15171a"}

#: Print in a coloured cell, which has the same colour on both grounds.
ON_LIGHT, FAINT_ON_LIGHT, ON_DARK = "#101010", "#606060", "#fcfcfc"

#: The colours of each ramp, from the weakest technique to the strongest, on a light and on a dark ground.
_RAMPS = {
    "bits": (("#3a93d6", "#1f6fb8", "#0b3f80", "#06183f"), ("#2f7fc4", "#5fb0ee", "#a5d8ff", "#eaf6ff")),
    "cuts": (("#c98300", "#a85c00", "#6e3300", "#331300"), ("#a86a10", "#dc9530", "#ffc878", "#fff0d8")),
    "both": (("#c060b0", "#96368a", "#661a62", "#300a30"), ("#a04a96", "#d078c6", "#f0aee8", "#ffe8fc")),
    "other": (("#2f9a78", "#177558", "#0a4d3a", "#04241b"), ("#2f8a6c", "#56bd98", "#9ee6cc", "#e4fff5")),
}
_CONTROL = ("#767676", "#9a9a9a")
# The shapes of each kind. Variants of one kind that share a colour take the next ones.
_SHAPES = {
    "weights": "oh8H",
    "integers": "sd",
    "dynamic": "PX",
    "cuts": "^v<>",
    "both": "D*",
    "other": "pHd",
}
_ACTIVATIONS = {"8": "integers", "dynamic": "dynamic"}  # kinds of quantization by their activations
_STRONGEST_CUT = 0.75  # share of filters, and anything beyond
_MIXED = 4  # bits that stand for a mixture


@dataclass(frozen=True)
class Look:
    """The colour of a variant on light and on dark ground, and its marker of matplotlib."""

    colour: str
    dark: str
    shape: str


def looks(study: pd.DataFrame) -> dict[str, Look]:
    """Return one look per variant, fp32 first, then kind by kind. A second runtime changes none."""
    facts = study.drop_duplicates("variant").set_index("variant")
    removed = study[study["metric"].eq("filters_removed") & study["label"].isna()].groupby("variant")["value"].mean()
    unpruned = set(controls(study))
    placed = {
        variant: ("", "cuts", 0.0) if variant in unpruned else _place(facts.loc[variant], removed.get(variant, 0.0))
        for variant in dict.fromkeys([*variants(of_first_runtime(study)), *variants(study)])
        if variant != BASELINE
    }
    found = {BASELINE: Look(INK, DARK[INK], "o")}
    taken = defaultdict[tuple[str, str], int](int)
    for variant in sorted(placed, key=lambda variant: list(_SHAPES).index(placed[variant][1])):
        ramp, kind, strength = placed[variant]
        colour, dark = _at(ramp, strength)
        shapes = _SHAPES[kind]
        found[variant] = Look(colour, dark, shapes[taken[kind, colour] % len(shapes)])
        taken[kind, colour] += 1
    return found


def _place(facts: pd.Series[Any], removed: float) -> tuple[str, str, float]:
    """Return the ramp and the kind of a variant, and its strength from 0 to 1."""
    methods = set(methods_of(facts["methods"]))
    bits = _bits(facts) if QUANTIZE in methods else 0.0
    cut = min(float(removed) / _STRONGEST_CUT, 1.0)
    if methods == {QUANTIZE}:
        return "bits", _ACTIVATIONS.get(facts["activations"], "weights"), bits
    if methods == {PRUNE}:
        return "cuts", "cuts", cut
    if methods == {QUANTIZE, PRUNE}:
        return "both", "both", (bits + cut) / 2
    return "other", "other", 0.3 + bits / 2


def _bits(row: pd.Series[Any]) -> float:
    """Return the strength of a quantization: 0 for 16 bits or more, 1 for two."""
    bits = _MIXED if pd.isna(row["bits"]) else float(row["bits"])
    return min(max((4 - math.log2(bits)) / 3, 0.0), 1.0)


def _at(ramp: str, strength: float) -> tuple[str, str]:
    """Return the colours of a ramp at a strength from 0 to 1, on light and on dark ground."""
    if not ramp:
        return _CONTROL
    light, dark = (_mix(anchors, strength) for anchors in _RAMPS[ramp])
    return light, dark


def _mix(anchors: Sequence[str], strength: float) -> str:
    return str(to_hex(LinearSegmentedColormap.from_list("ramp", list(anchors))(float(strength))))


def dark_colours(looks: Iterable[Look]) -> dict[str, str]:
    """Return the colour on dark ground by the colour on light ground. Text, lines and paper are included."""
    return DARK | {look.colour: look.dark for look in looks} | dict([_CONTROL])
