"""Build a functional Keras model from the nodes of a TensorFlow graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tocompress.checkpoints.architecture import short
from tocompress.errors import StudyError

if TYPE_CHECKING:
    from tocompress.checkpoints.saved_model import Flat

Operation = Any
Tensor = Any
KerasTensor = Any

_ADVICE = "save the model with model.save as a .keras file instead"
#: Scopes that say nothing about a layer.
_EMPTY_SCOPE = re.compile(r"(Stateful)?PartitionedCall(_\d+)?|batchnorm(_\d+)?|separable_conv2d(_\d+)?")
#: Elements of the largest constant that is computed.
_LARGEST = 2**28
#: A batch norm that is stored as a factor and an offset. With the variance, its root is exactly 1.
_EPSILON = 2.0**-10

_ACTIVATIONS = {"Selu": "selu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign"}
_MERGES = {"Add": "Add", "AddV2": "Add", "AddN": "Add", "Sub": "Subtract", "Mul": "Multiply"}
_CHOICES = {"Maximum", "Minimum"}


def keras_model(flat: Flat) -> Any:
    """Return a Keras model that computes the graph. Raise StudyError that names a node without a layer for it."""
    import keras

    from tocompress.checkpoints.saved_model import INPUT, imported

    graph = imported(flat)
    variable = _dependents(graph, INPUT)
    image = graph.get_tensor_by_name(f"{INPUT}:0")
    if image.shape.rank is None:
        raise StudyError(f"its input has no known shape; {_ADVICE}")
    start = keras.Input(image.shape[1:], name=INPUT)
    operations = [each for each in graph.get_operations() if each.name in variable and each.name != INPUT]
    builder = _Builder(_constants(graph, variable, flat.values), {image.name: start}, flat.output, operations)
    for operation in operations:
        builder.add(operation)
    if flat.output not in builder.tensors:
        raise StudyError(f"its output does not depend on its input; {_ADVICE}")
    return keras.Model(start, builder.tensors[flat.output])


def _dependents(graph: Any, name: str) -> set[str]:
    """Return the names of the operations that read a placeholder, directly or not."""
    found = {name}
    for operation in graph.get_operations():
        if any(tensor.op.name in found for tensor in operation.inputs):
            found.add(operation.name)
    return found


def _constants(graph: Any, variable: set[str], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the constants that the operations on the input read, by tensor."""
    import tensorflow as tf

    operations = graph.get_operations()
    for operation in operations:
        sizes = [tensor.shape.num_elements() for tensor in operation.outputs]
        if operation.name not in variable and any(size is None or size > _LARGEST for size in sizes):
            raise StudyError(f"{operation.name}: is a constant of an unknown or enormous size; {_ADVICE}")
    needed = {
        tensor.name: tensor
        for operation in operations
        if operation.name in variable
        for tensor in operation.inputs
        if tensor.op.name not in variable
    }
    feeds = {f"{name}:0": value for name, value in values.items()}
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    try:
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            return {name: np.asarray(value) for name, value in session.run(needed, feeds).items()}
    except tf.errors.OpError as error:
        raise StudyError(f"its constants are damaged ({short(error)}); {_ADVICE}") from error


@dataclass(frozen=True)
class _Affine:
    """The operation `x * factor + offset`, with a number for all channels or one a channel."""

    operation: Operation
    source: Tensor
    factor: np.ndarray
    offset: np.ndarray

    @property
    def by_channel(self) -> bool:
        return self.factor.size > 1 or self.offset.size > 1

    def then(self, other: _Affine) -> _Affine:
        """Return this operation followed by another one."""
        return _Affine(
            other.operation,
            self.source,
            self.factor * other.factor,
            self.offset * other.factor + other.offset,
        )


