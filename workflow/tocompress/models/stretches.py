"""Cut a network where one tensor alone passes. So the rest can run by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import keras

from tocompress.models.calls import Call, calls_of
from tocompress.models.variables import named_variables

#: Each stretch is compiled anew, which takes as long as a few runs.
_MOST = 8


@dataclass(frozen=True)
class Stretch:
    """A part of a network.

    `variables` are the names of those that it is the first to use. `onward` runs the part, from the tensor that enters
    it to the tensor that leaves it. It is None for the last one. `rest` runs from the same tensor to the outputs.
    """

    variables: frozenset[str]
    onward: keras.Model | None
    rest: keras.Model


def stretches_of(network: keras.Model) -> Iterator[Stretch]:
    """Yield the stretches of a functional network of one input, in the order in which they are computed."""
    names = {id(variable): name for name, variable in named_variables(network).items()}
    calls = calls_of(network)
    start, seen = network.inputs[0], set[str]()
    for first, last in pairwise([0, *_ends(calls, network), len(calls)]):
        used = {names[id(variable)] for call in calls[first:last] for variable in _variables(call)}
        end = calls[last - 1].outputs[0]
        onward = keras.Model(start, end) if last < len(calls) else None
        rest = keras.Model(start, network.outputs[0]) if first else network
        yield Stretch(frozenset(used - seen), onward, rest)
        start, seen = end, seen | used


def _ends(calls: Sequence[Call], network: keras.Model) -> list[int]:
    """Return the numbers of calls that the stretches but the last end before, with about as many variables in each."""
    unread = Counter(id(tensor) for call in calls for tensor in call.inputs)
    unread.update(map(id, network.outputs))
    weight = sum(len(_variables(call)) for call in calls) / _MOST
    live, passed, ends = set[int](), 0, list[int]()
    for number, call in enumerate(calls, 1):
        passed += len(_variables(call))
        unread.subtract(map(id, call.inputs))
        live = {tensor for tensor in {*live, *map(id, call.outputs)} if unread[tensor] > 0}
        if live == {id(call.outputs[0])} and passed >= weight * (len(ends) + 1) and number < len(calls):
            ends.append(number)
    return ends


def _variables(call: Call) -> list[keras.Variable]:
    return call.operation.weights if isinstance(call.operation, keras.layers.Layer) else []
