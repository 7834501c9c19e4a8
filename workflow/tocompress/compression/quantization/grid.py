"""Quantize weights after training on a linear grid (paper, section II-A). This module imports no framework.

A grid spans [min, max] of the weights, widened to hold 0, in 2**bits levels. Its zero point is an integer, so 0.0 is a
level. Pruned and padded values stay exactly zero.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import inf, log10, nan, prod, sqrt
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tocompress.compression.quantization.bits import bits_of
from tocompress.compression.quantization.ranges import Range, between_percentiles, least_error, whole
from tocompress.errors import StudyError, about
from tocompress.packing import pack, stored_width, unpack
from tocompress.schemas.study import COMPRESSION
from tocompress.settings.technique import Budget, Quantize
from tocompress.weights import QuantizedTensor, Weights, channel_axis

Granularity = Literal["tensor", "channel"]
Floats = NDArray[np.float32]
Half = NDArray[np.float16]
Tensor = NDArray[Any] | QuantizedTensor

#: The kernels of operations that find the range of their input at each inference.
DYNAMIC_KERNELS = ("weights", "pointwise_weights", "kernel")
KERNELS = (*DYNAMIC_KERNELS, "depthwise_weights", "embedding_encoder", "embedding_decoder")

_PIECE = 1 << 16  # values at a time: a few such arrays fit a core's cache


def compress(weights: Weights, technique: Quantize) -> tuple[Weights, pd.DataFrame]:
    """Return the weights quantized as a technique says, and the table of schema `compression`."""
    if technique.type == "float":
        return halve_weights(weights, technique.minimum_values)
    assert not isinstance(technique.bits, Budget)  # which `calibrated` distributes
    return quantize_weights(
        weights,
        technique.bits,
        technique.granularity,
        technique.minimum_values,
        symmetric=technique.activations is not None,
        kinds=kinds_of(technique),
        keep=technique.keep,
        range_=technique.range,
    )


def kinds_of(technique: Quantize) -> tuple[str, ...]:
    """Return the kinds of kernels that a technique quantizes."""
    return DYNAMIC_KERNELS if technique.activations == "dynamic" else KERNELS


def quantize_weights(
    weights: Weights,
    bits: int | Mapping[str, int],
    granularity: Granularity,
    minimum_values: int = 1024,
    *,
    symmetric: bool = False,
    kinds: Collection[str] = KERNELS,
    keep: Sequence[str] = (),
    range_: Range = "minmax",
) -> tuple[Weights, pd.DataFrame]:
    """Quantize every kernel of `kinds` of at least `minimum_values` values. Pass on all other tensors unchanged.

    `bits` and `keep` are as in `bits_of`. Return a table of schema `compression` too, with a row for each quantized
    kernel. Raise StudyError where a tensor is quantized already, is not finite, or has a range that no grid holds.
    Raise it where a pattern matches no kernel.
    """
    chosen = bits_of(bits, keep, kernels_of(weights, minimum_values, kinds))

    def on_its_grid(name: str, tensor: Floats) -> tuple[QuantizedTensor, dict[str, Any]]:
        axis = axis_of(name, tensor, granularity)
        result = quantize(tensor, chosen[name], axis, symmetric, range_)
        return result, described(tensor, result, granularity)

    return _changed(weights, on_its_grid, chosen)


def kernels_of(weights: Mapping[str, Tensor], minimum_values: int, kinds: Collection[str]) -> list[str]:
    """Return the kernels of `kinds` of at least `minimum_values` values. Raise StudyError for a quantized tensor."""
    floats = {name: _floats(name, tensor) for name, tensor in weights.items()}
    return [name for name, tensor in floats.items() if _kind(name) in kinds and tensor.size >= minimum_values]


def axis_of(name: str, tensor: Floats, granularity: Granularity) -> int | None:
    """Return the axis of a kernel along which each channel has a grid, or None for one grid."""
    return channel_axis(name, tensor.ndim) if granularity == "channel" else None


def described(tensor: Floats, stored: QuantizedTensor, granularity: Granularity) -> dict[str, Any]:
    """Return a row of the table of schema `compression`, without the tensor's name."""
    size = stored.integers.nbytes + stored.scale.nbytes + stored.zero_point.nbytes
    facts = {"bits": stored.bits, "granularity": granularity, "bytes": size}
    return facts | _describe(tensor, _dequantized_pieces(stored))


def halve_weights(weights: Weights, minimum_values: int = 1024) -> tuple[Weights, pd.DataFrame]:
    """Round every kernel of at least `minimum_values` values to float16. The rest is as in `quantize_weights`.

    Raise StudyError for values beyond the range of float16.
    """

    def rounded(_: str, tensor: Floats) -> tuple[Half, dict[str, Any]]:
        result = halve(tensor)
        facts = {"bits": 16, "granularity": "tensor", "bytes": result.nbytes}
        return result, facts | _describe(tensor, _half_pieces(result))

    return _changed(weights, rounded, kernels_of(weights, minimum_values, KERNELS))


