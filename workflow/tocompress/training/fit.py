"""What training images and training sentences have in common: optimizer, schedule, history, resumption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from tocompress.settings.training import Training


def fit(
    network: keras.Model,
    training: Training,
    batches: keras.utils.PyDataset,
    validation: Any,
    *,
    resume_folder: Path,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Train `network` in place on logits and integer labels; returns its history (schema 'history').

    State is kept in `resume_folder` after each epoch; the same call goes on from there after a stop.
    """
    network.compile(
        optimizer(training, len(batches)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
        # XLA on a CPU makes TensorFlow's depthwise convolutions ten times slower; JAX is nothing without it.
        jit_compile=keras.config.backend() == "jax",
    )

    def tell(epoch: int, values: dict[str, float]) -> None:
        report(f"epoch {epoch + 1}/{training.epochs}: " + ", ".join(f"{k} {v:.4f}" for k, v in values.items()))

    resume_folder.mkdir(parents=True, exist_ok=True)
    log = resume_folder / "history.csv"
    network.fit(
        batches,
        validation_data=validation,
        epochs=training.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.CSVLogger(str(log), append=True),
            keras.callbacks.BackupAndRestore(str(resume_folder / "state")),
            keras.callbacks.LambdaCallback(on_epoch_end=tell),
        ],
    )
    # A run stopped between an epoch's log and its state has done that epoch twice.
    history = pd.read_csv(log).drop_duplicates("epoch", keep="last").assign(epoch=lambda table: table["epoch"] + 1)
    return history.melt("epoch", var_name="metric", value_name="value")


def optimizer(training: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW whose rate rises linearly during warm-up, then falls to zero along a cosine."""
    warmup_steps = round(training.warmup_epochs * steps_per_epoch)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else training.learning_rate,
        decay_steps=max(1, training.epochs * steps_per_epoch - warmup_steps),
        warmup_target=training.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    chosen = keras.optimizers.AdamW(rate, weight_decay=training.weight_decay, global_clipnorm=training.clip_norm)
    chosen.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return chosen
