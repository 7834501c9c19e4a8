"""Turn a Keras model that a user brings into one flat graph, which every stage can follow.

The flat graph is a functional model from an image to logits. Nested models are inlined. Layers that do nothing in
inference are gone. A batch norm is named after the kernel that it can be folded into.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from functools import partial
from typing import Any

import keras
import numpy as np

from tocompress.errors import StudyError
from tocompress.models.calls import Call, calls_of

Tensor = Any

_BATCH_NORM = ".BatchNorm"
_KERNEL_LAYERS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
)
#: Layers that pass their input on in inference. Dropout stays in the flat graph, since retraining uses it.
_IDENTITIES = (
    keras.layers.ActivityRegularization,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
)
_DROPOUTS = (keras.layers.Dropout, keras.layers.SpatialDropout2D, keras.layers.AlphaDropout)
#: Activations that turn logits into probabilities. None changes the order of the classes.
_PROBABILITIES = ("softmax", "log_softmax", "sigmoid", "log_sigmoid")
#: Pixels of 0 to 255 are multiplied by less, for example by 1 / 127.5, and numbers around 1 by more.
_LARGEST_SCALE_OF_PIXELS = 0.05
#: Their means are larger, for example 103.9, and offsets of numbers around 1 are smaller.
_LEAST_OFFSET_OF_PIXELS = 2.0
#: Layers between which a softmax and the output may lie.
_AFTER_PROBABILITIES = (*_DROPOUTS, keras.layers.Flatten, keras.layers.Reshape)
#: Their names by the type of a layer or an operation.
_TYPES = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid", "LogSigmoid": "log_sigmoid"}
#: Names of a traced graph's own operations.
_RESERVED = {"input", "output", "weights", "dequantize"}


class ChannelAffine(keras.layers.Layer):  # type: ignore[misc]
    """The deployed form of a batch norm that stays: x * gamma + beta along the last axis."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self.gamma + self.beta


def flat(model: keras.Model) -> tuple[keras.Model, tuple[str, ...]]:
    """Return the flat graph of a functional or Sequential model with its weights, and the activations that it lacks.

    It maps float32 [B, height, width, channels] to logits [B, classes]. The activations, such as a final softmax, make
    the model's outputs of the logits, in their order. The epsilon of each batch norm is 0, since its variances hold it
    already. So it must not be trained on the statistics of batches. Raise StudyError that names a layer which scales
    or normalizes along another axis than the last one.
    """
    image = keras.Input(model.inputs[0].shape[1:], dtype="float32", name="input")
    inlined = keras.Model(image, _Inlining().run(model, image))
    probabilities = _final_probabilities(inlined)
    names = tuple(_name_of_probabilities(layer) for layer in reversed(probabilities))
    return _with_named_batch_norms(inlined, {id(layer) for layer in probabilities}), names


def rebuilt(graph: str) -> keras.Model:
    """Return the flat graph of a JSON text, with initial weights."""
    model: keras.Model = keras.models.model_from_json(graph)
    return model


def takes_pixels(model: keras.Model) -> bool:
    """Return whether a flat graph begins with a scaling that only pixels of 0 to 255 can need."""
    (image,) = model.inputs
    carried = {id(image)}  # the image, and its channels in another order
    for call in calls_of(model):
        if not carried & set(map(id, call.inputs)):
            continue
        if type(call.operation).__name__ in ("GetItem", "Stack", "Flip"):
            carried.update(map(id, call.outputs))
        elif _is_of_pixels(call):
            return True
    return False


def _is_of_pixels(call: Call) -> bool:
    """Return whether an operation on the image has a factor or an offset that only pixels of 0 to 255 can need."""
    kind = type(call.operation).__name__
    if kind == "Rescaling":
        factor, offset = call.operation.scale, call.operation.offset
    else:
        constants = [np.asarray(value, np.float64) for value in call.constants if not isinstance(value, bool | None)]
        if len(constants) != 1 or kind not in ("TrueDivide", "Divide", "Multiply", "Subtract", "Add"):
            return False
        (value,) = constants
        factor = {"TrueDivide": 1 / value, "Divide": 1 / value, "Multiply": value}.get(kind, 1.0)
        offset = value if kind in ("Subtract", "Add") else 0.0
    small = float(np.abs(factor).max()) < _LARGEST_SCALE_OF_PIXELS
    return small or float(np.abs(offset).max()) > _LEAST_OFFSET_OF_PIXELS