def _changed(
    weights: Weights,
    change: Callable[[str, Floats], tuple[QuantizedTensor | Half, dict[str, Any]]],
    chosen: Collection[str],
) -> tuple[Weights, pd.DataFrame]:
    """Return the weights with the chosen kernels changed, and a table with a row of `change` for each."""
    changed: Weights = {}
    rows = []
    for name, tensor in weights.items():
        if name not in chosen:
            changed[name] = tensor
            continue
        with about(name):
            changed[name], facts = change(name, cast(Floats, tensor))
        rows.append({"tensor": name, **facts})
    return changed, pd.DataFrame(rows, columns=COMPRESSION.names)


def _floats(name: str, tensor: Tensor) -> Floats:
    """Return a tensor that nothing has quantized. Raise StudyError for any other."""
    if isinstance(tensor, QuantizedTensor):
        raise StudyError(f"{name}: already quantized to {tensor.bits} bits; a variant may quantize only once")
    if tensor.dtype == np.float16:
        raise StudyError(f"{name}: already rounded to float16; a variant may quantize only once")
    return cast(Floats, tensor)


def is_kernel(name: str) -> bool:
    """Return whether a variable is a kernel or embedding, not a bias, batch norm or attention vector."""
    return _kind(name) in KERNELS


def _kind(name: str) -> str:
    return name.rpartition("/")[2]


def halve(tensor: Floats) -> Half:
    """Return a float32 tensor as float16, rounded to even. Raise StudyError for values beyond float16's range."""
    with np.errstate(over="ignore"):
        half: Half = tensor.astype(np.float16)
    if not np.isfinite(half).all():
        largest = np.finfo(np.float16).max
        raise StudyError(f"holds values to {np.abs(tensor).max():.6g}; float16 holds finite ones to {largest:.0f}")
    return half


def quantize(
    tensor: Floats, bits: int, axis: int | None = None, symmetric: bool = False, range_: Range = "minmax"
) -> QuantizedTensor:
    """Quantize a float32 tensor on the grid of its range, or of the range of each channel along `axis`.

    A symmetric grid spans [-m, m] for the largest absolute value m, in 2**bits - 1 levels. Its zero point is `2**(bits
    - 1)`, and the integer 0 stays unused. So a signed integer of `bits` bits holds the difference of both.

    With the range 'minmax' no value moves by more than half a step, to the precision of float32. Raise StudyError for
    values that are not finite, for a range that is too wide for float32, and for `bits` outside 2..16.
    """
    return on_grid(tensor, bits, axis, symmetric, *grid(tensor, bits, axis, symmetric, range_))


def on_grid(
    tensor: Floats, bits: int, axis: int | None, symmetric: bool, scale: Floats, zero_point: NDArray[np.int32]
) -> QuantizedTensor:
    """Round a float32 tensor to the levels of a grid. Values beyond its range take its first or last level."""
    width = stored_width(bits)
    flat = np.ascontiguousarray(tensor, np.float32).reshape(-1)
    integers: NDArray[Any] = np.empty(flat.size, np.uint16 if width == 16 else np.uint8)
    highest = np.float32(2**bits - 1)
    for piece, steps_per_unit, zero in _pieces(tensor.shape, axis, np.reciprocal(scale), zero_point):
        places = flat[piece] * steps_per_unit
        places += zero
        np.rint(places, out=places)
        np.clip(places, int(symmetric), highest, out=places)
        integers[piece] = places
    packed = pack(integers.reshape(tensor.shape), bits)
    return QuantizedTensor(packed, bits, tuple(tensor.shape), scale, zero_point, axis)


def beyond(tensor: Floats, bits: int, axis: int | None, scale: Floats, zero_point: NDArray[np.int32]) -> NDArray[Any]:
    """Return which values lie more than half a step beyond a grid, bool of the tensor's shape."""
    step, zero = (along(parameter, axis, tensor.ndim) for parameter in (scale, zero_point))
    places = tensor / step + zero
    return np.asarray((places < -0.5) | (places > 2**bits - 0.5))


def along(parameter: NDArray[Any], axis: int | None, rank: int) -> NDArray[Any]:
    """Return a grid's parameter, of shape [] or [channels], in a shape that fits a tensor of this rank."""
    return parameter if axis is None else parameter.reshape([-1 if own == axis else 1 for own in range(rank)])


def is_symmetric(tensor: QuantizedTensor) -> bool:
    """Return whether a tensor is on a symmetric grid, which a kernel has that computes in integers."""
    return tensor.axis is not None and bool((tensor.zero_point == 2 ** (tensor.bits - 1)).all())


def dequantize(tensor: QuantizedTensor) -> Floats:
    """Return the float32 values of a quantized tensor, in its shape."""
    values = np.empty(prod(tensor.shape), np.float32)
    for piece, dequantized in _dequantized_pieces(tensor):
        values[piece] = dequantized
    return values.reshape(tensor.shape)


