"""Run two networks of one model side by side, for any task. They stop at each kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from tocompress.settings.model import ModelSettings
from tocompress.tasks.classification import forward as classification
from tocompress.tasks.examples import Examples, shuffled_batches
from tocompress.tasks.translation import forward as translation
from tocompress.tasks.visits import Visit

_FORWARD: dict[str, Any] = {"classification": classification, "translation": translation}


def visits(
    model: ModelSettings, exact: keras.Model, network: keras.Model, examples: Examples, seed: int
) -> Iterator[Visit]:
    """Yield each kernel and batch norm of `network` before it is used. The inputs of all examples come with it.

    `exact` is the same network with the uncompressed weights, or `network` itself, which then runs once. Variables of
    `network` may change between two visits.
    """
    task = _FORWARD[model.task]
    order = shuffled_batches(examples, model, task.BATCH_SIZE, seed)
    batches = [order[index][0] for index in range(len(order))]
    reached: Iterator[Visit] = task.visits(exact, network, batches, seed)
    return reached
