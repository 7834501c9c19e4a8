"""Find the fields of a protocol buffer in place, so that large ones need not be copied to be read.

This serves the photographs in TFRecords, whose places are wanted and not their bytes. TensorFlow's reader has no
places. Parsing a record whole and looking for the photograph takes three times as long (0.13 ms for 110 kB).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

_VARINT, _SIZED = 0, 2
_LONGEST_VARINT = 10  # bytes
_WIDTHS = {1: 8, 5: 4}  # bytes of the other kinds


def fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field in the message at data[start:end].

    Raise ValueError where a field ends outside it, IndexError where the data end, KeyError for an unknown kind.
    """
    while start < end:
        key, start = varint(data, start)
        kind = key & 7
        if kind == _SIZED:
            size, start = varint(data, start)
            stop = start + size
        elif kind == _VARINT:
            stop = varint(data, start)[1]
        else:
            stop = start + _WIDTHS[kind]
        if stop > end:
            raise ValueError("a field ends outside its message")
        yield key >> 3, start, stop
        start = stop


def varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and the place of its end. Raise ValueError for more than 64 bits."""
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = data[start + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, start + place + 1
    raise ValueError("a number of more than 64 bits")
