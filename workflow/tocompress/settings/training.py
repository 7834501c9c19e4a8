"""How networks are trained: the checkpoints in zoo/ (the config's `zoo`), and what pruning left of a network."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tocompress.settings.base import Count, Settings

Rate = Annotated[float, Field(gt=0)]


class Optimization(Settings):
    """AdamW with warm-up and a cosine schedule to zero."""

    epochs: Count = Field(description="passes over the training set")
    batch_size: Count = Field(64, description="examples a step")
    warmup_epochs: float = Field(1.0, ge=0, description="in which the learning rate rises from zero")
    weight_decay: float = Field(1e-4, ge=0, description="of kernels; decoupled")
    dropout: float = Field(0.2, ge=0, lt=1, description="of the inputs of gnmt's cells")
    guidance: float = Field(0.0, ge=0, description="weight of gnmt's guided attention in the loss")
    clip_norm: float = Field(1.0, gt=0, description="of the gradient of all weights together")
    seed: int = Field(1, ge=0, description="of the order of examples and of dropout")


class Training(Optimization):
    """From initial weights."""

    learning_rate: float = Field(2e-3, gt=0, description="at its peak")


class Retraining(Optimization):
    """From the weights that a cut left, with batch norm's statistics of these."""

    learning_rates: tuple[Rate, ...] = Field(
        (0.001, 0.0002),
        min_length=1,
        description="at their peak; retraining is tried at each, and the calibration loss decides between them and "
        "the weights as they were cut",
    )
    warmup_epochs: float = Field(0.1, ge=0, description="in which the learning rate rises from zero")
    examples: Count | None = Field(None, description="how many of the training set, drawn at random; null takes all")
    patience: Count = Field(
        3, description="epochs without a lower loss on the calibration set that end it, with the best epoch's weights"
    )
