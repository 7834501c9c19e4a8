"""The confidence level and target width of intervals."""

from __future__ import annotations

LEVEL = 0.95

#: The paper wants the 95 % confidence bound of each model and input within 5 % of the value (section III-B).
TARGET = 0.05
