"""That a device computes what this machine computes, before anything is timed there."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np

from tocompress.devices import Record
from tocompress.errors import StudyError

#: Of the spread of the logits; machines differ by float32 rounding, a hundredth of it.
TOLERANCE = 1e-3


def values(records: Iterable[Record]) -> dict[str, np.ndarray]:
    """Input -> output, from the records of an `outputs` block."""
    return {
        record["input_id"]: np.frombuffer(base64.b64decode(record["base64"]), record["dtype"]).reshape(record["shape"])
        for record in records
        if record["record"] == "values"
    }


def largest_difference(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """How far outputs are from those expected, in standard deviations of these; tokens are equal or infinitely far."""
    return max(_difference(found[name], output) for name, output in expected.items())


def verify(what: str, found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference, within TOLERANCE; raises StudyError, which begins with `what`, for a larger one."""
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
