"""Verify that a device computes the same as this machine, before anything is timed there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocompress.devices import Record
from tocompress.errors import StudyError
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER

#: Fraction of the logits' spread. Machines differ by float32 rounding, which is a hundredth of this.
TOLERANCE = 1e-3

#: The same for integers, as a root of mean squares. Each set of kernels rounds to integers in its own way. That
#: gives up to 0.04. Another network gives more than 1.
INTEGER_TOLERANCE = 0.1

#: The output of each input.
Outputs = Mapping[str, NDArray[np.generic]]


class Agreement(NamedTuple):
    """How far outputs differ, the most that is accepted, and the words that follow both in a message."""

    difference: float
    most: float
    unit: str
    accepted: str

    @property
    def rule(self) -> str:
        """Return the rule in words."""
        return f"at most {self.most:.2g} {self.unit}"


def values(records: Iterable[Record]) -> dict[str, np.ndarray]:
    """Return input -> output, from the records of an `outputs` block."""
    return {
        record["input_id"]: np.frombuffer(base64.b64decode(record["base64"]), record["dtype"]).reshape(record["shape"])
        for record in records
        if record["record"] == "values"
    }


def verify(what: str, found: Outputs, expected: Outputs, arithmetic: str = FLOAT) -> Agreement:
    """Return how far the outputs differ. Raise StudyError, which begins with `what`, where machines must not.

    In floats, and where weights are dequantized, it is the largest difference of a logit in standard deviations of the
    expectation. Tokens are equal or infinitely far. In integers it is the largest root mean square of an input's
    logits, in the same unit, or the share of translations that differ, which must not be all.
    """
    agreement = _in_integers(found, expected) if arithmetic == INTEGER else _in_floats(found, expected)
    if not agreement.difference <= agreement.most:
        raise StudyError(
            f"{what}: computes something else than this machine: {agreement.difference:.2g} {agreement.unit}"
            f" ({agreement.most:.2g} {agreement.accepted}); is it the right runtime, and is its memory sound?"
        )
    return agreement


def _in_floats(found: Outputs, expected: Outputs) -> Agreement:
    differences = [_largest(found[name], output) for name, output in expected.items()]
    return Agreement(_most(differences), TOLERANCE, "standard deviations apart", "is rounding")


def _in_integers(found: Outputs, expected: Outputs) -> Agreement:
    if all(output.dtype.kind in "iu" for output in expected.values()):
        differ = [not np.array_equal(found[name], output) for name, output in expected.items()]
        return Agreement(float(np.mean(differ)), 1 - 1 / len(differ), "of the translations differ", "may differ")
    differences = [_root_mean_square(found[name], output) for name, output in expected.items()]
    unit = "standard deviations apart in root mean square"
    return Agreement(_most(differences), INTEGER_TOLERANCE, unit, "is what kernels round in their own ways")


def _most(differences: list[float]) -> float:
    """Return the largest difference, or NaN if there is one."""
    return float(np.max(differences))


def _largest(found: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    if not _alike(found, expected):
        return float("inf")
    if expected.dtype.kind in "iu":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    return float(np.abs(_deviations(found, expected)).max())


def _root_mean_square(found: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    if not _alike(found, expected):
        return float("inf")
    return float(np.sqrt(np.mean(_deviations(found, expected) ** 2)))


def _alike(found: NDArray[np.generic], expected: NDArray[np.generic]) -> bool:
    return found.shape == expected.shape and found.dtype == expected.dtype


def _deviations(found: NDArray[np.generic], expected: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the differences in standard deviations. A network whose outputs are all the same has no spread."""
    wanted = expected.astype(np.float64)
    deviations: NDArray[np.float64] = (found.astype(np.float64) - wanted) / (np.std(wanted) or 1.0)
    return deviations
