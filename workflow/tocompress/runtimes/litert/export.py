"""Export a variant's weights to a LiteRT model, and measure the file's size. This module imports no TensorFlow.

A structure is converted once, to a model without weights (`body`). A variant's artifact is this model with the weights
in their places. Floats are constants. Smaller floats and integers are followed by a DEQUANTIZE, which LiteRT runs once,
when it loads the model. Operators that compute in integers are made by the module `integers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from ai_edge_litert.schema_py_generated import ModelT, QuantizationParametersT, SubGraphT, TensorT
from numpy.typing import NDArray

from tocompress.errors import StudyError, about
from tocompress.files import replace_on_success
from tocompress.models.registry import find
from tocompress.packing import stored_width, unpack
from tocompress.runtimes.artifact import check_names, check_values, facts
from tocompress.runtimes.deployed import AffineTensor, DeployedTensor, deployed
from tocompress.runtimes.litert.flatbuffer import add_tensor, operator, quantization, read, set_constant, write
from tocompress.runtimes.litert.integers import quantized
from tocompress.runtimes.litert.places import DIRECTION, SAME, Place, scaled_direction
from tocompress.runtimes.litert.ranges import ranges
from tocompress.schemas.study import EXTREMES, PLACES
from tocompress.tables import read_table
from tocompress.vocabulary.runtimes import LITERT_BITS
from tocompress.weights import read_weights

Activations = Literal[8, "dynamic"]

_SMALLEST = np.finfo(np.float32).tiny  # scale that LiteRT's kernels take


def write_artifact(
    body: str | Path,
    places: str | Path,
    weights: str | Path,
    artifact: str | Path,
    structure: pd.DataFrame,
    *,
    extremes: str | Path | None = None,
    activations: Activations | None = None,
    range_quantile: float = 1.0,
) -> pd.DataFrame:
    """Fill the body with the weights of a variant, write its artifact, and return its table 'artifact'.

    With `activations`, operators compute in integers. With 8, `extremes` is a file of the table of that name, and
    `range_quantile` is the share of images whose activations lie within their range.
    """
    (tensors, metadata), path = read_weights(weights), Path(artifact)
    model, table = read(body), read_table(places, PLACES)
    with about(weights):
        stored = deployed(tensors, find(metadata.network).batch_norm_epsilon)
        if activations is None:
            filled = fill(model, table, stored)
        else:
            in_floats = fill(model, table, {name: dequantized(tensor) for name, tensor in stored.items()})
            known = None if extremes is None else ranges(read_table(extremes, EXTREMES), range_quantile)
            filled = quantized(in_floats, table, stored, known, activations)
        content = write(filled)
    with replace_on_success(path) as temporary:
        temporary.write_bytes(content)
    return facts(path, metadata, tensors, structure)


def fill(body: ModelT, places: pd.DataFrame, tensors: Mapping[str, DeployedTensor]) -> ModelT:
    """Put a variant's deployed tensors into the model `body`, and return it. The body's tensors keep their numbers.

    Raise StudyError where the tensors do not fit the body or are not finite.
    """
    check_names(set(places["weight"]), tensors.keys())
    check_values(tensors)
    rows = sorted((Place(**row) for row in places.to_dict("records")), key=_tensor)
    for (subgraph, number), of_tensor in groupby(rows, _tensor):
        _fill_tensor(body, body.subgraphs[subgraph], number, [*of_tensor], tensors)
    return body


def _tensor(place: Place) -> tuple[int, int]:
    return place.subgraph, place.tensor


def _fill_tensor(
    model: ModelT,
    subgraph: SubGraphT,
    number: int,
    places: Sequence[Place],
    tensors: Mapping[str, DeployedTensor],
) -> None:
    """Put the weight or the weights of a tensor into it, or into a smaller tensor that is dequantized to it."""
    place, floats = places[0], subgraph.tensors[number]
    weight = tensors[place.weight]
    if place.layout == DIRECTION:
        length = tensors[places[1].weight]
        set_constant(model, floats, scaled_direction(dequantized(weight), dequantized(length)))
        return
    if isinstance(weight, AffineTensor):
        stored, grid = _integers(weight, place, floats)
    else:
        stored, grid = _laid_out(weight, place, floats), None
    if stored.dtype == np.float32:
        set_constant(model, floats, stored)
        return
    smaller = add_tensor(subgraph, f"{place.weight}/stored", stored.shape, stored.dtype, grid)
    set_constant(model, subgraph.tensors[smaller], stored)
    subgraph.operators.insert(0, operator(model, "DEQUANTIZE", [smaller], [number]))


def _laid_out(values: NDArray[Any], place: Place, tensor: TensorT) -> NDArray[Any]:
    """Return a weight's values in the order and the shape of its tensor. Raise StudyError where they do not fit."""
    flat = place.laid_out(values)
    if flat.size != prod(tensor.shape):
        raise StudyError(f"{place.weight}: shape {list(values.shape)}, but the network takes {list(tensor.shape)}")
    return flat.reshape(tensor.shape)


