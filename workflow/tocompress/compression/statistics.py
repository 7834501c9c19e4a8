"""Measure batch norm's statistics anew in a network whose weights were changed, on calibration data."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from tocompress.settings.model import ModelSettings
from tocompress.tasks.examples import Examples
from tocompress.tasks.forward import visits
from tocompress.tasks.networks import Arrays, network_of
from tocompress.tasks.visits import StatisticsVisit

#: The least variance, as a share of the stored one. A channel with less has lost most inputs. Its rest, scaled up to
#: the old spread, would be noise as strong as a signal.
LEAST = 0.5


def recalibrated(weights: Arrays, model: ModelSettings, examples: Examples, seed: int) -> Arrays:
    """Return the weights with the mean and the variance (see `recalibrate`) of batch norms' inputs on these examples.

    A batch norm gets them before those that follow it are measured. So each is right for the inputs that reach it.
    """
    network, variables = network_of(model, weights)
    for visit in visits(model, network, network, examples, seed):
        if isinstance(visit, StatisticsVisit):
            recalibrate(visit, variables)
    return {name: keras.ops.convert_to_numpy(variables[name]) for name in weights}


def recalibrate(visit: StatisticsVisit, variables: Mapping[str, keras.Variable]) -> None:
    """Give a batch norm the mean of the inputs that reach it, and their variance or LEAST of the one that it had."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for _, reached in visit.inputs:
        rows = np.asarray(reached, np.float64).reshape(-1, reached.shape[-1])
        count, total, squares = count + len(rows), total + rows.sum(0), squares + np.square(rows).sum(0)
    mean = total / count
    variables[visit.mean].assign(mean)
    least = LEAST * keras.ops.convert_to_numpy(variables[visit.variance])
    variables[visit.variance].assign(np.maximum(squares / count - mean**2, least))
