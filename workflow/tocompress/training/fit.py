"""Train a network, with optimizer, schedule, history, early stop, and resumption after a stop."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.settings.training import Optimization

Row = dict[str, float]  # of an epoch: its number, from 1, and its metrics


class Diverged(StudyError):
    """The error of a loss that is no longer finite."""


def fit(
    network: keras.Model,
    settings: Optimization,
    learning_rate: float,
    batches: keras.utils.PyDataset,
    validation: Any,
    *,
    resume_folder: Path,
    report: Callable[[str], None],
    patience: int | None = None,
) -> pd.DataFrame:
    """Train `network` in place on logits and integer labels. Return a table with the columns epoch, metric and value.

    `learning_rate` is the peak. With `patience`, training ends after that many epochs without a lower validation loss,
    with the best epoch's weights. `resume_folder` keeps the state after each epoch. After a stop, the same call goes on
    from there and ends with the same result. Metric `seconds` is an epoch's wall time, validation included. A network
    that `compile_for` has compiled is not compiled again.
    """
    if not network.compiled:
        compile_for(settings, network, len(batches))
    network.optimizer.begin(learning_rate)
    progress = _Progress(network, resume_folder, settings.epochs, patience, report)
    for _ in progress.rows:
        batches.on_epoch_end()
    network.fit(
        batches,
        validation_data=validation,
        epochs=settings.epochs,
        initial_epoch=settings.epochs if progress.ended else len(progress.rows),
        verbose=0,
        callbacks=[progress],
    )
    if patience is not None:
        progress.restore_best()
    return pd.DataFrame(progress.rows).melt("epoch", var_name="metric", value_name="value")


def compile_for(
    settings: Optimization,
    network: keras.Model,
    steps_per_epoch: int,
    loss: type[keras.losses.Loss] = keras.losses.SparseCategoricalCrossentropy,
) -> None:
    """Compile a network for `fit`, with a loss of logits.

    Trainings share it, since tracing a step takes as long as a short training.
    """
    network.compile(
        Optimizer(settings, steps_per_epoch),
        loss(from_logits=True),
        # Given by name, the metric would be made at the first step, and the step would be traced once more.
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        # XLA on a CPU makes TensorFlow's depthwise convolutions ten times slower, and JAX needs it.
        jit_compile=keras.config.backend() == "jax",
    )
    network.optimizer.build(network.trainable_variables)


class Optimizer(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW whose rate rises linearly to its peak during warm-up, then falls to zero along a cosine.

    The peak is a variable, unlike in a schedule of Keras, so another peak needs no new tracing of a step.
    """

    def __init__(self, settings: Optimization, steps_per_epoch: int) -> None:
        super().__init__(0.0, weight_decay=settings.weight_decay, global_clipnorm=settings.clip_norm)
        self.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        warmup_steps = round(settings.warmup_epochs * steps_per_epoch)
        self._share_of_peak = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup_steps else 1.0,
            decay_steps=max(1, settings.epochs * steps_per_epoch - warmup_steps),
            warmup_target=1.0 if warmup_steps else None,
            warmup_steps=warmup_steps,
        )

    def begin(self, peak: float) -> None:
        """Forget all steps, and set the peak of the rate for the steps that follow."""
        for variable in self.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self.learning_rate = peak

    def _get_current_learning_rate(self) -> Any:
        return super()._get_current_learning_rate() * self._share_of_peak(self.iterations)


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """The history of a training, its state on disk after each epoch, and its early stop.

    BackupAndRestore and EarlyStopping of Keras forget the seeds of dropout, the order of the batches, and the number of
    epochs without an improvement. Keras shuffles the batches once more, by Python's `random`.
    """

    def __init__(
        self,
        network: keras.Model,
        folder: Path,
        epochs: int,
        patience: int | None,
        report: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._weights = network.variables  # batch norm statistics and the seeds of dropout included
        self._state = [*network.variables, *network.optimizer.variables]
        self._state_file, self._best_file = folder / "state.npz", folder / "best.npz"
        self._epochs, self._patience, self._report = epochs, patience, report
        self._start = 0.0
        # A state without its best weights is the rest of a folder that was being removed.
        whole = self._state_file.exists() and (patience is None or self._best_file.exists())
        kept = _load(self._state_file, self._state) if whole else {}
        self.rows: list[Row] = kept.get("rows", [])
        self._random: list[Any] | None = kept.get("random")

    @property
    def ended(self) -> bool:
        """Return whether training has ended."""
        if len(self.rows) == self._epochs:
            return True
        return self._patience is not None and len(self.rows) - self._best_epoch >= self._patience

    def restore_best(self) -> None:
        """Give the network the weights that it had after its best epoch."""
        _load(self._best_file, self._weights)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self._random is not None:
            version, words, gauss = self._random
            random.setstate((version, tuple(words), gauss))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        metrics = {**(logs or {}), "seconds": time.perf_counter() - self._start}
        for name in ("loss", "val_loss"):
            if not np.isfinite(metrics[name]):
                raise Diverged(
                    f"training diverged in epoch {epoch + 1}, {name} {metrics[name]}; take a lower learning rate"
                )
        self.rows.append({"epoch": epoch + 1, **metrics})
        if self._patience is not None and self._best_epoch == len(self.rows):
            _save(self._best_file, self._weights)
        _save(self._state_file, self._state, rows=self.rows, random=random.getstate())
        self.model.stop_training = self.ended
        self._report(f"epoch {epoch + 1}/{self._epochs}: " + ", ".join(f"{k} {v:.4f}" for k, v in metrics.items()))

    @property
    def _best_epoch(self) -> int:
        """Return the number of the epoch with the lowest validation loss, or 0 before the first epoch."""
        losses = [row["val_loss"] for row in self.rows]
        return 1 + losses.index(min(losses)) if losses else 0


def _save(file: Path, variables: Sequence[keras.Variable], **notes: Any) -> None:
    arrays = {str(index): keras.ops.convert_to_numpy(variable) for index, variable in enumerate(variables)}
    with replace_on_success(file) as temporary:
        np.savez(temporary, notes=np.array(json.dumps(notes)), **arrays)


def _load(file: Path, variables: Sequence[keras.Variable]) -> dict[str, Any]:
    """Give variables the values that `_save` kept, and return the notes kept with them."""
    with np.load(file, allow_pickle=False) as kept:
        for index, variable in enumerate(variables):
            variable.assign(kept[str(index)])
        notes: dict[str, Any] = json.loads(str(kept["notes"]))
    return notes