class _Builder:
    """Builds layer after layer. A layer may stand for several operations."""

    def __init__(
        self,
        constants: Mapping[str, np.ndarray],
        tensors: dict[str, KerasTensor],
        output: str,
        operations: list[Operation],
    ) -> None:
        self.constants, self.tensors, self.output = constants, tensors, output
        # Keras 3 writes a second number after the name of nearly every layer.
        scopes = [_scope(operation) for operation in operations]
        self.suffix = "_1" if sum(scope.endswith("_1") for scope in scopes) > 0.8 * len(scopes) else ""
        #: Tensors of the preprocessing: only factors and offsets lie between the input and them.
        self.raw = set(tensors)
        self.done: set[str] = set()
        self.names: set[str] = set()

    def add(self, operation: Operation) -> None:
        """Add the layer of an operation."""
        from tocompress.checkpoints.saved_model import ALIASES

        if operation.name in self.done or all(tensor.dtype.is_integer for tensor in operation.outputs):
            return  # an earlier layer computes it, or it is about shapes, which are known
        if operation.type in ALIASES:
            for tensor, result in zip(operation.inputs, operation.outputs, strict=True):
                if tensor.name in self.tensors:
                    self._set(result, self.tensors[tensor.name], raw=tensor.name in self.raw)
            return
        if affine := self._affine(operation):
            self._scale(affine)
            return
        make = getattr(self, f"_{operation.type.lower()}", None)
        try:
            result = make(operation) if make else self._plain(operation)
        except StudyError:
            raise
        except Exception as error:  # Keras raises any kind for a setting or shape that does not fit
            raise self._unknown(operation, f": {short(error)}") from error
        if result is None:
            raise self._unknown(operation)
        if operation.outputs[0].name not in self.tensors:
            self._set(operation.outputs[0], result)

    def _unknown(self, operation: Operation, why: str = "") -> StudyError:
        return StudyError(f"{operation.name}: this use of {operation.type} is not supported{why}; {_ADVICE}")

    def _set(self, tensor: Tensor, value: KerasTensor, *, raw: bool = False) -> None:
        self.tensors[tensor.name] = value
        if raw:
            self.raw.add(tensor.name)

    def _name(self, operation: Operation) -> str:
        """Return a new name for a layer: the scope of the operation, which Keras gives the layer's name."""
        scope = re.sub(r"[^A-Za-z0-9_-]", "_", _scope(operation)) or operation.type.lower()
        scope = scope.removesuffix(self.suffix)
        name = scope if scope not in self.names else f"{scope}_{operation.type.lower()}"
        number = 1
        while name in self.names:
            number += 1
            name = f"{scope}_{operation.type.lower()}_{number}"
        self.names.add(name)
        return name

    def _next(self, tensor: Tensor) -> Operation | None:
        """Return the only operation that reads a tensor, or None if there are several or none."""
        from tocompress.checkpoints.saved_model import ALIASES

        readers = tensor.consumers()
        if len(readers) != 1 or tensor.name == self.output:
            return None
        reader = readers[0]
        if reader.type not in ALIASES:
            return reader
        return self._next(reader.outputs[list(reader.inputs).index(tensor)])

    def _operands(self, operation: Operation) -> Iterator[KerasTensor | np.ndarray]:
        for tensor in operation.inputs:
            if tensor.name in self.tensors:
                yield self.tensors[tensor.name]
            elif tensor.name in self.constants:
                yield self.constants[tensor.name]
            else:
                raise self._unknown(operation)

    def _affine(self, operation: Operation) -> _Affine | None:
        """Return the factor and offset of an operation, if it is nothing else."""
        if operation.type == "Neg":
            return _Affine(operation, operation.inputs[0], np.array([-1.0]), np.array([0.0]))
        if operation.type not in ("Mul", "Add", "AddV2", "Sub", "RealDiv", "BiasAdd") or len(operation.inputs) != 2:
            return None
        first, second = operation.inputs
        constant_first = first.name in self.constants
        constant, source = (first, second) if constant_first else (second, first)
        if constant.name not in self.constants or source.shape.rank is None:
            return None
        if operation.type == "BiasAdd" and operation.get_attr("data_format") != b"NHWC":
            return None
        values = np.asarray(self.constants[constant.name], np.float64)
        fits = values.size in (1, source.shape[-1]) and (values.size == 1 or values.shape[-1] == values.size)
        if not fits or values.ndim > source.shape.rank:
            return None
        values, one, zero = values.reshape(-1), np.ones(1), np.zeros(1)
        if operation.type == "Mul":
            return _Affine(operation, source, values, zero)
        if operation.type == "RealDiv":
            return None if constant_first else _Affine(operation, source, one / values, zero)
        if operation.type == "Sub":
            return (
                _Affine(operation, source, -one, values) if constant_first else _Affine(operation, source, one, -values)
            )
        return _Affine(operation, source, one, values)

    def _scale(self, affine: _Affine) -> None:
        """Add the layer for a chain of factors and offsets: a batch norm, or without a channel a Rescaling."""
        import keras

        first, source = affine.operation, self.tensors[affine.source.name]
        raw = affine.source.name in self.raw
        if self._hard_sigmoid(affine, source):
            return
        while following := self._following(affine):
            if not raw and affine.by_channel != following.by_channel:
                break
            affine = affine.then(following)
            self.done.add(affine.operation.name)
        result = affine.operation.outputs[0]
        if np.all(affine.factor == 1) and np.all(affine.offset == 0):
            self._set(result, source, raw=raw)
        elif raw or not affine.by_channel:
            factor, offset = (
                each.tolist() if each.size > 1 else each.item() for each in (affine.factor, affine.offset)
            )
            self._set(result, keras.layers.Rescaling(factor, offset, name=self._name(first))(source), raw=raw)
        else:
            size = source.shape[-1]
            factor, offset = (np.broadcast_to(each, size) for each in (affine.factor, affine.offset))
            weights = [factor, offset, np.zeros(size), np.full(size, 1 - _EPSILON)]
            layer = keras.layers.BatchNormalization(epsilon=_EPSILON, name=self._name(first))
            self._set(result, _filled(layer, source, weights))

    def _following(self, affine: _Affine) -> _Affine | None:
        following = self._next(affine.operation.outputs[0])
        return self._affine(following) if following else None

    def _hard_sigmoid(self, affine: _Affine, source: KerasTensor) -> bool:
        """Add a hard sigmoid, relu6(x + 3) / 6, and return whether the operation begins one."""
        import keras

        relu = self._next(affine.operation.outputs[0])
        if affine.by_channel or affine.factor != 1 or affine.offset != 3 or relu is None or relu.type != "Relu6":
            return False
        sixth = self._next(relu.outputs[0])
        end = self._affine(sixth) if sixth is not None else None
        if not end or end.by_channel or not np.isclose(end.factor, 1 / 6, rtol=1e-6) or end.offset != 0:
            return False
        layer = keras.layers.Activation("hard_sigmoid", name=self._name(affine.operation))
        self.done |= {relu.name, end.operation.name}
        self._set(end.operation.outputs[0], layer(source))
        return True

    # One function an operation, by its name in lower case.

    def _kernel_layer(
        self, operation: Operation, make: Callable[..., Any], kernel: np.ndarray, channels: int
    ) -> KerasTensor:
        """Add a layer with a kernel, and the bias that follows it."""
        source = self.tensors[operation.inputs[0].name]
        following = self._next(operation.outputs[0])
        bias = self._affine(following) if following else None
        if bias and not (np.all(bias.factor == 1) and bias.offset.size == channels):
            bias = None
        layer = make(use_bias=bias is not None, name=self._name(operation))
        result = _filled(layer, source, [kernel, *([bias.offset] if bias else [])])
        if bias:
            self.done.add(bias.operation.name)
            self._set(bias.operation.outputs[0], result)
        self._set(operation.outputs[0], result)
        return result

    def _conv2d(self, operation: Operation) -> KerasTensor | None:
        from functools import partial

        import keras

        kernel = self.constants.get(operation.inputs[1].name)
        if kernel is None or not _plain_windows(operation):
            return None
        height, width, inputs, filters = kernel.shape
        make = partial(
            keras.layers.Conv2D,
            filters,
            (height, width),
            strides=tuple(operation.get_attr("strides")[1:3]),
            padding=_padding(operation),
            dilation_rate=tuple(operation.get_attr("dilations")[1:3]),
            groups=operation.inputs[0].shape[-1] // inputs,
        )
        return self._kernel_layer(operation, make, kernel, filters)

    def _depthwiseconv2dnative(self, operation: Operation) -> KerasTensor | None:
        from functools import partial

        import keras

        kernel = self.constants.get(operation.inputs[1].name)
        if kernel is None or not _plain_windows(operation):
            return None
        height, width, inputs, multiplier = kernel.shape
        make = partial(
            keras.layers.DepthwiseConv2D,
            (height, width),
            strides=tuple(operation.get_attr("strides")[1:3]),
            padding=_padding(operation),
            dilation_rate=tuple(operation.get_attr("dilations")[1:3]),
            depth_multiplier=multiplier,
        )
        return self._kernel_layer(operation, make, kernel, inputs * multiplier)

    def _matmul(self, operation: Operation) -> KerasTensor | None:
        from functools import partial

        import keras

        kernel = self.constants.get(operation.inputs[1].name)
        if kernel is None or operation.get_attr("transpose_a"):
            return None
        kernel = kernel.T if operation.get_attr("transpose_b") else kernel
        return self._kernel_layer(operation, partial(keras.layers.Dense, kernel.shape[1]), kernel, kernel.shape[1])

    def _fusedbatchnorm(self, operation: Operation) -> KerasTensor | None:
        import keras

        weights = [self.constants.get(tensor.name) for tensor in operation.inputs[1:]]
        last = operation.get_attr("data_format") == b"NHWC" and not operation.get_attr("is_training")
        if not last or any(each is None for each in weights):
            return None
        layer = keras.layers.BatchNormalization(epsilon=operation.get_attr("epsilon"), name=self._name(operation))
        return _filled(layer, self.tensors[operation.inputs[0].name], weights)

    _fusedbatchnormv2 = _fusedbatchnormv3 = _fusedbatchnorm

    def _mul(self, operation: Operation) -> KerasTensor | None:
        """Add a product, or SiLU, which is x * sigmoid(x)."""
        first, second = (self.tensors.get(tensor.name) for tensor in operation.inputs)
        if first is None or second is None:
            return None
        import keras

        for gate, source in ((first, second), (second, first)):
            layer, history = gate._keras_history.operation, gate._keras_history
            if getattr(layer, "activation", None) is not keras.activations.sigmoid or hasattr(layer, "kernel"):
                continue
            if layer._inbound_nodes[history.node_index].input_tensors[0] is source:
                return keras.layers.Activation("silu", name=self._name(operation))(source)
        return self._plain(operation)

    def _plain(self, operation: Operation) -> KerasTensor | None:
        """Add a layer that needs no weights."""
        import keras

        layers, type_ = keras.layers, operation.type
        operands = list(self._operands(operation))
        constant = [isinstance(each, np.ndarray) for each in operands]
        if type_ in _MERGES or (type_ in _CHOICES and not any(constant)):
            if any(constant) or len({len(each.shape) for each in operands}) != 1:
                return None
            return getattr(layers, _MERGES.get(type_, type_))(name=self._name(operation))(operands)
        if type_ in _CHOICES:
            number, source = operands if constant[0] else operands[::-1]
            if number.size != 1:
                return None
            result = getattr(keras.ops, type_.lower())(source, float(number.reshape(())))
            return result
        if any(constant[:1]):
            return None
        source = operands[0]
        if type_ in _ACTIVATIONS:
            return layers.Activation(_ACTIVATIONS[type_], name=self._name(operation))(source)
        if type_ == "Relu":
            return layers.ReLU(name=self._name(operation))(source)
        if type_ == "Relu6":
            return layers.ReLU(6.0, name=self._name(operation))(source)
        if type_ == "Elu":
            return layers.ELU(name=self._name(operation))(source)
        if type_ == "LeakyRelu":
            return layers.LeakyReLU(operation.get_attr("alpha"), name=self._name(operation))(source)
        if type_ == "Softmax":
            return layers.Softmax(name=self._name(operation))(source)
        return None

    def _pool(self, operation: Operation, kind: str) -> KerasTensor | None:
        import keras

        window, strides = operation.get_attr("ksize"), operation.get_attr("strides")
        if operation.get_attr("data_format") != b"NHWC" or {window[0], window[3], strides[0], strides[3]} != {1}:
            return None
        layer = getattr(keras.layers, kind)(
            tuple(window[1:3]), tuple(strides[1:3]), _padding(operation), name=self._name(operation)
        )
        return layer(self.tensors[operation.inputs[0].name])

    def _maxpool(self, operation: Operation) -> KerasTensor | None:
        return self._pool(operation, "MaxPooling2D")

    def _avgpool(self, operation: Operation) -> KerasTensor | None:
        return self._pool(operation, "AveragePooling2D")

    def _reduced(self, operation: Operation, kind: str) -> KerasTensor | None:
        import keras

        axes = self.constants.get(operation.inputs[1].name)
        source = self.tensors[operation.inputs[0].name]
        if axes is None or len(source.shape) != 4 or sorted(int(axis) % 4 for axis in axes.reshape(-1)) != [1, 2]:
            return None
        return getattr(keras.layers, kind)(keepdims=operation.get_attr("keep_dims"), name=self._name(operation))(source)

    def _mean(self, operation: Operation) -> KerasTensor | None:
        return self._reduced(operation, "GlobalAveragePooling2D")

    def _max(self, operation: Operation) -> KerasTensor | None:
        return self._reduced(operation, "GlobalMaxPooling2D")

    def _pad(self, operation: Operation) -> KerasTensor | None:
        import keras

        source, amounts, *value = self._operands(operation)
        if not isinstance(amounts, np.ndarray) or amounts.shape != (4, 2) or amounts[[0, 3]].any():
            return None
        if value and np.any(value[0] != 0):
            return None
        return keras.layers.ZeroPadding2D(amounts[1:3].tolist(), name=self._name(operation))(source)

    _padv2 = _pad

    def _concatv2(self, operation: Operation) -> KerasTensor | None:
        import keras

        *sources, axis = self._operands(operation)
        if any(isinstance(each, np.ndarray) for each in sources) or not isinstance(axis, np.ndarray):
            return None
        axis = int(axis) % len(sources[0].shape)
        last = axis == len(sources[0].shape) - 1
        return keras.layers.Concatenate(-1 if last else axis, name=self._name(operation))(sources)

    def _reshape(self, operation: Operation) -> KerasTensor | None:
        import keras

        source, shape = self.tensors[operation.inputs[0].name], operation.outputs[0].shape
        if shape.rank is None or None in shape[1:].as_list():
            return None
        target = tuple(shape[1:])
        if prod(target) != prod(source.shape[1:]):
            return None  # the batch would change
        if target == source.shape[1:]:
            return source
        if len(target) == 1:
            return keras.layers.Flatten(name=self._name(operation))(source)
        return keras.layers.Reshape(target, name=self._name(operation))(source)

    _squeeze = _expanddims = _reshape

    def _transpose(self, operation: Operation) -> KerasTensor | None:
        import keras

        order = self.constants.get(operation.inputs[1].name)
        if order is None or order[0] != 0:
            return None
        source = self.tensors[operation.inputs[0].name]
        return keras.layers.Permute(order[1:].tolist(), name=self._name(operation))(source)

    def _reversev2(self, operation: Operation) -> KerasTensor | None:
        source, axes = self._operands(operation)
        if not isinstance(axes, np.ndarray) or [int(axis) % len(source.shape) for axis in axes] != [3]:
            return None
        return source[..., ::-1]

    def _stridedslice(self, operation: Operation) -> KerasTensor | None:
        """Add a cropping of the map, or the reversal of its channels."""
        import keras

        source, *parts = self._operands(operation)
        if len(source.shape) != 4 or any(not isinstance(part, np.ndarray) for part in parts):
            return None
        if operation.get_attr("shrink_axis_mask") or operation.get_attr("new_axis_mask"):
            return None
        slices = _slices(operation, *parts)
        if slices is None or slices[0] != slice(None):
            return None
        if slices[1:] == [slice(None), slice(None), slice(None, None, -1)]:
            return source[..., ::-1]
        if slices[3] != slice(None) or any(each.step not in (None, 1) for each in slices):
            return None
        crop = []
        for size, each in zip(source.shape[1:3], slices[1:3], strict=True):
            start, stop, _ = each.indices(size)
            crop.append((start, size - stop))
        return keras.layers.Cropping2D(crop, name=self._name(operation))(source)


