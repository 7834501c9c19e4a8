"""That a device computes what this machine computes."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tocompress.errors import StudyError
from tocompress.measurement.verification import values, verify
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER, ONCE

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
    assert 0 < verify("q8", {"i": rounding}, {"i": LOGITS}).difference < 1e-4
    assert verify("q8", {"i": TOKENS}, {"i": TOKENS}).difference == 0


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


def test_integers_may_round_as_other_kernels_do_but_not_more() -> None:
    rounding = np.random.default_rng(2).normal(0, 1, LOGITS.shape).astype(np.float32) * LOGITS.std()
    assert 0.03 < verify("i8", {"i": LOGITS + 0.04 * rounding}, {"i": LOGITS}, INTEGER).difference < 0.05
    with pytest.raises(StudyError, match=r"^i8: computes something else .* apart in root mean square"):
        verify("i8", {"i": LOGITS + 0.2 * rounding}, {"i": LOGITS}, INTEGER)
    with pytest.raises(StudyError):
        verify("q8", {"i": LOGITS + 0.04 * rounding}, {"i": LOGITS}, ONCE)


def test_each_input_of_integers_is_judged_alone() -> None:
    apart = LOGITS + np.float32(0.15) * LOGITS.std()
    for first, second in ((LOGITS, apart), (apart, LOGITS)):
        with pytest.raises(StudyError):
            verify("i8", {"first": first, "second": second}, dict.fromkeys(("first", "second"), LOGITS), INTEGER)


def test_one_of_the_translations_in_integers_must_be_equal() -> None:
    expected = {name: TOKENS for name in "abc"}
    two_differ = {"a": TOKENS[:, :3], "b": TOKENS + np.int32(1), "c": TOKENS}
    assert verify("dyn8", two_differ, expected, INTEGER).difference == pytest.approx(2 / 3)
    with pytest.raises(StudyError, match=r"^dyn8: computes something else than this machine: 1 of the translations"):
        verify("dyn8", two_differ | {"c": TOKENS[:, ::-1]}, expected, INTEGER)


@pytest.mark.parametrize("arithmetic", [FLOAT, INTEGER])
def test_an_output_that_is_no_number_is_refused_wherever_it_stands(arithmetic: str) -> None:
    nothing = np.full_like(LOGITS, np.nan)
    for found in ({"a": LOGITS, "b": nothing}, {"a": nothing, "b": LOGITS}):
        with pytest.raises(StudyError):
            verify("x", found, {"a": LOGITS, "b": LOGITS}, arithmetic)
