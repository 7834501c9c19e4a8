"""Measure the accuracy that a network loses when one layer alone loses channels, without retraining."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from tocompress.compression.pruning.channels import Channels, Ids
from tocompress.compression.pruning.criteria import Scores
from tocompress.compression.pruning.ranking import channels_of, kind_of, scores_on_data, scores_on_weights
from tocompress.compression.pruning.surgery import silenced
from tocompress.schemas.study import SENSITIVITY
from tocompress.settings.jobs import SensitivityJob
from tocompress.tasks.examples import Examples, accuracy_of, drawn, shuffled_batches
from tocompress.tasks.networks import Arrays, network_of
from tocompress.tasks.wilson import wilson
from tocompress.vocabulary.levels import LEVEL
from tocompress.weights import Weights, check_finite

SHARES = tuple(tenths / 10 for tenths in range(1, 10))

_BATCH_SIZE = 100

#: Inputs, the true classes or tokens, and the weights of tokens, which are 0 for padding.
Batch = tuple[Any, ...]
Row = dict[str, Any]


def scan(
    weights: Arrays, inputs: SensitivityJob, examples: Examples, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Return the table 'sensitivity' of a network: each group of channels in turn loses each of SHARES.

    The least important channels go, but never the last one. One network is run throughout. Channels are silenced
    wherever they are read, which equals cutting them. Raise StudyError where there are fewer examples than asked for.
    """
    model, settings = inputs.model, inputs.sensitivity
    channels = channels_of(model, weights)
    scores = _scores(weights, inputs, channels, examples)
    network, variables = network_of(model, weights)
    chosen = drawn(examples, model, settings.examples, settings.seed, section="sensitivity", split="calibration")
    order = shuffled_batches(chosen, model, _BATCH_SIZE, settings.seed)
    batches = [order[index] for index in range(len(order))]
    whole = _accuracy(network, batches)
    metric = accuracy_of(model)
    rows: list[Row] = [{"channels": channels.count, "removed": 0, "share": 0.0, **whole}]
    for number, (group, ids) in enumerate(channels.groups.items(), 1):
        report(f"layer {number} of {len(channels.groups)}: {group}")
        measured = {0: whole}  # by the number removed, which several shares of a small group have in common
        for share, gone in _cuts(ids[np.argsort(scores[ids], kind="stable")]):
            if len(gone) not in measured:
                _assign(variables, _without(gone, weights, channels))
                measured[len(gone)] = _accuracy(network, batches)
            counts = {"channels": len(ids), "removed": len(gone), "share": share}
            rows.append({"group": group, "kind": kind_of(group, model), **counts, **measured[len(gone)]})
        _assign(variables, _holding(ids, weights, channels))
    return pd.DataFrame(rows, columns=SENSITIVITY.names).assign(metric=metric)


def _scores(weights: Arrays, inputs: SensitivityJob, channels: Channels, examples: Examples) -> Scores:
    settings = inputs.sensitivity
    if settings.criterion == "taylor":
        return scores_on_data(inputs.model, weights, channels, examples)
    return scores_on_weights(settings.criterion, inputs.model, weights, channels, settings.seed)


def _without(gone: Ids, weights: Arrays, channels: Channels) -> Weights:
    """Return the weights that hold any of the channels `gone`, silenced where they read them."""
    keep = np.ones(channels.count, np.bool_)
    keep[gone] = False
    return silenced(_holding(gone, weights, channels), channels, keep)


def _holding(some: Ids, weights: Arrays, channels: Channels) -> Weights:
    return {
        name: array
        for name, array in weights.items()
        if any(ids is not None and np.isin(ids, some).any() for ids in channels.variables[name])
    }


def _cuts(lowest_first: Ids) -> Iterator[tuple[float, Ids]]:
    """Yield each share and the channels that go for it."""
    for share in SHARES:
        yield share, lowest_first[: min(round(share * len(lowest_first)), len(lowest_first) - 1)]


def _assign(variables: Mapping[str, keras.Variable], weights: Weights) -> None:
    for name, values in weights.items():
        variables[name].assign(values)


def _accuracy(network: keras.Model, batches: Sequence[Batch]) -> Row:
    """Return the share of classes or tokens found, with Wilson's interval, and their number."""
    hits = np.concatenate([_hits(network, *batch) for batch in batches])
    low, high = wilson(hits, LEVEL)
    return {"value": hits.mean(), "low": low, "high": high, "n": len(hits)}


def _hits(network: keras.Model, inputs: Any, truth: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    logits = network.predict_on_batch(inputs)
    check_finite(f"the logits of {network.name}", logits)
    hits: np.ndarray = logits.argmax(axis=-1) == truth
    return hits if weight is None else hits[weight > 0]
