"""Find the channels of a CNN that must go together by walking its Keras graph, without knowledge of the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tocompress.compression.pruning.bonds import Bonds
from tocompress.compression.pruning.channels import Channels, Ids
from tocompress.models.calls import Call, calls_of
from tocompress.models.resize import is_flat, keeps_channels

_ELEMENTWISE_ACTIVATIONS = frozenset(
    getattr(keras.activations, name)
    for name in (
        *("linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "exponential"),
        *("softplus", "softsign", "squareplus", "sparse_plus", "sigmoid", "sparse_sigmoid", "log_sigmoid"),
        *("hard_sigmoid", "hard_silu", "tanh", "hard_tanh", "soft_shrink", "hard_shrink", "tanh_shrink", "threshold"),
    )
)


class _NotFollowed(Exception):
    """The channels of a layer cannot be followed, for a reason in words."""


def trace(model: keras.Model) -> Channels:
    """Return the prunable channels of a functional CNN, numbered in the order of the layers that make them.

    The channels of the image and of the outputs always stay, with all channels bound to them. A layer whose channels
    cannot be followed keeps all that it reads and makes. It is a grouped convolution, a layer of an unknown type, or a
    layer with variables that is called more than once. `Channels.whole` says why.
    """
    bonds = Bonds()
    whole: dict[str, str] = {}
    carried: dict[int, Ids] = {}  # the channels along the last axis of each tensor
    calls = calls_of(model)
    times = Counter(id(call.operation) for call in calls)
    for call in calls:
        sources = [carried[id(tensor)] for tensor in call.inputs]
        try:
            made = [_followed(bonds, call, sources, times[id(call.operation)])]
        except _NotFollowed as reason:
            made = [_fixed(tensor) for tensor in call.outputs]
            for source in sources:
                bonds.fix(source)
            if isinstance(call.operation, keras.Layer):
                bonds.leave_whole(call.operation)
            if any(source.any() for source in sources) or getattr(call.operation, "weights", None):
                whole[call.operation.name] = str(reason)
        activation = getattr(call.operation, "activation", keras.activations.linear)
        if activation not in _ELEMENTWISE_ACTIVATIONS:
            bonds.fix(made[0])
            whole[call.operation.name] = f"a {getattr(activation, '__name__', 'custom activation')} over channels"
        carried |= {id(tensor): channels for tensor, channels in zip(call.outputs, made, strict=True)}
    for output in model.outputs:
        bonds.fix(carried[id(output)])
    return bonds.channels(model, whole)


def _followed(bonds: Bonds, call: Call, sources: list[Ids], times: int) -> Ids:
    """Return the channels along the last axis of the output. Raise _NotFollowed where no rule gives them."""
    operation = call.operation
    name = type(operation).__name__
    rule = _RULES.get(type(operation)) or _operation_rule(operation)
    if rule is None:
        raise _NotFollowed(f"what {name} does to channels is not known")
    if times > 1 and (getattr(operation, "weights", None) or isinstance(operation, keras.layers.Reshape)):
        raise _NotFollowed("a layer that is called more than once")
    if getattr(operation, "data_format", "channels_last") != "channels_last":
        raise _NotFollowed("its channels are not the last axis")
    if any(len(tensor.shape) < 2 or tensor.shape[-1] is None for tensor in (*call.inputs, *call.outputs)):
        raise _NotFollowed(f"{name} has an unknown number of channels")
    return rule(bonds, call, sources)


def _fixed(tensor: keras.KerasTensor) -> Ids:
    """Return channels of a tensor that always stay."""
    return np.zeros((tensor.shape or (1,))[-1] or 1, np.int32)


def _input(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    return _fixed(call.outputs[0])


def _convolution(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    layer = call.operation
    if layer.groups > 1:
        raise _NotFollowed(f"a convolution in {layer.groups} groups")
    (read,) = sources
    made = bonds.new(layer.filters)
    bonds.record(layer, kernel=(None, None, read, made), bias=(made,))
    bonds.produce(layer.kernel, 3)
    return made


def _depthwise(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    """Return the channels of the input, each repeated `depth_multiplier` times."""
    (read,) = sources
    made = np.repeat(read, call.operation.depth_multiplier)
    bonds.record(call.operation, kernel=(None, None, read, None), bias=(made,))
    bonds.produce(call.operation.kernel, 2)
    return made


def _separable(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    (read,) = sources
    layer = call.operation
    made = bonds.new(layer.filters)
    bonds.record(
        layer,
        depthwise_kernel=(None, None, read, None),
        pointwise_kernel=(None, None, np.repeat(read, layer.depth_multiplier), made),
        bias=(made,),
    )
    bonds.produce(layer.pointwise_kernel, 3)
    return made


def _dense(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    (read,) = sources
    layer = call.operation
    made = bonds.new(layer.units)
    bonds.record(layer, kernel=(read, made), bias=(made,))
    bonds.produce(layer.kernel, 1)
    return made


def _batch_norm(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    (read,) = sources
    if call.operation.axis not in _last(call):
        raise _NotFollowed("its channels are not the last axis")
    bonds.record(call.operation, **dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (read,)))
    return read


def _prelu(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    """Return the channels of the input. The slope has their axis, unless they share it."""
    (read,) = sources
    *places, slopes = call.operation.alpha.shape
    bonds.record(call.operation, alpha=(*[None] * len(places), read if slopes == len(read) else None))
    return read


def _each_for_itself(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    if len(sources) > 1:
        raise _NotFollowed(f"{type(call.operation).__name__} of {len(sources)} tensors")
    return sources[0]


def _rescaling(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    if any(map(_differs_by_channel, (call.operation.scale, call.operation.offset))):
        raise _NotFollowed("a constant for each channel")
    return _each_for_itself(bonds, call, sources)


def _softmax(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    if set(_axes(call)) & {None, *_last(call)}:
        raise _NotFollowed("a softmax over channels")
    return _each_for_itself(bonds, call, sources)


def _all_channels(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    raise _NotFollowed(f"{type(call.operation).__name__} reads all channels")


def _permute(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    if call.operation.dims[-1] != len(call.operation.dims):
        raise _NotFollowed("Permute moves channels to another axis")
    return _each_for_itself(bonds, call, sources)


def _reshape(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    """Return the channels of the input. A flattened map has them once for each place."""
    before, after = call.inputs[0].shape, call.outputs[0].shape
    if keeps_channels(before, after):
        return sources[0]
    if is_flat(after):
        return np.tile(sources[0], after[-1] // len(sources[0]))
    raise _NotFollowed("Reshape mixes channels with positions")


def _merge(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    """Return the channels of the inputs, bound to each other. A single channel that meets several always stays."""
    count = call.outputs[0].shape[-1]
    for source in sources:
        if len(source) != count:
            bonds.fix(source)
    first, *others = (source for source in sources if len(source) == count)
    for other in others:
        bonds.bind(first, other)
    return first


def _elementwise(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    """Return the channels of an operation of keras.ops on tensors and constants."""
    settings = call.operation.get_config().values()
    if any(map(_differs_by_channel, (*call.constants, *settings))):
        raise _NotFollowed("a constant for each channel")
    return _merge(bonds, call, sources)


def _reduction(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    if set(_axes(call)) & {None, *_last(call)}:
        raise _NotFollowed(f"{type(call.operation).__name__} over channels")
    return _each_for_itself(bonds, call, sources)


def _concatenate(bonds: Bonds, call: Call, sources: list[Ids]) -> Ids:
    return np.concatenate(sources) if call.operation.axis in _last(call) else _merge(bonds, call, sources)


def _last(call: Call) -> tuple[int, int]:
    """Return both numbers of the last axis of the first input."""
    return -1, len(call.inputs[0].shape) - 1


def _axes(call: Call) -> tuple[int | None, ...]:
    axis = call.operation.axis
    return tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)


def _differs_by_channel(constant: Any) -> bool:
    return np.shape(constant)[-1:] not in ((), (1,))


_Rule = Callable[[Bonds, Call, list[Ids]], Ids]

# A subclass may do anything, so a rule holds for an exact type only.
_RULES: dict[type, _Rule] = {
    keras.layers.InputLayer: _input,
    keras.layers.Conv2D: _convolution,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv2D: _separable,
    keras.layers.Dense: _dense,
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.LayerNormalization: _all_channels,
    keras.layers.GroupNormalization: _all_channels,
    keras.layers.PReLU: _prelu,
    keras.layers.Rescaling: _rescaling,
    keras.layers.Softmax: _softmax,
    keras.layers.Flatten: _reshape,
    keras.layers.Reshape: _reshape,
    keras.layers.Permute: _permute,
    keras.layers.Concatenate: _concatenate,
    **dict.fromkeys(
        (
            keras.layers.Add,
            keras.layers.Subtract,
            keras.layers.Multiply,
            keras.layers.Average,
            keras.layers.Maximum,
            keras.layers.Minimum,
        ),
        _merge,
    ),
    **dict.fromkeys(
        (
            keras.layers.Activation,
            keras.layers.ReLU,
            keras.layers.LeakyReLU,
            keras.layers.ELU,
            keras.layers.Identity,
            keras.layers.MaxPooling2D,
            keras.layers.AveragePooling2D,
            keras.layers.GlobalMaxPooling2D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.ZeroPadding2D,
            keras.layers.Cropping2D,
            keras.layers.UpSampling2D,
            keras.layers.Dropout,
            keras.layers.SpatialDropout2D,
            keras.layers.AlphaDropout,
            keras.layers.GaussianDropout,
            keras.layers.GaussianNoise,
            keras.layers.ActivityRegularization,
        ),
        _each_for_itself,
    ),
}

_ELEMENTWISE_OPERATIONS = frozenset(
    (
        *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "DivideNoNan", "Maximum", "Minimum", "Power"),
        *("Absolute", "Clip", "Exp", "Expm1", "Log", "Log1p", "Negative", "Reciprocal", "Rsqrt", "Sign", "Sqrt"),
        *("Square", "Tanh", "Erf", "Relu", "Relu6", "LeakyRelu", "Elu", "Celu", "Selu", "Gelu", "Silu", "Sigmoid"),
        *("LogSigmoid", "HardSigmoid", "HardSilu", "HardTanh", "HardShrink", "SoftShrink", "TanhShrink"),
        *("Threshold", "Softplus", "Softsign", "Squareplus", "SparsePlus", "SparseSigmoid"),
    )
)
_REDUCTIONS = frozenset(("Mean", "Max", "Min", "Amax", "Amin", "Sum", "Squeeze"))


def _operation_rule(operation: keras.Operation) -> _Rule | None:
    """Return the rule of an operation of keras.ops, whose class has no public name."""
    kind = type(operation)
    if isinstance(operation, keras.Layer) or kind.__module__.partition(".")[0] != "keras":
        return None
    if kind.__name__ in _ELEMENTWISE_OPERATIONS:
        return _elementwise
    if kind.__name__ in _REDUCTIONS:
        return _reduction
    return {"Concatenate": _concatenate, "Softmax": _softmax}.get(kind.__name__)
