"""Measure batch norm's statistics anew in a network whose weights were changed, on calibration data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tocompress.settings.model import ModelSettings
from tocompress.tasks.examples import Examples
from tocompress.tasks.forward import visits
from tocompress.tasks.networks import Arrays, network_of
from tocompress.tasks.visits import StatisticsVisit

Variables = Mapping[str, keras.Variable]
Doubles = NDArray[np.float64]

_TINY = 1e-12  # of a variance, where batch norm has no epsilon
#: The least variance, as a share of the stored one. A channel with less has lost its differences between inputs. Its
#: rest, scaled up to the old spread, would be noise as strong as a signal.
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


def recalibrate(visit: StatisticsVisit, variables: Variables) -> None:
    """Give a batch norm the mean of the inputs that reach it, and their variance or LEAST of the one that it had."""
    mean, variance = _moments(reached for _, reached in visit.inputs)
    least = LEAST * keras.ops.convert_to_numpy(variables[visit.variance])
    variables[visit.mean].assign(mean)
    variables[visit.variance].assign(np.maximum(variance, least))


def match(visit: StatisticsVisit, variables: Variables) -> None:
    """Give a batch norm statistics with which its outputs have the mean and the variance of the uncompressed network's.

    So both networks are held against each other on the same examples. There may be few. Stored statistics need not be
    the moments of a batch norm's inputs. They are not in a checkpoint with folded kernels.
    """
    mean, variance = _moments(exact for exact, _ in visit.inputs)
    own_mean, own_variance = _moments(reached for _, reached in visit.inputs)
    stored_mean, stored_variance = (np.asarray(variables[name], np.float64) for name in (visit.mean, visit.variance))
    # A channel that hardly varies keeps its scale.
    ratio = (own_variance + visit.epsilon + _TINY) / (variance + visit.epsilon + _TINY)
    variables[visit.mean].assign(own_mean - (mean - stored_mean) * np.sqrt(ratio))
    variables[visit.variance].assign(np.maximum((stored_variance + visit.epsilon) * ratio - visit.epsilon, 0))


def _moments(batches: Iterable[Any]) -> tuple[Doubles, Doubles]:
    """Return the mean and the variance of each channel of batches [B, ..., channels]."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for batch in batches:
        rows = np.asarray(batch, np.float64).reshape(-1, batch.shape[-1])
        count, total, squares = count + len(rows), total + rows.sum(0), squares + np.square(rows).sum(0)
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0)
