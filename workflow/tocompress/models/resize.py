"""Rebuild a network with other numbers of filters than its width gives, for example after pruning."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from tocompress.errors import StudyError
from tocompress.models.variables import named_variables

_SIZES = {keras.layers.Conv2D: "filters", keras.layers.SeparableConv2D: "filters", keras.layers.Dense: "units"}


def resized(model: keras.Model, shapes: Mapping[str, tuple[int, ...]]) -> keras.Model:
    """Return the same functional network with the filters or units of the kernels in `shapes`, and new initial values.

    `shapes` has the names of `named_variables`, and only kernels count. Raise StudyError where a kernel is missing.
    """
    names = {id(variable): name for name, variable in named_variables(model).items()}

    def resize(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if size := _SIZES.get(type(layer)):
            name = names[id(_producing_kernel(layer))]
            if name not in shapes:
                raise StudyError(f"the weights lack {name}, a kernel of {model.name}")
            config[size] = shapes[name][-1]
        return type(layer).from_config(config)

    resized_model: keras.Model = keras.models.clone_model(model, clone_function=resize)
    return resized_model


def _producing_kernel(layer: keras.Layer) -> keras.Variable:
    return layer.pointwise_kernel if isinstance(layer, keras.layers.SeparableConv2D) else layer.kernel
