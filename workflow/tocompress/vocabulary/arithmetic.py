"""The arithmetics of a quantized operation. The study measures each apart."""

from __future__ import annotations

EVERY_INFERENCE = "float, dequantized at every inference"
ONCE = "float, dequantized once"
INTEGER = "integer"

#: In the order of figures.
ARITHMETICS = (EVERY_INFERENCE, ONCE, INTEGER)


def in_print(arithmetic: str) -> str:
    """Return how an arithmetic reads after the word "weights"."""
    return arithmetic.removeprefix("float, ")
