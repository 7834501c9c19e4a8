"""How networks are trained: the config's `zoo` for the checkpoints in zoo/, and `retraining` for pruned networks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tocompress.settings.base import Count, Settings

Rate = Annotated[float, Field(gt=0)]


class Optimization(Settings):
    """AdamW with warm-up and a cosine schedule to zero."""

    epochs: Count = Field(description="passes over the training set")
    batch_size: Count = Field(64, description="examples per step")
    warmup_epochs: float = Field(1.0, ge=0, description="epochs in which the learning rate rises from zero")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled weight decay of kernels")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of the inputs of gnmt's cells")
    guidance: float = Field(0.0, ge=0, description="weight of gnmt's guided attention in the loss")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient of all weights together")
    seed: int = Field(1, ge=0, description="seed of the order of examples and of dropout")


class Training(Optimization):
    """Training from initial weights."""

    learning_rate: float = Field(2e-3, gt=0, description="peak learning rate")


class Retraining(Optimization):
    """Retraining after a cut, from the remaining weights and their statistics of batch norm."""

    learning_rates: tuple[Rate, ...] = Field(
        (0.001, 0.0002),
        min_length=1,
        description="peak learning rates to try. The calibration loss selects one, or the weights as they were cut",
    )
    warmup_epochs: float = Field(0.1, ge=0, description="epochs in which the learning rate rises from zero")
    teacher: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the loss that compares with the uncompressed model's probabilities, not with the labels",
    )
    examples: Count | None = Field(None, description="number of training examples, drawn at random (null: all)")
    patience: Count = Field(
        3, description="epochs without a lower calibration loss that end retraining with the best epoch's weights"
    )
