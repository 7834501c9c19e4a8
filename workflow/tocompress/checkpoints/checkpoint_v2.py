"""TensorFlow's checkpoint format since 2017, V2, read in place.

TensorFlow's own reader aborts the process where the index has an unknown type or an impossible shape. The index is a
table of messages `BundleEntryProto` by the names of variables (tensorflow/core/protobuf/tensor_bundle.proto), with a
`BundleHeaderProto` before them; the other files are the values, one after the other.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from functools import cache, partial
from math import prod
from pathlib import Path

import numpy as np

from tocompress.checkpoints.stored import Stored
from tocompress.checkpoints.table import Place, checksum, entries, mapped, number, part, parts, sizes

_SHARDS, _BIG_ENDIAN = 1, 2  # of BundleHeaderProto
_TYPE, _SHAPE, _SHARD, _OFFSET, _SIZE, _CHECKSUM, _SLICES = range(1, 8)  # of BundleEntryProto
_SLICE = b"\0"  # starts the key of a slice, which the variable's own entry lists
#: By tensorflow/core/framework/types.proto.
_TYPES = {
    **{1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1"},
    **{9: "<i8", 17: "<u2", 19: "<f2", 22: "<u4", 23: "<u8"},
}


def variables(prefix: Path) -> dict[str, Stored]:
    """Every variable; those that are not numbers, or are in slices, cannot be read. Raises `table.DAMAGE`."""
    index = mapped(prefix.with_name(f"{prefix.name}.index"))
    (key, header), *others = entries(index)
    if key or number(index, header, _BIG_ENDIAN):
        raise ValueError("does not start with the header of a little-endian checkpoint")
    shards = number(index, header, _SHARDS)
    opened = cache(mapped)  # each map takes a file descriptor
    found = {}
    for name, entry in others:
        if name.startswith(_SLICE):
            continue
        file = prefix.with_name(f"{prefix.name}.data-{number(index, entry, _SHARD):05}-of-{shards:05}")
        # Of a scalar, the shape may be left out.
        shape = next((sizes(index, place) for place in parts(index, entry, _SHAPE)), ())
        found[name.decode()] = Stored(shape, file, partial(_array, partial(opened, file), shape, index, entry))
    return found


def _array(values: Callable[[], mmap.mmap], shape: tuple[int, ...], index: mmap.mmap, entry: Place) -> np.ndarray:
    kind = number(index, entry, _TYPE)
    if kind not in _TYPES:
        raise ValueError(f"of TensorFlow's type {kind}, none of real numbers")
    if any(parts(index, entry, _SLICES)):
        raise ValueError("in slices, not whole")
    dtype = np.dtype(_TYPES[kind])
    offset, size = (number(index, entry, field) for field in (_OFFSET, _SIZE))
    if size != dtype.itemsize * prod(shape):
        raise ValueError(f"{size} bytes, not those of the shape {shape}")
    data = values()
    if offset + size > len(data):
        raise ValueError(f"ends at byte {offset + size} of {len(data)}, so the file is cut short or of another index")
    (expected,) = struct.unpack_from("<I", index, part(index, entry, _CHECKSUM)[0])
    if checksum(data, offset, offset + size) != expected:
        raise ValueError("values of another checksum than the index says")
    return np.frombuffer(data, dtype, prod(shape), offset).reshape(shape)
