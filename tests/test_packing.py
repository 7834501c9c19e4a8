"""Packed integers come back as they were, in as few bytes as promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocompress.errors import StudyError
from tocompress.packing import pack, stored_width, unpack


@settings(max_examples=60, deadline=None)
@given(bits=st.integers(2, 16), size=st.integers(0, 200), seed=st.integers(0, 9))
def test_packed_integers_come_back(bits, size, seed):
    integers = np.random.default_rng(seed).integers(0, 2**bits, size)
    np.testing.assert_array_equal(unpack(pack(integers, bits), bits, size), integers)


@pytest.mark.parametrize("bits", range(2, 17))
def test_extremes_of_every_length_come_back_from_the_bytes_of_their_layout(bits):
    width, highest = stored_width(bits), 2**bits - 1
    planes, blocks = {2: (1, 4), 4: (1, 2), 6: (3, 4)}.get(width, (0, 1))
    for size in range(140):
        for integers in (np.zeros(size, int), np.full(size, highest), highest * (np.arange(size) % 2)):
            packed = pack(integers.astype(np.uint16), bits)
            np.testing.assert_array_equal(unpack(packed, bits, size), integers)
            assert packed.nbytes == (8 * planes * -(-size // (8 * blocks)) if planes else size * width // 8)


@pytest.mark.parametrize(
    ("bits", "bytes_"), [(16, 192), (9, 192), (8, 96), (7, 96), (6, 72), (5, 72), (4, 48), (2, 24)]
)
def test_96_values_take_the_bytes_of_the_next_width(bits, bytes_):
    assert pack(np.zeros(96, np.uint8), bits).nbytes == bytes_


def test_six_bit_planes_hold_three_blocks_low_and_the_fourth_on_top():
    integers = np.zeros(32, np.uint8)
    integers[[0, 8, 16, 24]] = 0b000001, 0b000010, 0b000011, 0b110110
    planes = pack(integers, 6)
    assert planes.shape == (3, 8)
    assert planes[:, 0].tolist() == [0b10_000001, 0b01_000010, 0b11_000011]
    assert not planes[:, 1:].any()


def test_values_of_8_and_16_bits_keep_their_shape():
    integers = np.arange(12).reshape(3, 4)
    assert pack(integers, 8).shape == pack(integers, 16).shape == (3, 4)
    assert (pack(integers, 8).dtype, pack(integers, 16).dtype) == (np.uint8, np.uint16)


@pytest.mark.parametrize("bits", [1, 17])
def test_other_widths_are_refused(bits):
    with pytest.raises(StudyError, match="2 to 16"):
        stored_width(bits)
