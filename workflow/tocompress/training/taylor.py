"""Importance of channels on calibration data: gradient times activation, under whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tocompress.compression.channels import Channels
from tocompress.compression.criteria import Scores, sum_filters, taylor_importance
from tocompress.errors import StudyError


def taylor(
    network: keras.Model,
    variables: Mapping[str, keras.Variable],
    batches: Iterable[tuple[Any, ...]],
    channels: Channels,
) -> Scores:
    """A score float64 [N] for each channel: how far, to first order, the loss moves without its filter.

    `batches`: (inputs, labels) or (inputs, labels, weights), few examples each, since effects of either sign cancel
    within a batch. `network` takes them to logits; its weights stay as they are. Raises StudyError without a batch.

    A pre-activation is linear in its kernel, so the sum over positions of activation x gradient is the sum over the
    filter of weight x gradient. Biases, the offsets of batch norm and an LSTM's gates, which go with a filter or unit
    too, are left out.
    """
    kernels = {name: variables[name] for name in channels.producers}
    gradients = _Gradients()
    deployed = _Deployed(network)
    deployed.compile(
        gradients,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.config.backend() == "jax",  # as in `fit`, XLA slows TensorFlow; JAX is nothing without it
    )
    responses: list[dict[str, Scores]] = []
    for batch in batches:
        deployed.train_on_batch(*batch)
        products = {name: keras.ops.convert_to_numpy(kernel) * gradients.of(kernel) for name, kernel in kernels.items()}
        responses.append({name: sum_filters(product, name, channels) for name, product in products.items()})
    if not responses:
        raise StudyError("criterion taylor: no calibration data, of which it needs at least one batch")
    return taylor_importance({name: np.stack([batch[name] for batch in responses]) for name in kernels}, channels)


class _Deployed(keras.Model):  # type: ignore[misc]
    """A network as it is deployed, even in a training step: batch norm on its statistics, nothing dropped."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="deployed")
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.network(inputs, training=False)


class _Gradients(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Keeps the gradients of the last step instead of following them: the one way to them that all backends share."""

    def __init__(self) -> None:
        super().__init__(learning_rate=1.0, name="gradients")

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._kept = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        kept = self._kept[self._get_variable_index(variable)]
        # TensorFlow gives an embedding's gradient as rows, one each time a word occurs: assigned, they do not add up.
        self.assign(kept, keras.ops.zeros(kept.shape, kept.dtype))
        self.assign_add(kept, gradient)

    def of(self, variable: keras.Variable) -> NDArray[np.float32]:
        gradient: NDArray[np.float32] = keras.ops.convert_to_numpy(self._kept[self._get_variable_index(variable)])
        return gradient
