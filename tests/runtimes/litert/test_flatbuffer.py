"""Models are read whole or not at all, and written without what nothing names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_made import HandMade
from hypothesis import given
from hypothesis import strategies as st

from tocompress.errors import StudyError
from tocompress.runtimes.litert.flatbuffer import constant, is_constant, kind, operator, read, set_constant, write

KERNEL = np.arange(15, dtype=np.float32).reshape(5, 3)


def dense() -> bytes:
    """A matrix product."""
    model = HandMade(1, 5)
    return write(model.ending(model.dense(model.input, "kernel", KERNEL, np.zeros(3, np.float32))))


CONTENT = dense()


def tensor(model, number=1):
    return model.subgraphs[0].tensors[number]


def test_a_model_is_written_as_it_was_read() -> None:
    model = read(CONTENT)
    np.testing.assert_array_equal(constant(model, tensor(model)), KERNEL.T)
    assert kind(model, model.subgraphs[0].operators[0]) == "FULLY_CONNECTED"
    assert write(model) == CONTENT


def test_replaced_constants_leave_the_file() -> None:
    model = read(CONTENT)
    values = np.full((300, 5), 0.25, np.float32)
    for _ in range(3):
        set_constant(model, tensor(model), values)
    content = write(model)
    assert len(content) < len(CONTENT) + values.nbytes
    np.testing.assert_array_equal(constant(again := read(content), tensor(again)), values)


def test_a_tensor_without_values_names_the_empty_buffer() -> None:
    model = read(CONTENT)
    assert not is_constant(model, tensor(model, 0))
    assert is_constant(model, tensor(model))
    assert model.buffers[0].data is None
    assert tensor(model, 0).buffer == 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_constants_are_aligned_as_the_schema_demands(sizes: list[int]) -> None:
    model = read(CONTENT)
    for number, size in enumerate(sizes):
        set_constant(model, tensor(model, 1 + number % 2), np.full(size, number + 1, np.int8))
    content = write(model)
    start = np.frombuffer(content, np.uint8).ctypes.data
    addresses = [buffer.data.ctypes.data - start for buffer in read(content).buffers if buffer.data is not None]
    assert addresses
    assert all(address % 16 == 0 for address in addresses)


def test_an_operator_shares_the_code_of_its_kind() -> None:
    model = read(CONTENT)
    known, new, again = (
        operator(model, name, [0], [1]) for name in ("FULLY_CONNECTED", "BROADCAST_TO", "BROADCAST_TO")
    )
    assert known.opcodeIndex == 0
    assert new.opcodeIndex == again.opcodeIndex == 1
    assert [kind(model, part) for part in (known, new)] == ["FULLY_CONNECTED", "BROADCAST_TO"]


@given(st.integers(0, len(CONTENT) - 1))
def test_a_cut_file_is_refused(size: int) -> None:
    with pytest.raises(StudyError, match="LiteRT model"):
        write(read(CONTENT[:size]))


def test_what_is_no_model_of_this_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    with pytest.raises(StudyError, match=r"a\.tflite: not readable \(No such file"):
        read(path)
    path.write_bytes(b"PK\x03\x04" * 99)
    with pytest.raises(StudyError, match=r"a\.tflite: not a LiteRT model"):
        read(path)
    model = read(CONTENT)
    model.version = 4
    path.write_bytes(write(model))
    with pytest.raises(StudyError, match=r"a\.tflite: a LiteRT model of version 4 of the schema, not 3"):
        read(path)
