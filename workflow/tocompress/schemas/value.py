"""The columns of a value with its uncertainty, in a variant's metrics and in the study's table."""

from __future__ import annotations

from tocompress.tables import COUNT, FLAG, FLOAT, TEXT

#: Column -> type and unit.
VALUE = {
    "metric": (TEXT, ""),
    "label": (TEXT, "the operation class, or the input"),
    "unit": (TEXT, ""),
    "value": (FLOAT, "see unit"),
    "low": (FLOAT, "see unit"),
    "high": (FLOAT, "see unit"),
    "level": (FLOAT, "confidence level of low..high"),
    "n": (COUNT, "observations"),
    "processes": (COUNT, "fresh processes behind the value"),
    "ratio": (FLOAT, "to fp32, paired"),
    "ratio_low": (FLOAT, "to fp32, paired"),
    "ratio_high": (FLOAT, "to fp32, paired"),
    "converged": (FLAG, "the interval reached its target width"),
    "basis": (TEXT, "measured, predicted or unavailable"),
    "reason": (TEXT, "why a value is unavailable or not converged"),
}
