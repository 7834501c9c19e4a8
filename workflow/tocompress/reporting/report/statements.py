"""Tell the paper's statements and this study's verdicts on them in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tocompress.reporting.claims import (
    AGREES,
    CIRCULAR,
    CONTRADICTS,
    DEPENDS,
    NOT_COMPARABLE,
    NOT_MEASURED,
    SAME_DIRECTION,
    UNDECIDED,
    by_statement,
)
from tocompress.reporting.effects import counted
from tocompress.reporting.style import digits

#: Each verdict on a claim or one of its readings, with its sign and its meaning.
VERDICTS = {
    AGREES: ("✓", "the whole interval lies within the paper's number and its margin"),
    SAME_DIRECTION: ("↗", "not all of the interval does, but it excludes no change, on the paper's side of it"),
    CONTRADICTS: ("✗", "nothing of the interval lies within the margin, nor is the direction the same"),
    DEPENDS: ("~", "the paper's text can be read in several ways, which are judged differently"),
    UNDECIDED: ("?", "the interval is too wide to tell, a number is not settled, or too few networks were measured"),
    NOT_COMPARABLE: ("≠", "measured, but under conditions that differ from the paper's"),
    NOT_MEASURED: ("–", "this study has no such value"),
    CIRCULAR: ("↻", "the value was chosen by the accuracy that it would be judged by"),
}

#: The verdicts that a reader sees first. The others wait in a fold.
_JUDGED = (AGREES, SAME_DIRECTION, CONTRADICTS, DEPENDS, UNDECIDED)


def statements(claims: pd.DataFrame) -> dict[str, Any]:
    """Return the claims, judged ones apart, the meanings of verdicts, and the counts of verdicts."""
    found = by_statement(claims)
    told = [_claim(row) for row in claims.to_dict("records")]
    return {
        "judged_claims": [one for one in told if one["verdict"] in _JUDGED],
        "other_claims": [one for one in told if one["verdict"] not in _JUDGED],
        "verdicts": VERDICTS,
        "number_counts": found.loc[found["number"], "verdict"].value_counts().to_dict(),
        "wording_counts": found.loc[~found["number"], "verdict"].value_counts().to_dict(),
    }


def _claim(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the schema `claims` as text."""

    def text(name: str) -> str:
        return "" if pd.isna(row[name]) else str(row[name])

    def number(name: str) -> str:
        return "" if pd.isna(row[name]) else _plain(row[name])

    def with_unit(numbers: str) -> str:
        if not numbers or text("unit") in ("", "1"):
            return numbers
        return f"×{numbers}" if row["unit"] == "×" else f"{numbers}\N{NO-BREAK SPACE}{row['unit']}"

    low, high = number("low"), number("high")
    paper = with_unit(" to ".join(filter(None, [number("paper"), number("paper_high")]))) or "no change"
    sign, _ = VERDICTS[row["verdict"]]
    return {
        "claim": text("claim"),
        "section": text("section"),
        "figure": re.sub(r"^(?=\d)", "Fig. ", text("figure")),
        "statement": text("statement"),
        "reading": text("reading"),
        "paper": paper if row["bound"] == "range" else f"{row['bound']} {paper}",
        "margin": f"±{number('margin')}" if row["margin"] > 0 else "",
        "value": with_unit(number("value")),
        "interval": f"{low} to {high}" if low and high else "",
        "n": "" if pd.isna(row["n"]) or not row["n"] else counted(int(row["n"]), "model"),
        "models": text("models"),
        "sign": sign,
        "verdict": text("verdict"),
        "reason": text("reason"),
        "inconsistent_with": text("inconsistent_with").split(", ") if text("inconsistent_with") else [],
    }


def _plain(value: float) -> str:
    """Return a number with at most three digits and a typographic minus sign."""
    text = digits(value)
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\N{MINUS SIGN}")
