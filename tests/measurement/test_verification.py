"""That a device computes what this machine computes."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tocompress.errors import StudyError
from tocompress.measurement.verification import values, verify

LOGITS = np.random.default_rng(1).normal(3, 2, (1, 100)).astype(np.float32)
TOKENS = np.array([[4, 8, 15, 2]], np.int32)


def record(output: np.ndarray) -> dict[str, object]:
    content = base64.b64encode(output.tobytes()).decode()
    return {"record": "values", "input_id": "i", "dtype": output.dtype.str, "shape": output.shape, "base64": content}


def test_outputs_come_back_as_they_were() -> None:
    for output in (LOGITS, TOKENS):
        found = values([record(output), {"record": "end"}])
        np.testing.assert_array_equal(found["i"], output)
        assert found["i"].dtype == output.dtype


def test_rounding_is_let_through_and_measured() -> None:
    rounding = LOGITS * np.float32(1 + 1e-5)
    assert 0 < verify("q8", {"i": rounding}, {"i": LOGITS}) < 1e-4
    assert verify("q8", {"i": TOKENS}, {"i": TOKENS}) == 0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (LOGITS + np.float32(0.01), LOGITS),
        (np.full_like(LOGITS, np.nan), LOGITS),
        (LOGITS[:, :50], LOGITS),
        (TOKENS + np.int32(1), TOKENS),
        (TOKENS[:, :3], TOKENS),
    ],
)
def test_anything_more_is_refused(found: np.ndarray, expected: np.ndarray) -> None:
    with pytest.raises(StudyError, match=r"^q8: computes something else"):
        verify("q8", {"i": found}, {"i": expected})
