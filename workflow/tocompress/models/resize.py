"""Rebuild a network with other numbers of filters than its width gives, for example after pruning."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from tocompress.errors import StudyError
from tocompress.models.calls import calls_of
from tocompress.models.variables import named_variables

Shape = tuple[int | None, ...]

_SIZES = {keras.layers.Conv2D: "filters", keras.layers.SeparableConv2D: "filters", keras.layers.Dense: "units"}


def resized(model: keras.Model, shapes: Mapping[str, tuple[int, ...]]) -> keras.Model:
    """Return the same functional network with the filters or units of the kernels in `shapes`, and new initial values.

    `shapes` has the names of `named_variables`, and only kernels count. Raise StudyError where a kernel is missing.
    """
    names = {id(variable): name for name, variable in named_variables(model).items()}
    reshapes = _reshapes(model)

    def resize(operation: keras.Operation) -> keras.Operation:
        config = operation.get_config()
        if size := _SIZES.get(type(operation)):
            name = names[id(_producing_kernel(operation))]
            if name not in shapes:
                raise StudyError(f"the weights lack {name}, a kernel of {model.name}")
            config[size] = shapes[name][-1]
        if id(operation) in reshapes:
            config["target_shape"] = reshapes[id(operation)]
        return type(operation).from_config(config)

    resized_model: keras.Model = keras.models.clone_model(model, clone_function=resize)
    return resized_model


def keeps_channels(before: Shape, after: Shape) -> bool:
    """Return whether a reshape only moves positions, so that channels stay the last axis."""
    return before[-1] == after[-1]


def is_flat(after: Shape) -> bool:
    """Return whether a reshape made one axis of a whole map."""
    return len(after) == 2


def _reshapes(model: keras.Model) -> dict[int, Shape]:
    """Return the target of each Reshape that fits any number of channels, by the identity of the layer."""
    targets: dict[int, Shape] = {}
    called: set[int] = set()
    for call in calls_of(model):
        layer = call.operation
        if not isinstance(layer, keras.layers.Reshape):
            continue
        before, after = call.inputs[0].shape, call.outputs[0].shape
        if keeps_channels(before, after) or is_flat(after):
            targets[id(layer)] = (*after[1:-1], -1)
        if id(layer) in called:  # two inputs may need two targets, so pruning leaves such a layer whole
            del targets[id(layer)]
        called.add(id(layer))
    return targets


def _producing_kernel(layer: keras.Layer) -> keras.Variable:
    return layer.pointwise_kernel if isinstance(layer, keras.layers.SeparableConv2D) else layer.kernel
