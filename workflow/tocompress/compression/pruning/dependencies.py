"""Find the channels of a CNN that must go together by walking its Keras graph, without knowledge of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tocompress.compression.pruning.channels import FIXED, Channels, Ids
from tocompress.errors import StudyError
from tocompress.models.variables import named_variables

Axes = tuple[Ids | None, ...]

_ELEMENTWISE = frozenset(
    getattr(keras.activations, name)
    for name in (
        *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign"),
        *("sigmoid", "hard_sigmoid", "hard_silu", "tanh", "hard_tanh"),
    )
)


def trace(model: keras.Model) -> Channels:
    """Return the prunable channels of a functional CNN, numbered in the order of the layers that make them.

    The channels of the image and of the outputs always stay, with all channels bound to them. Raise StudyError for a
    layer of an unknown type, for a grouped convolution, and for a layer that is called more than once.
    """
    walk = _Walk()
    carried: dict[int, Ids] = {}  # the channels along the last axis of each tensor

    def channels_of(tensor: keras.KerasTensor, taker: str) -> Ids:
        if id(tensor) not in carried:
            raise StudyError(f"{taker}: takes the output of a layer's second call; only layers called once are pruned")
        return carried[id(tensor)]

    for layer in model.operations:
        if type(layer) not in _RULES:
            raise StudyError(f"{layer.name}: what a layer of type {type(layer).__name__} does to channels is not known")
        sources = [] if type(layer) is keras.layers.InputLayer else keras.tree.flatten(layer.input)
        made = _RULES[type(layer)](walk, layer, [channels_of(source, layer.name) for source in sources])
        if getattr(layer, "activation", keras.activations.linear) not in _ELEMENTWISE:
            walk.fix(made)  # a softmax, for example, reads all channels to make each one
        carried[id(layer.output)] = made
    for output in model.outputs:
        walk.fix(channels_of(output, model.name))
    return walk.channels(model)


class _Walk:
    """The knowledge after some layers. Nodes are provisional channels. Node 0 is the channel that always stays."""

    def __init__(self) -> None:
        self._nodes = 1
        self._bonds: list[tuple[Ids, Ids]] = []
        self._axes: dict[int, Axes] = {}  # by the identity of a variable
        self._producers: dict[int, int] = {}

    def new(self, count: int) -> Ids:
        """Return channels that nothing is bound to yet."""
        first, self._nodes = self._nodes, self._nodes + count
        return np.arange(first, self._nodes, dtype=np.int32)

    def bind(self, some: Ids, others: Ids) -> None:
        """Make each of `some` one channel with its partner of `others`."""
        self._bonds.append((some, others))

    def fix(self, nodes: Ids) -> None:
        self.bind(nodes, np.zeros_like(nodes))

    def record(self, layer: keras.Layer, **axes: Axes) -> None:
        """Set the channels along the axes of a layer's variables, by Keras' names. The layer may lack some of them."""
        for variable in layer.weights:
            lengths = [None if nodes is None else len(nodes) for nodes in axes[variable.name]]
            if any(length not in (None, size) for length, size in zip(lengths, variable.shape, strict=True)):
                raise StudyError(
                    f"{layer.name}: {variable.name} of shape {list(variable.shape)} does not fit channels {lengths} "
                    "along its axes; channels must be the last axis of every tensor"
                )
            self._axes[id(variable)] = axes[variable.name]

    def produce(self, variable: keras.Variable, axis: int) -> None:
        self._producers[id(variable)] = axis

    def channels(self, model: keras.Model) -> Channels:
        ids = self._ids()
        named = {name: id(variable) for name, variable in named_variables(model).items()}
        variables = {
            name: tuple(None if nodes is None else ids[nodes] for nodes in self._axes[identity])
            for name, identity in named.items()
        }
        producers = {}
        for name, identity in named.items():
            axis = self._producers.get(identity)
            if axis is not None and (_along(variables, name, axis) != FIXED).any():
                producers[name] = axis
        return Channels(variables, producers, _groups(variables, producers))

    def _ids(self) -> Ids:
        """Return the id of each node: FIXED if it is bound to node 0, or else a number by its channel's first node."""
        some, others = (np.concatenate(nodes) for nodes in zip(*self._bonds, strict=True))
        graph = coo_array((np.ones(len(some)), (some, others)), shape=(self._nodes, self._nodes))
        _, component = connected_components(graph, directed=False)
        _, first_node, component = np.unique(component, return_index=True, return_inverse=True)
        place = np.argsort(np.argsort(first_node))
        return (place[component] + FIXED).astype(np.int32)  # node 0 comes first and gets FIXED


def _along(variables: Mapping[str, Axes], name: str, axis: int) -> Ids:
    ids = variables[name][axis]
    assert ids is not None
    return ids


