"""Learn from a teacher beside the labels: the uncompressed network's probabilities of all classes or tokens.

The idea is from G. Hinton and others (2015, arXiv 1503.02531), at a temperature of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Tensor = Any


class Taught(keras.Model):  # type: ignore[misc]
    """A model of `learner` whose target is a `share` of the teacher's probabilities and the labels as the rest.

    The loss is (1 - share) x cross-entropy with the labels + share x cross-entropy with the teacher, since
    cross-entropy is linear in its target. The teacher runs on the learner's inputs, as it is deployed. The model has
    the learner's variables.
    """

    def __init__(self, learner: keras.Model, teacher: keras.Model, share: float) -> None:
        super().__init__(name=f"{learner.name}_taught")
        self.learner = learner
        self._share = share
        # Keras would count the variables of a model that is an attribute. It does not look into a function.
        self._probabilities: Callable[[Any], Tensor] = lambda inputs: ops.softmax(teacher(inputs, training=False))
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.learner(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        labels = ops.one_hot(y, y_pred.shape[-1])
        target = (1 - self._share) * labels + self._share * ops.stop_gradient(self._probabilities(x))
        return super().compute_loss(x, target, y_pred, sample_weight, training)