def _integers(weight: AffineTensor, place: Place, tensor: TensorT) -> tuple[NDArray[np.int8], QuantizationParametersT]:
    """Return a weight's integers as its tensor holds them, and their grid."""
    with about(place.weight):
        values, scale, zero_point = signed(weight)
    axis = 0
    if weight.axis is not None:
        axis, channels = _channels(place, weight, len(tensor.shape))
        scale, zero_point = scale[channels], zero_point[channels]
    return _laid_out(values, place, tensor), quantization(scale, zero_point, axis)


def signed(tensor: AffineTensor) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]:
    """Return integers of the tensor's shape, scale and zero point as LiteRT has them: the integers lie about 0.

    LiteRT takes no negative scale, which batch norm may make. Then the integers count the other way. A channel that
    batch norm removes has a scale of nearly 0, which LiteRT does not take either, and becomes 0.
    """
    if stored_width(tensor.bits) > LITERT_BITS:
        raise StudyError(f"integers of {tensor.bits} bits; LiteRT holds at most {LITERT_BITS}")
    half = 2 ** (tensor.bits - 1)
    levels = unpack(tensor.integers, tensor.bits, prod(tensor.shape)).reshape(tensor.shape)
    integers = (levels - np.uint8(half)).view(np.int8)  # what falls below 0 wraps around
    scale, removed = np.abs(tensor.scale), np.abs(tensor.scale) < _SMALLEST
    with np.errstate(divide="ignore", invalid="ignore"):
        zero_point = np.rint(-tensor.offset / tensor.scale) - half
    if (negative := tensor.scale < 0).any():
        integers = np.where(_along(negative, tensor), ~integers, integers)
        zero_point = np.where(negative, -1 - zero_point, zero_point)
    if removed.any():
        integers = np.where(_along(removed, tensor), np.int8(0), integers)
        zero_point, scale = np.where(removed, 0, zero_point), np.where(removed, np.float32(1), scale)
    return integers, scale, zero_point.astype(np.int32)


def _along(parameter: NDArray[Any], tensor: AffineTensor) -> NDArray[Any]:
    """Return a parameter of each channel in a shape that fits the tensor's."""
    if tensor.axis is None:
        return parameter
    return parameter.reshape([-1 if axis == tensor.axis else 1 for axis in range(len(tensor.shape))])


def _channels(place: Place, weight: AffineTensor, rank: int) -> tuple[int, NDArray[np.intp]]:
    """Return the axis of a tensor of that rank along which its channels lie, and the number of each of them."""
    assert weight.axis is not None
    channels = np.arange(weight.shape[weight.axis])
    first, last = (0, rank - 1) if place.layout == SAME else (rank - 1, 0)
    if weight.axis == len(weight.shape) - 1:
        return last, channels
    if weight.axis == 0:  # the words of an embedding
        return first, channels[place.start : place.stop]
    return last, np.repeat(channels, weight.shape[-1])  # a depthwise kernel, with some outputs for each input


def dequantized(tensor: DeployedTensor) -> NDArray[np.float32]:
    """Return the float32 values of a deployed tensor, in its shape."""
    if not isinstance(tensor, AffineTensor):
        return tensor.astype(np.float32, copy=False)
    integers = unpack(tensor.integers, tensor.bits, prod(tensor.shape)).reshape(tensor.shape)
    scale, offset = (_along(parameter, tensor) for parameter in (tensor.scale, tensor.offset))
    values: NDArray[np.float32] = integers.astype(np.float32) * scale + offset
    return values
