"""How much each channel of a model matters: what pruning ranks by, on the weights alone or on data."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd

from tocompress.compression.channels import Channels
from tocompress.compression.criteria import Scores, importance
from tocompress.compression.dependencies import trace
from tocompress.compression.quantization import dequantize
from tocompress.compression.recurrent import gnmt_channels
from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.models.resize import resized
from tocompress.settings.model import ImageModel, ModelSettings
from tocompress.settings.pruning import Prune
from tocompress.training.examples import Examples, shuffled_batches
from tocompress.training.reproducible import reproducible
from tocompress.training.retrain import Arrays, network_of
from tocompress.training.taylor import taylor
from tocompress.weights import QuantizedTensor, Weights

#: What `taylor` sees of the calibration set: effects of either sign cancel within a batch, so batches are small.
_BATCHES, _BATCH_SIZE, _SEED = 64, 16, 1


def float_weights(weights: Weights) -> Arrays:
    """The weights as floats, those that are quantized as dequantized."""
    return {
        name: dequantize(tensor) if isinstance(tensor, QuantizedTensor) else tensor for name, tensor in weights.items()
    }


def channels_of(model: ModelSettings, arrays: Arrays) -> Channels:
    """The channels of a model's network with weights of these sizes that can be pruned."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if not isinstance(model, ImageModel):
        return gnmt_channels(shapes)
    with keras.StatelessScope(initialize_variables=False):
        whole = registry.build(model.network, width=model.width, input_size=model.input_size, classes=model.classes)
        return trace(resized(whole, shapes))


def kind_of(group: str, model: ModelSettings) -> str:
    """What the channels of a group are, in words."""
    if isinstance(model, ImageModel):
        return "filters"
    return "embedding dimensions" if group.startswith("embeddings/") else "units"


def scores(
    technique: Prune, model: ModelSettings, arrays: Arrays, channels: Channels, calibration: Examples | None
) -> Scores:
    """A score float64 [N] for each channel by the technique's criterion. StudyError where that lacks its data."""
    if technique.criterion != "taylor":
        return importance(technique.criterion, arrays, channels, technique.seed)
    if calibration is None:
        raise StudyError(f"{model.network}: the criterion 'taylor' needs a calibration set")
    return scores_on_data(model, arrays, channels, calibration)


def scores_on_data(model: ModelSettings, arrays: Arrays, channels: Channels, calibration: Examples) -> Scores:
    """Criterion `taylor`: a score float64 [N] for each channel, from a fixed sample of the calibration set."""
    with reproducible(_SEED):
        network, variables = network_of(model, arrays)
        batches = shuffled_batches(calibration, model, _BATCH_SIZE, _SEED)
        return taylor(network, variables, (batches[row] for row in range(min(len(batches), _BATCHES))), channels)


def ranked(scores: Scores, channels: Channels) -> pd.DataFrame:
    """The table 'importance': the score of each channel."""
    groups = pd.Series("", index=range(channels.count))
    for name, ids in channels.groups.items():
        groups[ids] = name
    return pd.DataFrame({"channel": np.arange(channels.count), "group": groups, "importance": scores})
