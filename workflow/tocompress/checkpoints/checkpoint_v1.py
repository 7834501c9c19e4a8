"""TensorFlow's checkpoint format of 2016, V1, read in place.

TensorFlow's own reader holds three copies of a tensor at once, of VGG's largest 1.2 GB, and aborts the process on some
damage. The file is a table whose values are messages `SavedTensorSlices`
(tensorflow/core/util/saved_tensor_slice.proto), the first of them with the shapes.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import cache, partial
from itertools import islice
from math import prod
from pathlib import Path

import numpy as np

from tocompress.checkpoints.stored import Stored
from tocompress.checkpoints.table import Place, entries, mapped, number, part, parts, sizes

_META, _DATA = 1, 2  # of SavedTensorSlices
_FLOAT, _FLOAT_VALUES = 1, 5  # of TensorProto


def variables(path: Path) -> dict[str, Stored]:
    """Every variable; those that are not float32, or are in several slices, cannot be read. Raises `table.DAMAGE`."""
    data = mapped(path)
    (_, first), *_ = islice(entries(data), 1)
    slices = cache(partial(_slices, data))  # the rest of the file is read with the first values
    found = {}
    for meta in (meta for message in parts(data, first, _META) for meta in parts(data, message, 1)):
        name, shape = _name(data, meta), sizes(data, part(data, meta, 2))
        found[name] = Stored(shape, path, partial(_array, data, name, number(data, meta, 3), shape, slices))
    return found


def _slices(data: mmap.mmap) -> dict[str, list[Place]]:
    """The places of each variable's values."""
    found: dict[str, list[Place]] = {}
    for _, value in entries(data):
        for saved in parts(data, value, _DATA):
            found.setdefault(_name(data, saved), []).append(part(data, saved, 3))
    return found


def _array(
    data: mmap.mmap, name: str, kind: int, shape: tuple[int, ...], slices: Callable[[], dict[str, list[Place]]]
) -> np.ndarray:
    if kind != _FLOAT:
        raise ValueError(f"of TensorFlow's type {kind}, not float32 (1)")
    if len(places := slices().get(name, [])) != 1:
        raise ValueError(f"in {len(places)} slices, not in one")
    start, end = part(data, places[0], _FLOAT_VALUES)
    if end - start != 4 * prod(shape):
        raise ValueError(f"{end - start} bytes, not those of the shape {shape}")
    return np.frombuffer(data, "<f4", prod(shape), start).reshape(shape)


def _name(data: mmap.mmap, message: Place) -> str:
    return data[slice(*part(data, message, 1))].decode()