def _groups(variables: Mapping[str, Axes], producers: Mapping[str, int]) -> dict[str, Ids]:
    """Return the channels of each set of producers, under unique names."""
    producers_of: dict[int, list[str]] = {}
    for name, axis in producers.items():
        for channel in np.unique(_along(variables, name, axis)):
            if channel != FIXED:
                producers_of.setdefault(int(channel), []).append(name)
    members: dict[tuple[str, ...], list[int]] = {}
    for channel in sorted(producers_of):
        members.setdefault(tuple(producers_of[channel]), []).append(channel)
    groups: dict[str, Ids] = {}
    for (first, *_), channels in members.items():
        scope = first.rpartition("/")[0]
        namesakes = sum(name.partition("#")[0] == scope for name in groups)
        groups[f"{scope}#{namesakes + 1}" if namesakes else scope] = np.array(channels, np.int32)
    return groups


def _input(walk: _Walk, layer: keras.Layer, sources: list[Ids]) -> Ids:
    return np.zeros(layer.output.shape[-1], np.int32)


def _convolution(walk: _Walk, layer: keras.layers.Conv2D, sources: list[Ids]) -> Ids:
    if layer.groups > 1:
        raise StudyError(f"{layer.name}: a convolution in {layer.groups} groups; only one group can be pruned")
    (read,) = sources
    made = walk.new(layer.filters)
    walk.record(layer, kernel=(None, None, read, made), bias=(made,))
    walk.produce(layer.kernel, 3)
    return made


def _depthwise(walk: _Walk, layer: keras.layers.DepthwiseConv2D, sources: list[Ids]) -> Ids:
    """Return the channels of the input, each repeated `depth_multiplier` times."""
    (read,) = sources
    made = np.repeat(read, layer.depth_multiplier)
    walk.record(layer, kernel=(None, None, read, None), bias=(made,))
    walk.produce(layer.kernel, 2)
    return made


def _separable(walk: _Walk, layer: keras.layers.SeparableConv2D, sources: list[Ids]) -> Ids:
    (read,) = sources
    made = walk.new(layer.filters)
    walk.record(
        layer,
        depthwise_kernel=(None, None, read, None),
        pointwise_kernel=(None, None, np.repeat(read, layer.depth_multiplier), made),
        bias=(made,),
    )
    walk.produce(layer.pointwise_kernel, 3)
    return made


def _dense(walk: _Walk, layer: keras.layers.Dense, sources: list[Ids]) -> Ids:
    (read,) = sources
    made = walk.new(layer.units)
    walk.record(layer, kernel=(read, made), bias=(made,))
    walk.produce(layer.kernel, 1)
    return made


def _batch_norm(walk: _Walk, layer: keras.layers.BatchNormalization, sources: list[Ids]) -> Ids:
    (read,) = sources
    walk.record(layer, **dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (read,)))
    return read


def _each_for_itself(walk: _Walk, layer: keras.Layer, sources: list[Ids]) -> Ids:
    (read,) = sources
    return read


def _flatten(walk: _Walk, layer: keras.layers.Flatten, sources: list[Ids]) -> Ids:
    """Return the channels of the input, once for each place of the map."""
    (read,) = sources
    return np.tile(read, layer.output.shape[-1] // len(read))


def _merge(walk: _Walk, layer: keras.Layer, sources: list[Ids]) -> Ids:
    first, *others = sources
    for other in others:
        if len(other) != len(first):
            raise StudyError(f"{layer.name}: merges {len(first)} channels with {len(other)}; both must have as many")
        walk.bind(first, other)
    return first


def _concatenate(walk: _Walk, layer: keras.layers.Concatenate, sources: list[Ids]) -> Ids:
    if layer.axis not in (-1, len(layer.output.shape) - 1):
        return _merge(walk, layer, sources)
    return np.concatenate(sources)


_Rule = Callable[[_Walk, keras.Layer, list[Ids]], Ids]

# A subclass may do anything, so a rule holds for an exact type only.
_RULES: dict[type, _Rule] = {
    keras.layers.InputLayer: _input,
    keras.layers.Conv2D: _convolution,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv2D: _separable,
    keras.layers.Dense: _dense,
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.Flatten: _flatten,
    keras.layers.Concatenate: _concatenate,
    **dict.fromkeys(
        (
            keras.layers.Add,
            keras.layers.Subtract,
            keras.layers.Multiply,
            keras.layers.Average,
            keras.layers.Maximum,
            keras.layers.Minimum,
        ),
        _merge,
    ),
    **dict.fromkeys(
        (
            keras.layers.Activation,
            keras.layers.ReLU,
            keras.layers.MaxPooling2D,
            keras.layers.AveragePooling2D,
            keras.layers.GlobalMaxPooling2D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.ZeroPadding2D,
            keras.layers.Dropout,
            keras.layers.SpatialDropout2D,
        ),
        _each_for_itself,
    ),
}
