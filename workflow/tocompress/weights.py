"""Read and write our weights files: safetensors with the training form of every tensor, packed integers included."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from tocompress.errors import StudyError, about
from tocompress.files import replace_on_success


@dataclass(frozen=True)
class ModelMetadata:
    """The model and the variant of a weights file. Sizes that do not apply to a network are None."""

    model: str
    network: str
    variant: str
    trained: bool
    width: float
    shape: tuple[int, int, int] | None = None  # of an image: height, width, channels
    classes: int | None = None
    source_vocabulary: int | None = None
    target_vocabulary: int | None = None
    graph: str | None = None  # of a network that a user brought, as JSON (`models.flat`)
    takes_pixels: bool = False  # whether such a network scales pixels of 0 to 255 itself

    @classmethod
    def of_header(cls, entries: Mapping[str, Any]) -> ModelMetadata:
        """Return the metadata that a file's header holds."""
        shape = entries["shape"]
        return cls(**{**entries, "shape": shape and tuple(shape)})


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor on a linear grid: value = (integer - zero_point) * scale.

    `integers` are uint16 of `shape` (9 to 16 bits), uint8 of `shape` (7 or 8 bits), or packed uint8 (fewer bits, see
    `packing`). `scale` float32 and `zero_point` int32 are of shape [] (per tensor) or [shape[axis]] (per channel).
    """

    integers: np.ndarray
    bits: int
    shape: tuple[int, ...]
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int | None = None


Weights = dict[str, np.ndarray | QuantizedTensor]

_SCALE, _ZERO_POINT = "#scale", "#zero_point"
_HEADER = "tocompress"
#: The types of safetensors by NumPy's types, for the arrays of a checkpoint or a compression.
_TYPES = {"|u1": "U8", "<u2": "U16", "<u4": "U32", "<u8": "U64", "|i1": "I8", "<i2": "I16", "<i4": "I32", "<i8": "I64"}
_TYPES |= {"<f2": "F16", "<f4": "F32", "<f8": "F64"}


def write_weights(path: str | Path, weights: Weights, metadata: ModelMetadata) -> None:
    """Write `weights` to the safetensors file `path`, whole or not at all. Raise StudyError as `check_numbers` does."""
    with about(path):
        check_numbers(weights)
    arrays: dict[str, np.ndarray] = {}
    quantized: dict[str, dict[str, object]] = {}
    for name, tensor in weights.items():
        if isinstance(tensor, QuantizedTensor):
            arrays[name] = tensor.integers
            arrays[name + _SCALE] = tensor.scale
            arrays[name + _ZERO_POINT] = tensor.zero_point
            quantized[name] = {"bits": tensor.bits, "shape": tensor.shape, "axis": tensor.axis}
        else:
            arrays[name] = tensor
    header = {"model": asdict(metadata), "quantized": quantized, "order": [*weights]}
    with replace_on_success(path) as temporary:
        _save(temporary, arrays, {_HEADER: json.dumps(header)})


def check_numbers(weights: Weights) -> None:
    """Raise a StudyError that names the variable where one has values that no network can have.

    These are NaN, infinity, a negative variance, and a grid whose values are too large for float32.
    """
    for name, tensor in weights.items():
        if isinstance(tensor, QuantizedTensor):
            check_grid(name, tensor.scale, tensor.bits)
            continue
        check_finite(name, tensor)
        if name.endswith("/moving_variance") and (negative := tensor[tensor < 0]).size:
            raise StudyError(f"{name}: holds the variance {negative.min():.3g}; a variance is 0 or more")


def check_grid(name: str, scale: np.ndarray, bits: int) -> None:
    """Raise a StudyError that names the tensor where integers of `bits` bits times `scale` are not finite."""
    with np.errstate(over="ignore"):
        check_finite(name, np.asarray(scale * np.float32(np.ldexp(1.0, bits) - 1)))


def check_finite(name: str, values: np.ndarray) -> None:
    """Raise a StudyError that names the values where one is NaN or infinite."""
    if odd := values.size - np.count_nonzero(np.isfinite(values)):
        raise StudyError(f"{name}: holds NaN or infinity in {odd} of {values.size} values; all are to be finite")


def _save(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file.

    The library's `save_file` has a temporary file of a random name, which a killed process leaves. Its `save` holds all
    tensors three times.
    """
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # so that all are aligned
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name in names:
        start, end = end, end + arrays[name].nbytes
        shape = list(arrays[name].shape)
        header[name] = {"dtype": _TYPES[arrays[name].dtype.str], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)


def read_metadata(path: str | Path) -> ModelMetadata:
    """Return the metadata of a weights file without its tensors. Raise StudyError for a damaged file."""
    try:
        with safe_open(path, "numpy") as file:
            return ModelMetadata.of_header(_header(file)["model"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def read_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the values of every tensor of a weights file. Raise StudyError for a damaged file."""
    try:
        with safe_open(path, "numpy") as file:
            header = _header(file)
            quantized = header["quantized"]
            return {
                name: tuple(quantized[name]["shape"] if name in quantized else file.get_slice(name).get_shape())
                for name in header["order"]
            }
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def read_weights(path: str | Path) -> tuple[Weights, ModelMetadata]:
    """Read a weights file. Raise StudyError for a damaged file, and as `check_numbers` does."""
    try:
        with safe_open(path, "numpy") as file:
            header = _header(file)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        quantized = header["quantized"]
        metadata = ModelMetadata.of_header(header["model"])
        weights: Weights = {}
        for name in header["order"]:
            if name in quantized:
                entry = quantized[name]
                weights[name] = QuantizedTensor(
                    arrays[name],
                    entry["bits"],
                    tuple(entry["shape"]),
                    arrays[name + _SCALE],
                    arrays[name + _ZERO_POINT],
                    entry["axis"],
                )
            else:
                weights[name] = arrays[name]
        with about(path):
            check_numbers(weights)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, error) from error
    return weights, metadata


def _header(file: Any) -> dict[str, Any]:
    header: dict[str, Any] = json.loads((file.metadata() or {})[_HEADER])
    return header


def _damaged(path: str | Path, error: Exception) -> StudyError:
    return StudyError(f"{path}: not one of this study's weights files ({error}); delete it and run again")


def channel_axis(name: str, rank: int) -> int:
    """Return the axis of the output channels, which batch norm scales, or the axis of an embedding's words."""
    kind = name.rpartition("/")[2]
    if kind.startswith("embedding_"):
        return 0
    return 2 if kind == "depthwise_weights" else rank - 1
