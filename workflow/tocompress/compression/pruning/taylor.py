"""Score channels by their effect on the loss of calibration data, with any backend of Keras."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.criteria import Readings, Scores, sum_readers
from tocompress.errors import StudyError


class Taylor:
    """The change of the loss by the removal of each channel of a network, to first order.

    A channel is removed where it is read, as in `surgery.silenced`. The change is the sum of weight x gradient over the
    weights that read it. By the chain rule, the sum counts everything that makes the channel: each partner of a
    residual addition, the scale and the offset of batch norm. A unit of an LSTM is removed where it is made as well, in
    the columns of its gates and in their biases (docs/pruning.md).

    `network` maps inputs to logits. `variables` are its own by name, and may get other values between two calls.
    """

    def __init__(self, network: keras.Model, variables: Mapping[str, keras.Variable], channels: Channels) -> None:
        self._channels = channels
        self._changes = _Changes(variables, channels)
        self._deployed = _Deployed(network)
        self._deployed.compile(
            self._changes,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=keras.config.backend() == "jax",  # as in `fit`, XLA slows TensorFlow down, and JAX needs it
        )

    def scores(self, examples: Iterable[tuple[Any, ...]]) -> Scores:
        """Return the mean square of the change of an example's loss, over the examples, float64 [N].

        The source is P. Molchanov and others, 2019, arXiv 1906.10771, equations 4 to 8. An example is (inputs, labels)
        or (inputs, labels, weights) in a batch of one, since changes of either sign cancel within a batch. Raise
        StudyError without an example.
        """
        squares, count = np.zeros(self._channels.count), 0
        for example in examples:
            self._deployed.train_on_batch(*example)
            squares += sum_readers(self._changes.readings(), self._channels) ** 2
            count += 1
        if not count:
            raise StudyError("criterion taylor: no calibration data, of which it needs at least one example")
        return squares / count


class _Deployed(keras.Model):  # type: ignore[misc]
    """A network that runs as deployed even in a training step, with the statistics of batch norm and no dropout."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="deployed")
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.network(inputs, training=False)


class _Changes(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer that keeps weight x gradient, summed along each axis whose channels it scores. It changes nothing.

    An optimizer is the only way to gradients that all backends of Keras share.
    """

    def __init__(self, variables: Mapping[str, keras.Variable], channels: Channels) -> None:
        super().__init__(learning_rate=1.0, name="changes")
        self._names = {id(variable): name for name, variable in variables.items()}
        self._channels = channels

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._sums: list[dict[tuple[str, int], keras.Variable]] = [
            {
                (name, axis): self.add_variable((variable.shape[axis],), dtype="float32", name=f"{index}_{axis}")
                for axis in self._channels.counted_axes(name)
            }
            for index, variable in enumerate(variables)
            for name in [self._names[id(variable)]]
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        for (_, axis), sums in self._sums[self._get_variable_index(variable)].items():
            others = [other for other in range(len(variable.shape)) if other != axis]
            self.assign(sums, keras.ops.sum(variable * gradient, axis=others))

    def readings(self) -> Readings:
        """Return the sums of the last example."""
        return {key: keras.ops.convert_to_numpy(sums) for of_one in self._sums for key, sums in of_one.items()}
