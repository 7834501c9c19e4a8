"""What a model is fed with: the settings of a job, put together from several sections of the config."""

from __future__ import annotations

from tocompress.settings.base import Count, Settings
from tocompress.settings.data import DataSettings
from tocompress.settings.evaluation import Prediction
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.settings.training import Training


class BenchmarkInputs(Settings):
    """Which inputs a model is timed on."""

    model: ImageModel | TranslationModel
    data: DataSettings
    count: Count


class PredictionInputs(Settings):
    """How a model is run over its test set."""

    model: ImageModel | TranslationModel
    data: DataSettings
    prediction: Prediction


class TrainingInputs(Settings):
    """How a model is trained."""

    model: ImageModel | TranslationModel
    data: DataSettings
    training: Training
