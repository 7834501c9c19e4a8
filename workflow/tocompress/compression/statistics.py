"""Give batch norms statistics that fit a network whose weights were changed, on calibration data.

Stored statistics need not be the moments of a batch norm's inputs. They are not in a checkpoint with folded kernels. So
the changed network is held against the uncompressed network on the same examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

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
#: The least variance that a channel is scaled up from, as a share of the uncompressed channel's. A channel with less
#: has lost its differences between inputs. Its rest, scaled up to the old spread, would be noise as strong as a signal.
LEAST = 0.5


class Spread(NamedTuple):
    """The mean and the variance of each channel, float64 [channels] each."""

    mean: Doubles
    variance: Doubles


def spreads(weights: Arrays, model: ModelSettings, examples: Examples, seed: int) -> Arrays:
    """Return the mean and the variance of the inputs of each batch norm, by the names of its statistics."""
    network, _ = network_of(model, weights)
    measured: dict[str, Any] = {}
    for visit in visits(model, network, network, examples, seed):
        if isinstance(visit, StatisticsVisit):
            measured[visit.mean], measured[visit.variance] = spread(reached for _, reached in visit.inputs)
    return measured


def recalibrated(weights: Arrays, model: ModelSettings, examples: Examples, seed: int, exact: Arrays) -> Arrays:
    """Return the weights with statistics that `match` gives. `exact` holds the `spreads` of the uncompressed network.

    A batch norm gets them before those that follow it are measured. So each is right for the inputs that reach it.
    """
    network, variables = network_of(model, weights)
    for visit in visits(model, network, network, examples, seed):
        if isinstance(visit, StatisticsVisit):
            match(visit, variables, Spread(exact[visit.mean], exact[visit.variance]))
    return {name: keras.ops.convert_to_numpy(variables[name]) for name in weights}


def match(visit: StatisticsVisit, variables: Variables, exact: Spread) -> None:
    """Give a batch norm statistics with which its outputs have the spread of the uncompressed network's outputs.

    `exact` is the spread of its inputs in the uncompressed network. A channel is scaled up as from `LEAST` at most.
    """
    own = spread(reached for _, reached in visit.inputs)
    stored = Spread(*(np.asarray(variables[name], np.float64) for name in (visit.mean, visit.variance)))
    # A channel that hardly varies keeps its scale.
    ratio = (own.variance + visit.epsilon + _TINY) / (exact.variance + visit.epsilon + _TINY)
    ratio = np.maximum(ratio, LEAST)
    variables[visit.mean].assign(own.mean - (exact.mean - stored.mean) * np.sqrt(ratio))
    variables[visit.variance].assign(np.maximum((stored.variance + visit.epsilon) * ratio - visit.epsilon, 0))


def spread(batches: Iterable[Any]) -> Spread:
    """Return the mean and the variance of each channel of batches [B, ..., channels]."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for batch in batches:
        rows = np.asarray(batch, np.float64).reshape(-1, batch.shape[-1])
        count, total, squares = count + len(rows), total + rows.sum(0), squares + np.square(rows).sum(0)
    mean = total / count
    return Spread(mean, np.maximum(squares / count - mean**2, 0))
