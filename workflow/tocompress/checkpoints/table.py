"""Tables of LevelDB's format (tensorflow/core/lib/io/format.h), which TensorFlow's checkpoints are, read in place."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from tocompress.protobuf_wire import Data, fields, varint

#: Start and end.
Place = tuple[int, int]
#: What reading a damaged file raises; a ValueError says of what it is that it is wrong.
DAMAGE = (ValueError, IndexError, KeyError, OverflowError, struct.error)

_FOOTER, _MAGIC = 48, struct.pack("<Q", 0xDB4775248B80FB57)
_PIECE = 1 << 20  # bytes at once
_MOST_DIMENSIONS, _LARGEST = 8, 1 << 48  # negative numbers are larger


def mapped(path: Path) -> mmap.mmap:
    """The file's bytes, read when they are looked at; it is open as long as there are arrays of them."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def entries(data: Data) -> Iterator[tuple[bytes, Place]]:
    """Each key of a table and the place of its value, in order; raises DAMAGE."""
    if len(data) < _FOOTER or data[-8:] != _MAGIC:
        raise ValueError("no table of TensorFlow's ends here: another format, or cut short")
    _, after = _handle(data, len(data) - _FOOTER)  # of what describes the table
    index, _ = _handle(data, after)
    for _, (start, _) in _block(data, index):
        block, _ = _handle(data, start)
        yield from _block(data, block)


def checksum(data: Data, start: int, end: int) -> int:
    """CRC-32C of data[start:end], masked as LevelDB stores it."""
    crc = 0
    for piece in range(start, end, _PIECE):
        crc = google_crc32c.extend(crc, data[piece : min(piece + _PIECE, end)])
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def parts(data: Data, message: Place, number: int) -> Iterator[Place]:
    """The places of all fields of this number in a protocol buffer."""
    return ((start, end) for found, start, end in fields(data, *message) if found == number)


def part(data: Data, message: Place, number: int) -> Place:
    """The place of the one field of this number."""
    places = [*parts(data, message, number)]
    if len(places) != 1:
        raise ValueError(f"{len(places)} fields where one is to be")
    return places[0]


def number(data: Data, message: Place, number: int) -> int:
    """The value of a field that is a number: 0 where there is none."""
    values = [varint(data, start)[0] for start, _ in parts(data, message, number)]
    return values[-1] if values else 0


def sizes(data: Data, shape: Place) -> tuple[int, ...]:
    """The dimensions of a TensorShapeProto."""
    dimensions = tuple(number(data, dimension, 1) for dimension in parts(data, shape, 2))
    if len(dimensions) > _MOST_DIMENSIONS or any(size > _LARGEST for size in dimensions):
        raise ValueError("a variable has an impossible shape")
    return dimensions


def _block(data: Data, block: Place) -> Iterator[tuple[bytes, Place]]:
    """Keys and places of values in a block, which ends in its restarts and their number."""
    start, end = block
    if data[end]:
        raise ValueError("a compressed block, which is not supported")
    if struct.unpack_from("<I", data, end + 1) != (checksum(data, start, end + 1),):
        raise ValueError(f"a wrong checksum at byte {end + 1}")
    (restarts,) = struct.unpack_from("<I", data, end - 4)
    end -= 4 * (restarts + 1)
    key = b""
    while start < end:
        shared, start = varint(data, start)
        own, start = varint(data, start)
        size, start = varint(data, start)
        if start + own + size > end:
            raise ValueError("an entry ends outside its block")
        key = key[:shared] + data[start : start + own]
        start += own + size
        yield key, (start - size, start)


def _handle(data: Data, start: int) -> tuple[Place, int]:
    """The place of a block that a handle names, and where the handle ends."""
    offset, start = varint(data, start)
    size, start = varint(data, start)
    return (offset, offset + size), start
