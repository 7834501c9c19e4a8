"""The arithmetics of a variant's operations. The study measures each arithmetic of quantized weights apart."""

from __future__ import annotations

#: The arithmetic of a variant without quantized weights.
FLOAT = "float"

EVERY_INFERENCE = "float, dequantized at every inference"
ONCE = "float, dequantized once"
INTEGER = "integer"

#: The arithmetics of quantized weights, in the order of figures.
ARITHMETICS = (EVERY_INFERENCE, ONCE, INTEGER)

#: How each of them reads in a heading.
IN_SHORT = {EVERY_INFERENCE: "every inference", ONCE: "once", INTEGER: "integers"}


def in_print(arithmetic: str) -> str:
    """Return how an arithmetic reads after the word "weights"."""
    return "in integers" if arithmetic == INTEGER else arithmetic.removeprefix("float, ")
