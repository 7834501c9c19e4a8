"""Tell a search in words: its configurations, its requirements, its candidates and its effort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tocompress.reporting.effects import counted
from tocompress.reporting.style import quantity
from tocompress.search.space import in_words
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title

#: The kind of a requirement that bounds the change to fp32.
LOSS = "lose at most"
_POINTS = {"fraction": 100.0, "score": 1.0}


def names(candidates: pd.DataFrame) -> dict[str, str]:
    """Return the configuration of each variant of a table `candidates` in words."""
    known = candidates.drop_duplicates("variant")
    return {row.variant: in_words(row.share, row.arithmetic, row.bits) for row in known.itertuples()}


def points(metric: str) -> float:
    """Return how many points of an accuracy one of its unit is."""
    return _POINTS[METRICS[metric].unit]


def requirement(row: Mapping[str, Any]) -> str:
    """Return a requirement of an answer, such as `file size at most 300 kB` or `top-1 loses at most 2 points`."""
    named = METRICS[row["metric"]].title
    if row["requirement"] == LOSS:
        lost = f"{points(row['metric']) * row['bound']:g}"
        return f"{named} loses at most {lost} point{'' if lost == '1' else 's'}"
    return f"{named} {row['requirement']} {_short(quantity(row['bound'], row['unit']))}"


def _short(text: str) -> str:
    """Return a quantity without zeros at the end of its decimals."""
    number, space, unit = text.partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number}{space}{unit}"


def observed(row: Mapping[str, Any]) -> str:
    """Return the value of a requirement's metric with its interval, or the value alone where it is exact."""

    def told(value: float) -> str:
        if row["requirement"] == LOSS:
            return f"{points(row['metric']) * value:.2f}".replace("-", "\N{MINUS SIGN}")
        return quantity(value, row["unit"])

    unit = " points" if row["requirement"] == LOSS else ""
    low, high = row["low"], row["high"]
    interval = "" if low is None or high is None or low == high else f" ({told(low)} to {told(high)})"
    return f"{told(row['value'])}{interval}{unit}"


def judged(answer: Mapping[str, Any], candidates: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the judged candidates in their order, each with its names, its cells and its verdict."""
    words = names(candidates)
    return [
        {
            "name": words[finding["variant"]],
            "variant": finding["variant"],
            "cells": [observed(row) for row in finding["requirements"]],
            "verdict": finding["verdict"],
            "chosen": finding["variant"] == answer["chosen"],
        }
        for finding in answer["judged"]
    ]


def requirements(answer: Mapping[str, Any]) -> list[str]:
    """Return the requirements of a search in words. Each candidate was judged by all of them."""
    return [requirement(row) for row in answer["judged"][0]["requirements"]]


def effort(answer: Mapping[str, Any]) -> str:
    """Return how many configurations were tried, where, how long, and at which level they were judged."""
    return (
        f"{counted(answer['tried'], 'configuration')} tried in {counted(answer['rounds'], 'round')}"
        f" and {answer['seconds'] / 60:.1f} minutes, on {answer['device']} in {title(answer['runtime'])}."
        f" Each interval of the judging holds at {100 * answer['level']:.4g} %, so that all of them hold at"
        f" {100 * LEVEL:g} % together."
    )
