"""List the calls of layers and operations that make a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Call:
    """One use of a layer, or of an operation of keras.ops such as `x * 2`.

    `arguments` holds positional arguments and named ones. `constants` are the ones that are no tensors of the network,
    such as the 2.
    """

    operation: keras.Operation
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    arguments: tuple[tuple[Any, ...], dict[str, Any]]

    @property
    def constants(self) -> tuple[Any, ...]:
        positional, named = self.arguments
        return tuple(
            argument
            for argument in (*positional, *named.values())
            if not any(isinstance(part, keras.KerasTensor) for part in keras.tree.flatten(argument))
        )

    def run(self, *inputs: Any) -> Any:
        """Return the output of the operation for tensors in the place of `inputs`."""
        given = dict(zip(map(id, self.inputs), inputs, strict=True))
        positional, named = keras.tree.map_structure(lambda part: given.get(id(part), part), self.arguments)
        return self.operation(*positional, **named)


def calls_of(model: keras.Model) -> list[Call]:
    """Return the calls of a functional model, each after the calls that it needs.

    They are in the order of `model.operations`, which has each layer once, however often it is called.
    """
    place = {id(operation): number for number, operation in enumerate(model.operations)}
    # Keras' public attributes raise for a layer with a second call, even one outside this model.
    depths = sorted(model._nodes_by_depth, reverse=True)
    nodes = [
        node
        for depth in depths
        for node in sorted(model._nodes_by_depth[depth], key=lambda node: place[id(node.operation)])
    ]
    return [
        Call(
            node.operation,
            tuple(node.input_tensors),
            tuple(node.output_tensors),
            (tuple(node.arguments.args), node.arguments.kwargs),
        )
        for node in nodes
    ]