def kernels_of_batch_norms(model: keras.Model) -> dict[str, str | None]:
    """Return the kernel layer that each batch norm of a flat graph is folded into, or None where it stays."""
    names = {layer.name for layer in model.layers}
    owners = {layer.name: layer.name.removesuffix(_BATCH_NORM) for layer in model.layers if _is_batch_norm(layer)}
    return {name: owner if owner in names else None for name, owner in owners.items()}


def folded(model: keras.Model) -> keras.Model:
    """Return the deployed form of a flat graph, with initial weights: no batch norm and no dropout.

    A kernel layer that a batch norm is folded into has a bias. A batch norm that stays is a `ChannelAffine`.
    """
    kernels = kernels_of_batch_norms(model)
    normalized = set(kernels.values())
    copies = _Copies()
    affines: dict[int, ChannelAffine] = {}

    def call(layer: keras.Operation, *args: Any, **kwargs: Any) -> Tensor:
        if isinstance(layer, _DROPOUTS) or (_is_batch_norm(layer) and kernels[layer.name]):
            return args[0]
        if _is_batch_norm(layer):
            affine = affines.setdefault(id(layer), ChannelAffine(name=layer.name.removesuffix(_BATCH_NORM)))
            return affine(args[0])
        return copies.call(layer, args, kwargs, **({"use_bias": True} if layer.name in normalized else {}))

    (image,) = model.inputs
    given = keras.Input(image.shape[1:], dtype="float32", name="input")
    return keras.Model(given, _run(model, given, call), name=model.name)


class _Copies:
    """Copies of layers by their originals. A layer with weights has one copy, however often it is called."""

    def __init__(self, *, values: bool = False) -> None:
        self._values = values  # whether copies get the weights of the originals
        self._copies: dict[int, keras.Operation] = {}

    def call(self, layer: keras.Operation, args: Any, kwargs: Any, **changes: Any) -> Tensor:
        """Call the copy of a layer, which has the layer's settings with `changes`."""
        weights = getattr(layer, "weights", [])
        copy = self._copies.get(id(layer)) if weights else None
        if copy is None:
            copy = self._copies[id(layer)] = type(layer).from_config(layer.get_config() | changes)
        result = copy(*args, **kwargs)
        if self._values and weights:
            copy.set_weights(layer.get_weights())
        return result

    def of(self, layer: keras.Operation) -> keras.Operation:
        return self._copies[id(layer)]


class _Inlining:
    """The names that a flat graph has so far, and its layers."""

    def __init__(self) -> None:
        self._names = set(_RESERVED)
        self._copies = _Copies(values=True)

    def run(self, model: keras.Model, inputs: Tensor, prefix: str = "") -> Tensor:
        graph = model._functional if isinstance(model, keras.Sequential) else model
        return _run(graph, inputs, partial(self._call, prefix))

    def _call(self, prefix: str, layer: keras.Operation, *args: Any, **kwargs: Any) -> Tensor:
        if isinstance(layer, keras.Model):
            return self.run(layer, args[0], f"{prefix}{layer.name}.")
        if isinstance(layer, _IDENTITIES):
            return args[0]
        if isinstance(layer, keras.layers.Normalization):
            return _rescaling(layer, self._new_name(prefix, layer.name))(args[0])
        changes: dict[str, Any] = {"name": self._new_name(prefix, layer.name)}
        if isinstance(layer, keras.layers.Layer):
            changes["dtype"] = "float32"
        activation = _activation(layer)
        if isinstance(layer, _KERNEL_LAYERS) and activation in _PROBABILITIES:
            logits = self._copies.call(layer, args, kwargs, **changes, activation="linear")
            return keras.layers.Activation(activation, name=self._new_name(prefix, f"{layer.name}_{activation}"))(
                logits
            )
        return self._copies.call(layer, args, kwargs, **changes)

    def _new_name(self, prefix: str, name: str) -> str:
        """Return a name that TensorFlow takes and that differs from all others by more than its case."""
        plain, scope = (re.sub(r"[^A-Za-z0-9_.]", "_", text) for text in (name, prefix))
        candidates = [
            plain,
            f"{scope}{plain}",
            *(f"{scope}{plain}_{number}" for number in range(1, len(self._names) + 2)),
        ]
        allowed = (candidate.replace(_BATCH_NORM, "_BatchNorm") for candidate in candidates)
        chosen = next(candidate for candidate in allowed if candidate.lower() not in self._names)
        self._names.add(chosen.lower())
        return chosen


