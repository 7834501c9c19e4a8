"""Run two networks of one graph side by side, layer by layer, on images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil, prod
from typing import Any

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tocompress.models.calls import Call, calls_of
from tocompress.models.variables import named_variables
from tocompress.tasks.visits import KernelVisit, Pair, StatisticsVisit, Visit

#: Rows of inputs that tell the moments of a kernel: at least, and for each of its inputs.
_ROWS, _ROWS_FOR_EACH_INPUT = 4096, 10

#: Images that pass each layer at a time.
BATCH_SIZE = 64

Tensor = Any


def visits(exact: keras.Model, network: keras.Model, batches: Sequence[np.ndarray], seed: int) -> Iterator[Visit]:
    """Yield each kernel and each batch norm of `network` before it is used. Its inputs come with it.

    `exact` gives the inputs of the uncompressed network. It may be `network` itself, which then runs once. Variables of
    `network` may get other values before the next visit is asked for. A layer that is called twice is visited at its
    first call.
    """
    names = {id(variable): name for name, variable in named_variables(network).items()}
    random = np.random.default_rng(seed)
    calls = list(zip(calls_of(exact), calls_of(network), strict=True))
    unread = Counter(id(tensor) for call, _ in calls for tensor in call.inputs)
    values: dict[int, list[Pair]] = {}
    for call, own in calls:
        if isinstance(call.operation, keras.layers.InputLayer):
            values[id(call.outputs[0])] = [(batch, batch) for batch in batches]
            continue
        inputs = [values[id(tensor)] for tensor in call.inputs]
        yield from _visits(call.operation, own.operation, inputs[0], names, random)
        run = _run_once if exact is network else _run_both
        values[id(call.outputs[0])] = [run(call, own, of_batch) for of_batch in zip(*inputs, strict=True)]
        for tensor in call.inputs:
            unread[id(tensor)] -= 1
            if not unread[id(tensor)]:
                values.pop(id(tensor), None)


def _run_both(exact: Call, own: Call, inputs: Sequence[Pair]) -> Pair:
    return exact.run(*(one for one, _ in inputs)), own.run(*(other for _, other in inputs))


def _run_once(_: Call, own: Call, inputs: Sequence[Pair]) -> Pair:
    output = own.run(*(reached for _, reached in inputs))
    return output, output


def _visits(
    exact: keras.Operation, layer: keras.Operation, inputs: list[Pair], names: dict[int, str], random: Any
) -> Iterator[Visit]:
    if isinstance(layer, keras.layers.BatchNormalization):
        yield StatisticsVisit(names[id(layer.moving_mean)], names[id(layer.moving_variance)], layer.epsilon, inputs)
    elif isinstance(layer, keras.layers.SeparableConv2D):
        yield KernelVisit(names[id(layer.depthwise_kernel)], _windows(layer, inputs, random, apart=True))
        between = [(_depthwise(exact, one), _depthwise(layer, other)) for one, other in inputs]
        yield KernelVisit(names[id(layer.pointwise_kernel)], _rows(between, random))
    elif isinstance(layer, keras.layers.DepthwiseConv2D):
        yield KernelVisit(names[id(layer.kernel)], _windows(layer, inputs, random, apart=True))
    elif isinstance(layer, keras.layers.Conv2D):
        yield KernelVisit(names[id(layer.kernel)], _windows(layer, inputs, random))
    elif isinstance(layer, keras.layers.Dense):
        yield KernelVisit(names[id(layer.kernel)], _rows(inputs, random))


def _depthwise(layer: keras.layers.SeparableConv2D, inputs: Tensor) -> Tensor:
    return keras.ops.depthwise_conv(
        inputs, layer.depthwise_kernel, layer.strides, layer.padding, dilation_rate=layer.dilation_rate
    )


def _rows(inputs: Sequence[Pair], random: np.random.Generator) -> Iterator[Pair]:
    """Yield the inputs of a matrix product, [1, rows, K]."""
    flat = [tuple(np.reshape(one, (-1, one.shape[-1])) for one in pair) for pair in inputs]
    wanted = _wanted(flat[0][0].shape[-1], sum(len(one) for one, _ in flat))
    for one, other in flat:
        chosen = _chosen(len(one), wanted, random)
        yield one[chosen][None], other[chosen][None]


def _windows(layer: Any, inputs: Sequence[Pair], random: np.random.Generator, apart: bool = False) -> Iterator[Pair]:
    """Yield the inputs of a convolution, [groups, rows, height * width * channels].

    `apart` makes each channel a group.
    """
    views = [tuple(_view(layer, np.asarray(one)) for one in pair) for pair in inputs]
    shape = views[0][0].shape
    groups = shape[3] if apart else getattr(layer, "groups", 1)
    wanted = _wanted(prod(shape[3:]) // groups, sum(prod(one.shape[:3]) for one, _ in views))
    for pair in views:
        places = np.unravel_index(_chosen(prod(pair[0].shape[:3]), wanted, random), pair[0].shape[:3])
        yield tuple(_of_groups(view[places], groups) for view in pair)  # type: ignore[misc]


def _view(layer: Any, inputs: np.ndarray) -> np.ndarray:
    """Return the window of each output, [B, height, width, channels, kernel height, kernel width]."""
    spans = [(size - 1) * step + 1 for size, step in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    if layer.padding == "same":
        margins = [
            max((ceil(length / stride) - 1) * stride + span - length, 0)
            for length, stride, span in zip(inputs.shape[1:3], layer.strides, spans, strict=True)
        ]
        inputs = np.pad(inputs, [(0, 0), *((margin // 2, margin - margin // 2) for margin in margins), (0, 0)])
    (down, right), (rows, columns) = layer.strides, layer.dilation_rate
    return sliding_window_view(inputs, spans, axis=(1, 2))[:, ::down, ::right, :, ::rows, ::columns]


def _of_groups(windows: np.ndarray, groups: int) -> np.ndarray:
    """Return windows [rows, channels, height, width] as [groups, rows, height * width * channels of a group]."""
    rows, channels, height, width = windows.shape
    apart = windows.reshape(rows, groups, channels // groups, height, width)
    return apart.transpose(1, 0, 3, 4, 2).reshape(groups, rows, -1)


def _wanted(inputs: int, rows: int) -> float:
    """Return the share of all rows that tells the moments of a kernel."""
    return min(1.0, max(_ROWS, _ROWS_FOR_EACH_INPUT * inputs) / rows)


def _chosen(rows: int, share: float, random: np.random.Generator) -> np.ndarray:
    if share == 1:
        return np.arange(rows)
    return np.sort(random.choice(rows, ceil(share * rows), replace=False))
