"""The confidence level and target width of intervals."""

from __future__ import annotations

LEVEL = 0.95

#: The paper's rule (section III-B): the 95 % confidence bound of each model and input within 5 % of the value.
TARGET = 0.05
