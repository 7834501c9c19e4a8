"""TensorFlow's checkpoint format of 2016, V1, read in place.

TensorFlow's own reader holds three copies of a tensor at once, of VGG's largest 1.2 GB. The file is a table of
LevelDB's format (tensorflow/core/lib/io/format.h) whose values are messages `SavedTensorSlices`
(tensorflow/core/util/saved_tensor_slice.proto), the first of them with the shapes.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path

import google_crc32c
import numpy as np

from tocompress.protobuf_wire import fields, varint

_FOOTER, _MAGIC = 48, struct.pack("<Q", 0xDB4775248B80FB57)
_META, _DATA = 1, 2  # of SavedTensorSlices
_DIMENSION, _SIZE = 2, 1  # of TensorShapeProto, and of its Dim
_FLOAT, _FLOAT_VALUES = 1, 5  # of TensorProto

_PIECE = 1 << 20  # bytes at once

_Place = tuple[int, int]  # start and end


def floats(path: Path) -> dict[str, np.ndarray] | None:
    """Every float32 variable, mapped from the file; None for a file that only TensorFlow can read, or tell what it is.

    So it is with one of another format, damaged, compressed, or with a variable in several slices.
    """
    with path.open("rb") as file:
        try:
            # Not closed: it is open as long as there are arrays.
            return dict(_variables(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        except (ValueError, IndexError, KeyError, struct.error):
            return None


def _variables(data: mmap.mmap) -> Iterator[tuple[str, np.ndarray]]:
    if data[-8:] != _MAGIC:
        raise ValueError("not a table")
    _, after = _handle(data, len(data) - _FOOTER)  # of what describes the table
    index, _ = _handle(data, after)
    blocks = (_handle(data, start)[0] for start, _ in _values(data, index))
    first, *others = (value for block in blocks for value in _values(data, block))
    shapes = dict(_shape(data, meta) for message in _inside(data, first, _META) for meta in _inside(data, message, 1))
    for value in others:
        for saved in _inside(data, value, _DATA):
            name = _text(data, _only(data, saved, 1))
            if shape := shapes.get(name):
                yield name, _array(data, _only(data, saved, 3), shape[0])


def _shape(data: mmap.mmap, meta: _Place) -> tuple[str, tuple[tuple[int, ...]] | None]:
    """The name of a variable and, of float32 ones, the shape."""
    kind, _ = varint(data, _only(data, meta, 3)[0])
    dimensions = _inside(data, _only(data, meta, 2), _DIMENSION)
    sizes = (varint(data, _only(data, dimension, _SIZE)[0])[0] for dimension in dimensions)
    return _text(data, _only(data, meta, 1)), (tuple(sizes),) if kind == _FLOAT else None


def _array(data: mmap.mmap, tensor: _Place, shape: tuple[int, ...]) -> np.ndarray:
    start, end = _only(data, tensor, _FLOAT_VALUES)
    if end - start != 4 * prod(shape):
        raise ValueError("a slice, not the whole variable")
    return np.frombuffer(data, "<f4", prod(shape), start).reshape(shape)


def _values(data: mmap.mmap, block: _Place) -> Iterator[_Place]:
    """The place of each value in a block, which ends in its restarts and their number."""
    start, end = block
    if data[end]:
        raise ValueError("a compressed block")
    if struct.unpack_from("<I", data, end + 1) != (_checksum(data, start, end + 1),):
        raise ValueError("a damaged block")
    (restarts,) = struct.unpack_from("<I", data, end - 4)
    end -= 4 * (restarts + 1)
    while start < end:
        _, start = varint(data, start)  # of the key, as many bytes are those of the one before
        key, start = varint(data, start)
        value, start = varint(data, start)
        start += key + value
        yield start - value, start


def _checksum(data: mmap.mmap, start: int, end: int) -> int:
    """CRC-32C, masked as LevelDB stores it."""
    crc = 0
    for piece in range(start, end, _PIECE):
        crc = google_crc32c.extend(crc, data[piece : min(piece + _PIECE, end)])
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _handle(data: mmap.mmap, start: int) -> tuple[_Place, int]:
    """The place of a block that a handle names, and where the handle ends."""
    offset, start = varint(data, start)
    size, start = varint(data, start)
    return (offset, offset + size), start


def _inside(data: mmap.mmap, message: _Place, number: int) -> Iterator[_Place]:
    return ((start, end) for found, start, end in fields(data, *message) if found == number)


def _only(data: mmap.mmap, message: _Place, number: int) -> _Place:
    (place,) = _inside(data, message, number)
    return place


def _text(data: mmap.mmap, place: _Place) -> str:
    return data[slice(*place)].decode()
