"""Let a model of floats compute in integers of 8 bits.

Kernels have one symmetric grid for each output channel. An activation has one grid, which spans its range, and biases
have the grid of the products of both. Other constants have one grid. The input and the output stay floats, and so do
operations that LiteRT has no kernel of integers for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from ai_edge_litert.schema_py_generated import ModelT, OperatorT, SubGraphT, TensorT, TensorType
from numpy.typing import NDArray

from tocompress.runtimes.deployed import AffineTensor, DeployedTensor
from tocompress.runtimes.litert.channels import with_convolved_channels
from tocompress.runtimes.litert.flatbuffer import (
    add_tensor,
    constant,
    is_constant,
    kind,
    operator,
    quantization,
    set_constant,
)
from tocompress.runtimes.litert.grids import CHANNEL_AXIS, Grid, Grids, grid
from tocompress.runtimes.litert.ranges import Range

Floats = NDArray[np.float32]
#: The steps of each kernel's channels, float32 [channels], by the numbers of its subgraph and tensor.
Steps = Mapping[tuple[int, int], Floats]

#: LiteRT has a fast kernel with ranges found at each inference for these alone.
_DYNAMIC = ("CONV_2D", "FULLY_CONNECTED")

_HIGHEST = 127  # of an int8 kernel, which is symmetric
#: The largest bias, and the inverse of the least factor from a product's step to the output's, that kernels take.
_LIMIT = 2.0**30


def quantized(
    model: ModelT,
    places: pd.DataFrame,
    tensors: Mapping[str, DeployedTensor],
    ranges: Mapping[int, Range] | None,
    activations: Literal[8, "dynamic"],
) -> ModelT:
    """Return a model of floats, edited so that it computes in integers of 8 bits.

    `places` names the subgraph and the tensor of each weight, which holds the values of `tensors`. Kernels in integers
    keep them. With activations of 8 bits, `ranges` gives the range of each activation by its tensor's number, and
    kernels of floats are quantized too. With dynamic ones, these stay floats. Raise StudyError for an activation that
    has no range.
    """
    steps = _steps_of_kernels(places, tensors)
    if activations == "dynamic":
        return _with_dynamic_ranges(model, steps)
    return _with_static_ranges(model, steps, ranges or {})


def _steps_of_kernels(places: pd.DataFrame, tensors: Mapping[str, DeployedTensor]) -> Steps:
    """Return the steps of the kernels that are integers. A negative step, of batch norm, flips the integers instead."""
    return {
        (int(subgraph), int(number)): np.abs(kernel.scale)
        for weight, subgraph, number in zip(places["weight"], places["subgraph"], places["tensor"], strict=True)
        if isinstance(kernel := tensors[weight], AffineTensor)
    }


def _with_dynamic_ranges(model: ModelT, steps: Steps) -> ModelT:
    """Return the model with integers as kernels. LiteRT puts the inputs of such operations on grids as it runs."""
    for index, subgraph in enumerate(model.subgraphs):
        for part in subgraph.operators:
            name = kind(model, part)
            if name in _DYNAMIC and (index, int(part.inputs[1])) in steps:
                kernel = subgraph.tensors[part.inputs[1]]
                scale = np.maximum(steps[index, int(part.inputs[1])], np.finfo(np.float32).tiny)
                _set_integers(model, kernel, scale, CHANNEL_AXIS[name])
    return model


def _with_static_ranges(model: ModelT, steps: Steps, ranges: Mapping[int, Range]) -> ModelT:
    (subgraph,) = model.subgraphs
    added = with_convolved_channels(model, subgraph)
    grids = Grids(model, subgraph, {**ranges, **{new: ranges[old] for new, old in added.items() if old in ranges}})
    for part in filter(grids.in_integers, subgraph.operators):
        if kind(model, part) in CHANNEL_AXIS:
            _quantize_weights(model, subgraph, part, steps.get((0, int(part.inputs[1]))), grids)
        else:
            _quantize_constants(model, subgraph, part, grids)
    for number, steps_of_activation in grids.of.items():
        subgraph.tensors[number].type = TensorType.INT8
        subgraph.tensors[number].quantization = quantization(*steps_of_activation)
    _convert_activations(model, subgraph, grids)
    _convert_input_and_output(model, subgraph, grids)
    return model


def _quantize_constants(model: ModelT, subgraph: SubGraphT, part: OperatorT, grids: Grids) -> None:
    """Put the constants of an operation without a kernel on the grid of its output, or on their own."""
    for place, number in enumerate(map(int, part.inputs)):
        tensor = subgraph.tensors[number]
        if number < 0 or tensor.type != TensorType.FLOAT32 or not is_constant(model, tensor):
            continue
        values = constant(model, tensor)
        if grids.shares_grids(part):
            steps = grids.of[int(part.outputs[0])]
        else:
            steps = grid(min(float(values.min()), 0.0), max(float(values.max()), 0.0))
        integers = np.clip(np.rint(values / steps.scale) + steps.zero_point, -128, 127).astype(np.int8)
        # Other operations may read the floats, or have them on another grid.
        part.inputs[place] = add_tensor(subgraph, tensor.name, [], np.int8, quantization(*steps))
        set_constant(model, subgraph.tensors[part.inputs[place]], integers)


def _quantize_weights(model: ModelT, subgraph: SubGraphT, part: OperatorT, scale: Floats | None, grids: Grids) -> None:
    """Put the kernel of an operation on the steps `scale`, or on steps of its own, and its bias on the products'."""
    kernel, axis = subgraph.tensors[part.inputs[1]], CHANNEL_AXIS[kind(model, part)]
    wanted = grids.wanted(part, int(part.inputs[0]))
    assert wanted is not None
    input_scale, output_scale = wanted.scale, grids.of[int(part.outputs[0])].scale
    bias = _bias(model, subgraph, part)
    if kernel.type == TensorType.INT8:  # another operation reads it too
        scale = kernel.quantization.scale
    else:
        if scale is None:
            scale = _symmetric_scale(constant(model, kernel), axis)
        # A channel that is nearly 0 would make its bias, or the factor to the output's steps, too large to compute.
        least = np.maximum(output_scale, 0 if bias is None else np.abs(bias)) / (input_scale * _LIMIT)
        channels = kernel.shape[axis]
        scale = np.maximum(np.repeat(scale, channels // scale.size), least.astype(np.float32))
        _set_integers(model, kernel, scale, axis)
    if bias is not None:
        integers = np.clip(np.rint(bias / scale / input_scale), -_LIMIT, _LIMIT)
        _set_bias(model, subgraph, part, integers, input_scale * scale)


def _symmetric_scale(kernel: Floats, axis: int) -> Floats:
    others = tuple(other for other in range(kernel.ndim) if other != axis)
    scale: Floats = np.abs(kernel).max(axis=others) / np.float32(_HIGHEST)
    return scale


def _set_integers(model: ModelT, kernel: TensorT, scale: Floats, axis: int) -> None:
    """Put the values of a kernel on the steps of its channels, float32 [channels] or fewer with equal neighbours."""
    if kernel.type == TensorType.INT8:  # another operation reads it too
        return
    scale = np.repeat(scale, kernel.shape[axis] // scale.size)
    along_axis = [-1 if other == axis else 1 for other in range(len(kernel.shape))]
    integers = np.rint(constant(model, kernel) / scale.reshape(along_axis))
    set_constant(model, kernel, np.clip(integers, -_HIGHEST, _HIGHEST).astype(np.int8))
    kernel.quantization = quantization(scale, np.zeros(scale.size), axis)


def _bias(model: ModelT, subgraph: SubGraphT, part: OperatorT) -> Floats | None:
    """Return the bias of an operation, float32 [channels], if it has one."""
    if len(part.inputs) < 3 or part.inputs[2] < 0:
        return None
    bias: Floats = constant(model, subgraph.tensors[part.inputs[2]])
    return bias


def _set_bias(
    model: ModelT, subgraph: SubGraphT, part: OperatorT, integers: NDArray[np.float64], scale: Floats
) -> None:
    number = int(part.inputs[2])
    if sum(number in other.inputs for other in subgraph.operators) > 1:  # the others need the floats
        number = part.inputs[2] = add_tensor(subgraph, subgraph.tensors[number].name, [], np.int32)
    set_constant(model, subgraph.tensors[number], integers.astype(np.int32))
    subgraph.tensors[number].quantization = quantization(scale, np.zeros(scale.size))


def _convert_activations(model: ModelT, subgraph: SubGraphT, grids: Grids) -> None:
    """Convert the inputs of operations to the grids that they want, or to floats."""
    parts: list[OperatorT] = []
    converted: dict[tuple[int, Grid | None], int] = {}
    for part in subgraph.operators:
        for place, number in enumerate(map(int, part.inputs)):
            if not grids.is_activation(number) or (wanted := grids.wanted(part, number)) == grids.of.get(number):
                continue
            if wanted is None and number in subgraph.inputs:  # which stays floats
                continue
            if (number, wanted) not in converted:
                converted[number, wanted] = new = _add_beside(subgraph, number, wanted)
                parts.append(operator(model, "DEQUANTIZE" if wanted is None else "QUANTIZE", [number], [new]))
            part.inputs[place] = converted[number, wanted]
        parts.append(part)
    subgraph.operators = parts


def _convert_input_and_output(model: ModelT, subgraph: SubGraphT, grids: Grids) -> None:
    """Convert the input to integers and the output to floats, so that an artifact takes and gives floats."""
    (source,), (result,) = map(int, subgraph.inputs), map(int, subgraph.outputs)
    in_integers = [part for part in subgraph.operators if not _keeps_floats(model, part, grids)]
    read = any(source in part.inputs for part in in_integers)
    ends = [number for number, wanted in ((source, read), (result, True)) if wanted and number in grids.of]
    integers = {number: _add_beside(subgraph, number, grids.of[number]) for number in ends}
    for number in (source, result):
        subgraph.tensors[number].type, subgraph.tensors[number].quantization = TensorType.FLOAT32, None
    for part in in_integers:
        part.inputs = [integers.get(int(number), number) for number in part.inputs]
        part.outputs = [integers.get(int(number), number) for number in part.outputs]
    if source in integers:
        subgraph.operators.insert(0, operator(model, "QUANTIZE", [source], [integers[source]]))
    if result in integers:
        subgraph.operators.append(operator(model, "DEQUANTIZE", [integers[result]], [result]))


def _keeps_floats(model: ModelT, part: OperatorT, grids: Grids) -> bool:
    return not grids.in_integers(part) and kind(model, part) not in ("QUANTIZE", "DEQUANTIZE")


def _add_beside(subgraph: SubGraphT, number: int, steps: Grid | None) -> int:
    """Add a tensor of integers or floats beside an activation, and return its number."""
    tensor = subgraph.tensors[number]
    name = tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name
    if steps is None:
        return add_tensor(subgraph, f"{name};floats", tensor.shape, np.float32)
    return add_tensor(subgraph, f"{name};integers", tensor.shape, np.int8, quantization(*steps))
