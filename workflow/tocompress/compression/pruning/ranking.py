"""Score the channels of a model for pruning, from the weights alone or on data."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd

from tocompress.compression.pruning.channels import Channels, Ids, Mask
from tocompress.compression.pruning.criteria import Criterion, Scores, importance
from tocompress.compression.pruning.dependencies import trace
from tocompress.compression.pruning.recurrent import gnmt_channels
from tocompress.compression.pruning.surgery import silenced
from tocompress.compression.pruning.taylor import Taylor
from tocompress.compression.quantization.grid import dequantize
from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.runtimes.deployed import deployed
from tocompress.settings.model import ModelSettings, TranslationModel
from tocompress.settings.technique import Prune
from tocompress.tasks.classification.network import of_shapes
from tocompress.tasks.examples import Examples, shuffled_batches
from tocompress.tasks.networks import Arrays, network_of
from tocompress.training.reproducible import reproducible
from tocompress.weights import QuantizedTensor, Weights

#: The criterion `taylor` removes channels in steps of 5 % of all, up to 80 %. Each step takes so many examples.
_STEPS, _LAST_STEP, _EXAMPLES, _SEED = 20, 16, 48, 1

_FLOOR = 2  # channels that a group keeps, since no gradient reaches back through an empty group


def float_weights(weights: Weights) -> Arrays:
    """Return the weights as float32. Quantized weights are dequantized."""
    return {
        name: dequantize(tensor) if isinstance(tensor, QuantizedTensor) else np.asarray(tensor, np.float32)
        for name, tensor in weights.items()
    }


def channels_of(model: ModelSettings, arrays: Arrays) -> Channels:
    """Return the prunable channels of a model's network with weights of these sizes."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if isinstance(model, TranslationModel):
        return gnmt_channels(shapes)
    with keras.StatelessScope(initialize_variables=False):
        return trace(of_shapes(model, shapes))


def kind_of(group: str, model: ModelSettings) -> str:
    """Return the kind of channels in a group, in words."""
    if model.task == "classification":
        return "filters"
    return "embedding dimensions" if group.startswith("embeddings/") else "units"


def scores(
    technique: Prune, model: ModelSettings, arrays: Arrays, channels: Channels, calibration: Examples | None
) -> Scores:
    """Return a score float64 [N] for each channel by the technique's criterion. Raise StudyError without its data."""
    if technique.criterion != "taylor":
        return scores_on_weights(technique.criterion, model, arrays, channels, technique.seed)
    if calibration is None:
        raise StudyError(f"{model.network}: the criterion 'taylor' needs a calibration set")
    return scores_on_data(model, arrays, channels, calibration)


def scores_on_weights(
    criterion: Criterion, model: ModelSettings, arrays: Arrays, channels: Channels, seed: int
) -> Scores:
    """Return a score float64 [N] for each channel, from the weights in their deployed form."""
    epsilon = registry.find(model.network).batch_norm_epsilon
    floats = {
        name: tensor.astype(np.float32, copy=False)
        for name, tensor in deployed(dict(arrays), epsilon).items()
        if isinstance(tensor, np.ndarray)
    }
    return importance(criterion, floats, channels, seed)


def scores_on_data(model: ModelSettings, arrays: Arrays, channels: Channels, calibration: Examples) -> Scores:
    """Return the share of all channels that go before each channel by the criterion `taylor`, float64 [N].

    Channels go in steps. After each step, the channels left are scored again on other examples, without the removed
    ones. So the work that two channels share is lost only with the second of them.
    """
    with reproducible(_SEED):
        network, variables = network_of(model, arrays)
        taylor = Taylor(network, variables, channels)
        examples = shuffled_batches(calibration, model, 1, _SEED)
        keep = np.ones(channels.count, np.bool_)
        order: list[Ids] = []
        for step in range(_LAST_STEP):
            places = range(step * _EXAMPLES, (step + 1) * _EXAMPLES)
            scores = taylor.scores(examples[place % len(examples)] for place in places)
            if not np.isfinite(scores).all():
                raise StudyError(
                    f"{model.network}: the loss of calibration examples is not finite; nothing can be ranked"
                )
            going = _lowest(scores, keep, channels, round((step + 1) / _STEPS * channels.count))
            keep[going] = False
            order.append(going)
            for name, values in silenced(dict(arrays), channels, keep).items():
                variables[name].assign(values)
    left = np.flatnonzero(keep).astype(np.int32)
    order.append(left[np.argsort(scores[left], kind="stable")])
    places_of = np.empty(channels.count)
    places_of[np.concatenate(order)] = np.arange(channels.count) / channels.count
    return places_of


def _lowest(scores: Scores, keep: Mask, channels: Channels, most: int) -> Ids:
    """Return the next channels to remove, lowest first, until `most` are gone. A group at its floor keeps all."""
    spare = {group: keep[ids].sum() - _FLOOR for group, ids in channels.groups.items()}
    group_of = {channel: group for group, ids in channels.groups.items() for channel in ids}
    going: list[int] = []
    for channel in np.argsort(np.where(keep, scores, np.inf), kind="stable")[: int(keep.sum())]:
        if len(going) >= most - int((~keep).sum()):
            break
        if spare[group_of[channel]] > 0:
            spare[group_of[channel]] -= 1
            going.append(channel)
    return np.array(going, np.int32)


def ranked(scores: Scores, channels: Channels) -> pd.DataFrame:
    """Return the table 'importance' with the score of each channel."""
    groups = pd.Series("", index=range(channels.count))
    for name, ids in channels.groups.items():
        groups[ids] = name
    return pd.DataFrame({"channel": np.arange(channels.count), "group": groups, "importance": scores})
