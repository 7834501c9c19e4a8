"""The config's `zoo`: how the checkpoints in zoo/ are trained."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Count, Settings
from tocompress.settings.data import DataSettings
from tocompress.settings.model import ModelSettings


class Training(Settings):
    """AdamW with warm-up and a cosine schedule to zero."""

    epochs: Count
    batch_size: Count = 64
    learning_rate: float = Field(2e-3, gt=0, description="at its peak")
    warmup_epochs: float = Field(1.0, ge=0)
    weight_decay: float = Field(1e-4, ge=0, description="of kernels; decoupled")
    dropout: float = Field(0.2, ge=0, lt=1, description="of the inputs of gnmt's cells")
    guidance: float = Field(0.0, ge=0, description="weight of gnmt's guided attention in the loss")
    clip_norm: float = Field(1.0, gt=0, description="of the gradient of all weights together")
    seed: int = Field(1, ge=0)


class TrainingInputs(Settings):
    """What one job trains: a model on its dataset."""

    model: ModelSettings
    data: DataSettings
    training: Training
