"""Verify that a device computes the same as this machine, before anything is timed there."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np

from tocompress.devices import Record
from tocompress.errors import StudyError

#: Fraction of the logits' spread. Machines differ by float32 rounding, which is a hundredth of this.
TOLERANCE = 1e-3


def values(records: Iterable[Record]) -> dict[str, np.ndarray]:
    """Return input -> output, from the records of an `outputs` block."""
    return {
        record["input_id"]: np.frombuffer(base64.b64decode(record["base64"]), record["dtype"]).reshape(record["shape"])
        for record in records
        if record["record"] == "values"
    }


def largest_difference(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Return the largest difference in standard deviations of the expectation. Tokens are equal or infinitely far."""
    return max(_difference(found[name], output) for name, output in expected.items())


def verify(what: str, found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Return the largest difference. Raise StudyError, which begins with `what`, if it exceeds TOLERANCE."""
    difference = largest_difference(found, expected)
    if not difference <= TOLERANCE:
        raise StudyError(
            f"{what}: computes something else than this machine: outputs differ by {difference:.2g} standard deviations"
            f" ({TOLERANCE:g} is rounding); is it the right runtime, and is its memory sound?"
        )
    return difference


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    if expected.dtype.kind in "iu":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    distance = np.abs(found.astype(np.float64) - expected).max()
    # A network whose outputs are all the same has no spread.
    return float(distance / (np.std(expected, dtype=np.float64) or 1.0))
