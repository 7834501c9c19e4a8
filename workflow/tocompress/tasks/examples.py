"""Read, draw and batch the examples that networks learn from, for any task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocompress.errors import StudyError
from tocompress.settings.data import DataSettings
from tocompress.settings.model import ModelSettings
from tocompress.settings.training import Optimization
from tocompress.tasks.classification import batches as classification
from tocompress.tasks.shards import drawn_places
from tocompress.tasks.translation import batches as translation

Examples = classification.Examples | translation.Pairs
Batches = classification.Batches | translation.Batches

_BATCHES: dict[str, Any] = {"classification": classification, "translation": translation}


def read_examples(path: str | Path, model: ModelSettings, data: DataSettings) -> Examples:
    """Return the examples of the split at `path`, as a model learns from them."""
    examples: Examples = _BATCHES[model.task].read_examples(path, model, data)
    return examples


def drawn(examples: Examples, model: ModelSettings, count: int, seed: int, *, section: str, split: str) -> Examples:
    """Return `count` examples, drawn at random, in their order.

    Raise StudyError where the split has fewer examples than the config's `section` asks for.
    """
    available = _BATCHES[model.task].count(examples)
    if count > available:
        raise StudyError(f"{section}: examples is {count}, but the {split} set holds {available}")
    return drawn_at_most(examples, model, count, seed)


def drawn_at_most(examples: Examples, model: ModelSettings, count: int, seed: int) -> Examples:
    """Return `count` examples, drawn at random, in their order, or all where there are fewer."""
    task = _BATCHES[model.task]
    chosen: Examples = task.choose(examples, drawn_places(task.count(examples), count, seed))
    return chosen


def shuffled_batches(examples: Examples, model: ModelSettings, size: int, seed: int) -> Batches:
    """Return the examples in batches in a random order, as the model's network takes them."""
    batches: Batches = _BATCHES[model.task].shuffled_batches(examples, model, size, seed)
    return batches


def training_data(
    model: ModelSettings, settings: Optimization, examples: Examples, validation: Examples
) -> tuple[Batches, Any]:
    """Return the data for `fit`: batches of the examples, and the validation set as the network takes it."""
    data: tuple[Batches, Any] = _BATCHES[model.task].training_data(model, settings, examples, validation)
    return data


def accuracy_of(model: ModelSettings) -> str:
    """Return the name of the accuracy that a batch is judged by: `top1` or `next_token`."""
    name: str = _BATCHES[model.task].ACCURACY
    return name