def _run(model: keras.Model, inputs: Tensor, call: Any) -> Tensor:
    """Return the outputs of a functional model on `inputs`, where `call` stands for each call of a layer."""
    return model._run_through_graph(inputs, operation_fn=lambda layer: partial(call, layer))


def _rescaling(layer: keras.layers.Normalization, name: str) -> keras.layers.Rescaling:
    """Return the layer that scales as a Normalization does, from numbers instead of weights."""
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(values), np.float64) for values in (layer.mean, layer.variance)
    )
    if mean.size not in (1, mean.shape[-1]):
        raise StudyError(f"{layer.name}: normalizes along axes {layer.axis}; only the channels, the last axis, can be")
    scale = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
    if layer.invert:
        return keras.layers.Rescaling((1 / scale).ravel().tolist(), mean.ravel().tolist(), name=name)
    return keras.layers.Rescaling(scale.ravel().tolist(), (-mean * scale).ravel().tolist(), name=name)


def _activation(layer: keras.Operation) -> str | None:
    """Return the name of a layer's activation, if it has one."""
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None)


def _final_probabilities(model: keras.Model) -> list[keras.Operation]:
    """Return the layers that make probabilities of the logits, the last one first."""
    found: list[keras.Operation] = []
    (output,) = model.outputs
    layer = output._keras_history.operation
    while _name_of_probabilities(layer) in _PROBABILITIES or isinstance(layer, _AFTER_PROBABILITIES):
        if not isinstance(layer, _AFTER_PROBABILITIES):
            found.append(layer)
        layer = layer.input._keras_history.operation
    return found


def _name_of_probabilities(layer: keras.Operation) -> str:
    """Return the name of the activation of a layer that is one, or the layer's type."""
    return (
        (_activation(layer) or "")
        if isinstance(layer, keras.layers.Activation)
        else _TYPES.get(type(layer).__name__, type(layer).__name__)
    )


def _is_batch_norm(layer: keras.Operation) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _with_named_batch_norms(model: keras.Model, left_out: Collection[int]) -> keras.Model:
    """Return the model without some layers, and with other names of batch norms.

    A batch norm that can be folded is called `{kernel layer}.BatchNorm`, and another one `{its own}.BatchNorm`.
    """
    readers = Counter(
        id(tensor) for layer in model.operations for node in layer._inbound_nodes for tensor in node.input_tensors
    )
    readers.update(map(id, model.outputs))
    copies = _Copies(values=True)

    def call(layer: keras.Operation, *args: Any, **kwargs: Any) -> Tensor:
        if id(layer) in left_out:
            return args[0]
        if not _is_batch_norm(layer):
            return copies.call(layer, args, kwargs)
        if layer.axis not in (-1, len(layer.input.shape) - 1):
            raise StudyError(f"{layer.name}: normalizes axis {layer.axis}; only the channels, the last axis, can be")
        owner = _kernel_before(layer, readers) or layer.name
        result = copies.call(layer, args, kwargs, name=f"{owner}{_BATCH_NORM}", epsilon=0.0)
        variance = copies.of(layer).moving_variance
        variance.assign(layer.moving_variance + layer.epsilon)
        return result

    (image,) = model.inputs
    given = keras.Input(image.shape[1:], dtype="float32", name="input")
    return keras.Model(given, _run(model, given, call), name="flat")


def _kernel_before(norm: keras.layers.BatchNormalization, readers: Counter[int]) -> str | None:
    """Return the name of the kernel layer that a batch norm can be folded into, or None.

    Its output goes to this batch norm alone and as it is.
    """
    if len(norm._inbound_nodes) != 1:
        return None
    layer = norm.input._keras_history.operation
    alone = readers[id(norm.input)] == 1 and len(layer._inbound_nodes) == 1
    if not (isinstance(layer, _KERNEL_LAYERS) and alone and _activation(layer) == "linear"):
        return None
    multiplied = isinstance(layer, keras.layers.DepthwiseConv2D) and layer.depth_multiplier > 1
    return None if multiplied else str(layer.name)
