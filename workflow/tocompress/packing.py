"""Pack integers of 2 to 16 bits into as few bytes as a runtime can unpack fast.

A value is stored in the next width of `WIDTHS`. Below 8 bits, values lie in *planes*. The flattened tensor is cut into
blocks of equal length, and byte i of a plane holds bits of value i of several blocks. So a few bitwise operations
unpack a whole plane, 8 bytes at a time, with no shuffling of bytes. Planes are padded to 8 bytes.

    2 bits  1 plane,  4 blocks: block k in bits 2k, 2k+1
    4 bits  1 plane,  2 blocks: block k in bits 4k .. 4k+3
    6 bits  3 planes, 4 blocks: block k < 3 in the low 6 bits of plane k, block 3 in the top 2 bits of all planes,
            with its lowest bits in plane 0
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocompress.errors import StudyError

Integers = NDArray[Any]  # of any integer type

WIDTHS = (2, 4, 6, 8, 16)
_PLANES = {2: 1, 4: 1, 6: 3}
_PLANE_ALIGNMENT = 8  # bytes


def stored_width(bits: int) -> int:
    """Return the bits that a value of `bits` bits takes in storage. Raise StudyError outside 2..16.

    >>> [stored_width(bits) for bits in (2, 3, 5, 6, 7, 9)]
    [2, 4, 6, 6, 8, 16]
    """
    if not 2 <= bits <= 16:
        raise StudyError(f"quantize: bits is {bits}; 2 to 16 can be stored")
    return next(width for width in WIDTHS if width >= bits)


def pack(integers: Integers, bits: int) -> Integers:
    """Return integers 0 .. 2**bits - 1 of any shape as uint16 or uint8 of that shape.

    Below 7 bits, return them as uint8 [planes, n].

    >>> packed = pack(np.arange(64), bits=6)
    >>> packed.shape, packed.nbytes
    ((3, 16), 48)
    >>> unpack(packed, bits=6, size=64)[-3:]
    array([61, 62, 63], dtype=uint8)
    """
    width = stored_width(bits)
    if width >= 8:
        return integers.astype(np.uint16 if width == 16 else np.uint8, copy=False)
    blocks = _in_blocks(integers.ravel(), 8 * _PLANES[width] // width)
    if width == 6:
        last = blocks[3]
        top = np.stack([last << 6, last << 4 & 0xC0, last << 2 & 0xC0])
        packed: Integers = np.bitwise_or(blocks[:3], top)
        return packed
    planes: Integers = blocks[0]
    for number, block in enumerate(blocks[1:], start=1):
        planes = planes | block << number * width
    return planes[np.newaxis]


def unpack(packed: Integers, bits: int, size: int) -> Integers:
    """Return the first `size` integers that `pack` stored, [size], of the dtype of `packed`."""
    width = stored_width(bits)
    blocks = packed
    if width == 6:
        top = (packed[0] >> 6) | (packed[1] >> 4 & 0x0C) | (packed[2] >> 2 & 0x30)
        blocks = np.concatenate([packed & 0x3F, top[np.newaxis]])
    elif width < 6:
        shifts = np.arange(0, 8, width, dtype=np.uint8)[:, np.newaxis]
        blocks = np.bitwise_and(packed >> shifts, 2**width - 1)
    unpacked: Integers = blocks.reshape(-1)[:size]
    return unpacked


def _in_blocks(integers: Integers, count: int) -> NDArray[np.uint8]:
    length = -(-integers.size // (count * _PLANE_ALIGNMENT)) * _PLANE_ALIGNMENT
    blocks = np.zeros(count * length, np.uint8)
    blocks[: integers.size] = integers
    return blocks.reshape(count, length)
