"""Compare a network without channels with the whole one that has them silenced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import keras
import numpy as np

from tocompress.compression.pruning.channels import Channels, Mask
from tocompress.compression.pruning.dependencies import trace
from tocompress.compression.pruning.surgery import cut, cut_shapes, silenced
from tocompress.models.resize import resized
from tocompress.models.variables import named_variables

Arrays = dict[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]

TOLERANCE = 1e-9  # of the standard deviation of the logits


@contextmanager
def double_precision() -> Iterator[None]:
    """Use double precision, and variables without values, which take time to draw."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def random_mask(channels: Channels) -> Mask:
    """Return about half of the channels, and at least one of each group."""
    random = np.random.default_rng(2)
    keep = random.random(channels.count) < 0.5
    keep[[random.choice(ids) for ids in channels.groups.values()]] = True
    return keep


def assert_exact(model: keras.Model, *, smaller: bool = True) -> None:
    """Fail unless the network without random channels equals the one with them silenced.

    `smaller`: also fail where channels that go make no difference, to the size or to the logits.
    """
    channels = trace(model)
    weights, keep = _random_weights(_shapes_of(model)), random_mask(channels)
    predicted = cut_shapes(_shapes_of(model), channels, keep)
    pruned = cut(weights, channels, keep)
    without = resized(model, predicted)

    assert {name: values.shape for name, values in pruned.items()} == predicted == _shapes_of(without)
    assert without.count_params() == sum(map(prod, predicted.values()))
    expected, actual = _logits(model, silenced(weights, channels, keep)), _logits(without, pruned)
    assert actual.dtype == np.float64 and expected.std() > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * expected.std())
    assert {name: len(ids) for name, ids in trace(without).groups.items()} == {
        name: keep[ids].sum() for name, ids in channels.groups.items()
    }
    if smaller:
        assert without.count_params() < model.count_params()
        whole = _logits(model, weights)
        assert np.abs(expected - whole).max() > 1e-3 * whole.std() > 0


def _shapes_of(model: keras.Model) -> Shapes:
    return {name: tuple(variable.shape) for name, variable in named_variables(model).items()}


def _random_weights(shapes: Shapes) -> Arrays:
    """Values under which signals neither die nor explode over 150 layers, and no batch norm is an identity."""
    random = np.random.default_rng(1)

    def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
        leaf = name.rpartition("/")[2]
        if leaf in ("gamma", "moving_variance"):
            return random.uniform(0.7, 1.3, shape) * (0.3 if "/conv3/" in name else 1)
        if leaf in ("beta", "biases", "moving_mean", "alpha"):
            return random.normal(0, 0.2, shape)
        inputs = shape[:2] if leaf == "depthwise_weights" else shape[:-1]
        return random.normal(0, np.sqrt(2 / np.prod(inputs)), shape)

    return {name: values(name, shape) for name, shape in shapes.items()}


def _logits(model: keras.Model, weights: Arrays) -> np.ndarray:
    images = np.random.default_rng(3).normal(0, 1, (2, *model.input_shape[1:]))
    values = [(variable, weights[name]) for name, variable in named_variables(model).items()]
    with keras.StatelessScope(values):
        return np.asarray(model(images, training=False))
