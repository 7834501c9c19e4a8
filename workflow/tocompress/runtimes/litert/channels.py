"""Let convolutions compute a factor and an offset of each channel, for a network in integers.

A product in integers has one grid for all factors, which leaves few steps to small ones. A depthwise convolution has a
grid for each channel. Its kernel of 1 x 1 holds each factor exactly, and its bias holds the offset in 32 bits.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from ai_edge_litert.schema_py_generated import (
    BuiltinOptions,
    DepthwiseConv2DOptionsT,
    ModelT,
    OperatorT,
    Padding,
    SubGraphT,
)
from numpy.typing import NDArray

from tocompress.runtimes.litert.flatbuffer import add_tensor, constant, is_constant, kind, operator, set_constant

Floats = NDArray[np.float32]


class _Affine(NamedTuple):
    """Operations that compute x * factor + offset, by the number of x. The parameters are float32 [channels]."""

    source: int
    factor: Floats
    offset: Floats
    last: OperatorT  # the others are left out


def with_convolved_channels(model: ModelT, subgraph: SubGraphT) -> dict[int, int]:
    """Put depthwise convolutions in place of factors and offsets of channels.

    Return for each activation that this adds the one which has its values.
    """
    readers = Counter(int(number) for part in subgraph.operators for number in part.inputs)
    added: dict[int, int] = {}
    parts: list[OperatorT] = []
    operators = [*subgraph.operators]
    while operators:
        part = operators.pop(0)
        found = _affine(model, subgraph, part, operators, readers)
        if found is None:
            parts.append(part)
        elif found.last is part:
            parts.extend(_convolution(model, subgraph, found, added))
        else:  # the addition may stand later, after what it reads too
            place = operators.index(found.last)
            operators[place : place + 1] = _convolution(model, subgraph, found, added)
    subgraph.operators = parts
    return added


def _affine(
    model: ModelT, subgraph: SubGraphT, part: OperatorT, later: list[OperatorT], readers: Counter[int]
) -> _Affine | None:
    """Return the factor and the offset of channels that begin with this operation, if it does."""
    if kind(model, part) != "MUL" or (found := _parameter(model, subgraph, part)) is None:
        return None
    source, factor = found
    output = int(part.outputs[0])
    following = [other for other in later if output in other.inputs]
    if readers[output] == 1 and following and not part.builtinOptions.fusedActivationFunction:
        name = kind(model, following[0])
        offset = _parameter(model, subgraph, following[0]) if name in ("ADD", "SUB") else None
        if offset is not None and (name == "ADD" or int(following[0].inputs[0]) == output):
            return _Affine(source, factor, offset[1] if name == "ADD" else -offset[1], following[0])
    if np.ptp(factor) == 0:  # a product holds one factor exactly too
        return None
    return _Affine(source, factor, np.zeros_like(factor), part)


def _parameter(model: ModelT, subgraph: SubGraphT, part: OperatorT) -> tuple[int, Floats] | None:
    """Return the activation and the constant of an operation with two inputs, as float32 [channels].

    None where the constant is not one of channels, or the activation has no form that a convolution takes.
    """
    for source, number in (map(int, part.inputs), map(int, reversed(part.inputs))):
        given, parameter = subgraph.tensors[source], subgraph.tensors[number]
        if not is_constant(model, parameter) or is_constant(model, given) or len(given.shape) not in (2, 4):
            continue
        values: Floats = constant(model, parameter)
        if values.size in (1, *values.shape[-1:]) and values.size in (1, given.shape[-1]):
            return source, np.broadcast_to(values.reshape(-1), given.shape[-1:])
    return None


def _convolution(model: ModelT, subgraph: SubGraphT, affine: _Affine, added: dict[int, int]) -> list[OperatorT]:
    """Return the operations that compute it, and note the activations that they add."""
    source, output = affine.source, int(affine.last.outputs[0])
    name, shape = subgraph.tensors[output].name.decode(), subgraph.tensors[output].shape
    kernel, bias = (add_tensor(subgraph, f"{name};{role}", [], np.float32) for role in ("factor", "offset"))
    set_constant(model, subgraph.tensors[kernel], affine.factor.reshape(1, 1, 1, -1).astype(np.float32))
    set_constant(model, subgraph.tensors[bias], affine.offset.astype(np.float32))
    options = DepthwiseConv2DOptionsT(
        padding=Padding.VALID,
        strideW=1,
        strideH=1,
        depthMultiplier=1,
        fusedActivationFunction=affine.last.builtinOptions.fusedActivationFunction,
    )
    if len(shape) == 4:
        return [_depthwise(model, [source, kernel, bias], output, options)]
    as_map = [1, 1, *shape] if len(shape) == 2 else shape
    wide, result = (add_tensor(subgraph, f"{name};{role}", as_map, np.float32) for role in ("map", "result"))
    added |= {wide: source, result: output}
    return [
        _reshape(model, subgraph, source, wide),
        _depthwise(model, [wide, kernel, bias], result, options),
        _reshape(model, subgraph, result, output),
    ]


def _depthwise(model: ModelT, inputs: list[int], output: int, options: DepthwiseConv2DOptionsT) -> OperatorT:
    part = operator(model, "DEPTHWISE_CONV_2D", inputs, [output])
    part.builtinOptions, part.builtinOptionsType = options, BuiltinOptions.DepthwiseConv2DOptions
    return part


def _reshape(model: ModelT, subgraph: SubGraphT, source: int, output: int) -> OperatorT:
    shape = add_tensor(subgraph, f"{subgraph.tensors[output].name};shape", [], np.int32)
    set_constant(model, subgraph.tensors[shape], np.asarray(subgraph.tensors[output].shape, np.int32))
    return operator(model, "RESHAPE", [source, shape], [output])
