"""Collect which channels of a network must go together, and number them at the end."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tocompress.compression.pruning.channels import FIXED, Channels, Ids
from tocompress.errors import StudyError
from tocompress.models.variables import named_variables

Axes = tuple[Ids | None, ...]


class Bonds:
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

    def leave_whole(self, layer: keras.Layer) -> None:
        """Set that no axis of a layer's variables has channels."""
        for variable in layer.weights:
            self._axes[id(variable)] = (None,) * len(variable.shape)

    def channels(self, model: keras.Model, whole: Mapping[str, str]) -> Channels:
        """Return the channels of a network whose layers are all recorded, with the reasons why some are left whole."""
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
        return Channels(variables, producers, _groups(variables, producers), whole)

    def _ids(self) -> Ids:
        """Return the id of each node. It is FIXED if bound to node 0, or else a number by its channel's first node."""
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
