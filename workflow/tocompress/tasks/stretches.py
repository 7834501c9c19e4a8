"""Cut a network of any task into parts that can run apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras

from tocompress.models.stretches import Stretch, stretches_of
from tocompress.settings.model import ModelSettings


def stretches(model: ModelSettings, network: keras.Model) -> Iterator[Stretch]:
    """Yield the parts of a network in the order in which they are computed."""
    return _STRETCHES[model.task](network)


def _whole(network: keras.Model) -> Iterator[Stretch]:
    """Yield all of a translation network, which loops over the tokens."""
    yield Stretch(frozenset(network.named), None, network)


_STRETCHES: dict[str, Callable[..., Iterator[Stretch]]] = {"classification": stretches_of, "translation": _whole}