def grid(
    tensor: Floats, bits: int, axis: int | None = None, symmetric: bool = False, range_: Range = "minmax"
) -> tuple[Floats, NDArray[np.int32]]:
    """Return the scale and the zero point of the grid that `quantize` takes, of shape [] or [shape[axis]]."""
    if range_ == "minmax":
        return _levels(*whole(tensor, axis), bits, symmetric)
    if range_ == "percentile":
        return _levels(*between_percentiles(tensor, axis), bits, symmetric)

    def moved(low: NDArray[np.float64], high: NDArray[np.float64]) -> Floats:
        return dequantize(on_grid(tensor, bits, axis, symmetric, *_levels(low, high, bits, symmetric)))

    return _levels(*least_error(tensor, axis, moved), bits, symmetric)


def _levels(
    low: NDArray[np.float64], high: NDArray[np.float64], bits: int, symmetric: bool
) -> tuple[Floats, NDArray[np.int32]]:
    """Return the scale and the zero point of the grid over a range, or over the same range on both sides of 0."""
    if symmetric:
        largest = np.maximum(-low, high)
        scale = _scale(-largest, largest, 2**bits - 2)
        return scale, np.full(scale.shape, 2 ** (bits - 1), np.int32)
    scale = _scale(low, high, 2**bits - 1)
    zero_point = np.clip(np.rint(-low / scale.astype(np.float64)), 0, 2**bits - 1).astype(np.int32)
    return scale, np.asarray(zero_point)


def _scale(low: NDArray[np.float64], high: NDArray[np.float64], steps: int) -> Floats:
    """Return the size of a step where `steps` of them span the range. Raise StudyError as `quantize` does."""
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise StudyError("holds NaN or infinity; only finite weights can be quantized")
    # An all-zero tensor has no range, so any scale will do.
    scale = np.maximum((high - low) / steps, np.finfo(np.float32).tiny).astype(np.float32)
    if (steps * scale.astype(np.float64) > np.finfo(np.float32).max).any():
        raise StudyError(
            f"spans {low.min():.3g} to {high.max():.3g}, and float32 holds no grid over that; only a smaller range can"
            " be quantized"
        )
    return np.asarray(scale)


def _dequantized_pieces(tensor: QuantizedTensor) -> Iterator[tuple[slice, Floats]]:
    integers = unpack(tensor.integers, tensor.bits, prod(tensor.shape))
    for piece, scale, zero_point in _pieces(tensor.shape, tensor.axis, tensor.scale, tensor.zero_point):
        values = integers[piece].astype(np.float32)
        values -= zero_point
        values *= scale
        yield piece, values


def _pieces(
    shape: tuple[int, ...], axis: int | None, scale: Floats, zero_point: NDArray[np.int32]
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Yield pieces of the flat tensor, with the scale and zero point of each value. They fit the cache.

    Scales and zero points are written out. NumPy is several times slower where it must broadcast along short rows.
    """
    size = prod(shape)
    zero: Floats = zero_point.astype(np.float32)
    if axis is None:
        for start in range(0, size, _PIECE):
            yield slice(start, min(start + _PIECE, size)), scale, zero
        return
    channels, run = shape[axis], prod(shape[axis + 1 :])  # a channel's values come in runs
    cycle = channels * run
    if cycle <= _PIECE:
        cycles = min(_PIECE, size) // cycle
        scale, zero = np.tile(np.repeat(scale, run), cycles), np.tile(np.repeat(zero, run), cycles)
        for start in range(0, size, scale.size):
            length = min(scale.size, size - start)
            yield slice(start, start + length), scale[:length], zero[:length]
        return
    runs, runs_at_once = size // run, max(1, _PIECE // run)
    for start in range(0, runs, runs_at_once):
        stop = min(start + runs_at_once, runs)
        channel = np.arange(start, stop) % channels
        yield slice(start * run, stop * run), np.repeat(scale[channel], run), np.repeat(zero[channel], run)


def _half_pieces(tensor: Half) -> Iterator[tuple[slice, Floats]]:
    flat = tensor.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        piece = slice(start, min(start + _PIECE, flat.size))
        yield piece, flat[piece].astype(np.float32)


def _describe(tensor: Floats, changed_pieces: Iterable[tuple[slice, Floats]]) -> dict[str, Any]:
    """Return the columns of schema `compression` that describe how the values of a tensor have changed."""
    flat = np.ascontiguousarray(tensor, np.float32).reshape(-1)
    signal = noise = largest = 0.0
    for piece, changed in changed_pieces:
        values = flat[piece]
        changed -= values
        # float64 holds the square of every float32.
        signal += float(np.square(values, dtype=np.float64).sum())
        noise += float(np.square(changed, dtype=np.float64).sum())
        largest = max(largest, float(np.abs(changed, out=changed).max()))
    return {
        "values": flat.size,
        "minimum": float(flat.min()),
        "maximum": float(flat.max()),
        "rms_error": sqrt(noise / flat.size),
        "maximum_error": largest,
        "signal_to_noise": _decibel(signal, noise),
    }


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return inf if signal else nan
    return 10 * log10(signal / noise) if signal else -inf