def _scope(operation: Operation) -> str:
    """Return the innermost scope of an operation: the name of its layer, if Keras wrote the graph."""
    parts = [part for part in operation.name.split("/") if not _EMPTY_SCOPE.fullmatch(part)]
    return parts[-2] if len(parts) > 1 else ""


def _slices(operation: Operation, begin: np.ndarray, end: np.ndarray, step: np.ndarray) -> list[slice] | None:
    """Return the slices of four axes of a StridedSlice."""
    begins, ends = operation.get_attr("begin_mask"), operation.get_attr("end_mask")
    ellipsis = operation.get_attr("ellipsis_mask")
    slices: list[slice] = []
    for at in range(len(begin)):
        if ellipsis >> at & 1:
            slices += [slice(None)] * (4 - len(begin) + 1)
            continue
        start = None if begins >> at & 1 else int(begin[at])
        stop = None if ends >> at & 1 else int(end[at])
        slices.append(slice(start or None, stop, None if step[at] == 1 else int(step[at])))
    slices += [slice(None)] * (4 - len(slices))
    return slices if len(slices) == 4 else None


def _plain_windows(operation: Operation) -> bool:
    """Return whether a convolution has its channels last and no padding of its own."""
    strides, dilations = operation.get_attr("strides"), operation.get_attr("dilations")
    return (
        operation.get_attr("data_format") == b"NHWC"
        and operation.get_attr("padding") in (b"SAME", b"VALID")
        and {strides[0], strides[3], dilations[0], dilations[3]} == {1}
    )


def _padding(operation: Operation) -> str:
    return str(operation.get_attr("padding").decode().lower())


def _filled(layer: Any, source: KerasTensor, weights: list[Any]) -> KerasTensor:
    """Return the output of a new layer, with its weights set."""
    result = layer(source)
    layer.set_weights([np.asarray(each, np.float32) for each in weights])
    return result
