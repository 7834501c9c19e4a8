"""Read a model's uncompressed weights from its checkpoint, or draw them at random."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from tocompress.archives import is_archive, unpack
from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.checkpoints.alone import alone
from tocompress.data.subwords import Vocabulary
from tocompress.errors import StudyError, about
from tocompress.files import check_digest
from tocompress.models import registry
from tocompress.settings.model import Checkpoint, NetworkModel, TranslationModel
from tocompress.vocabulary.variants import BASELINE
from tocompress.weights import ModelMetadata, Weights, check_numbers, write_weights

Files = Sequence[str | Path]
Shapes = Mapping[str, tuple[int, ...]]


def acquire(name: str, model: NetworkModel, path: Path, *, checkpoint: Files = (), vocabularies: Files = ()) -> None:
    """Write the weights of the model called `name` to `path`.

    `checkpoint`: the files of its checkpoint, or their archive or folder. Without any, the weights are initial ones.
    `vocabularies`: the files of source and target subwords in the training of a translation model's checkpoint.
    """
    if isinstance(model, TranslationModel) and vocabularies:
        model = with_vocabularies(model, *vocabularies)
    if not checkpoint:
        write_weights(path, initial(model), metadata(name, model))
        return
    try:
        alone(convert, name, model.model_dump_json(), str(path), *map(str, checkpoint), file=str(checkpoint[0]))
    finally:
        for folder in path.parent.glob(f"*{_scratch(path).name}*"):
            shutil.rmtree(folder)


def convert(name: str, settings: str, path: str, *files: str) -> None:
    """Write the weights of the checkpoint in `files` to `path`. `settings` is JSON of the model."""
    model: NetworkModel = TypeAdapter(NetworkModel).validate_json(settings)
    weights = imported(model, files, _scratch(Path(path)))
    write_weights(path, weights, metadata(name, model))


def _scratch(path: Path) -> Path:
    """Return the folder for an unpacked archive: beside the weights, where there is room for them."""
    return path.with_name(f".{path.stem}.unpacked")


def with_vocabularies(model: TranslationModel, source: str | Path, target: str | Path) -> TranslationModel:
    """Return the model with its open sizes filled in from the files of its vocabularies."""
    sizes = {
        "source_vocabulary": model.source_vocabulary or len(Vocabulary.read(Path(source))),
        "target_vocabulary": model.target_vocabulary or len(Vocabulary.read(Path(target))),
    }
    return model.model_copy(update=sizes)


def initial(model: NetworkModel) -> Weights:
    """Return the random weights of `model.seed`."""
    from tocompress.models import keras_alone  # noqa: F401
    from tocompress.tasks.networks import initial_network

    return values(initial_network(model, model.seed)[1])


def imported(model: NetworkModel, files: Files, scratch: Path) -> Weights:
    """Return the weights of a TensorFlow checkpoint, by exact name. Its other variables are ignored.

    `files`: the checkpoint's files, archive, or folder. An archive is unpacked to the new folder `scratch`.
    Raise StudyError for another digest than in the config, a missing variable, another shape, or values that no network
    can have.
    """
    assert model.checkpoint is not None  # else there were no files
    try:
        return _read(model, _prefix(model.checkpoint, [Path(file) for file in files], scratch))
    except StudyError as error:
        # The folder of the unpacked archive is gone, so the error names the archive.
        raise StudyError(str(error).replace(str(scratch), str(files[0]))) from error


def _read(model: NetworkModel, prefix: Path) -> Weights:
    from tocompress.models.keras_alone import keras
    from tocompress.tasks.networks import initial_network

    shapes = tensorflow_checkpoint.shapes(prefix)
    with keras.StatelessScope(initialize_variables=False):
        expected = {name: tuple(variable.shape) for name, variable in initial_network(model, model.seed)[1].items()}
    if isinstance(model, TranslationModel):
        _check_vocabularies(prefix, expected, shapes)
    ignored = sorted(shapes.keys() - expected.keys())
    print(f"{prefix.name}: {len(expected)} variables; ignored: {', '.join(ignored) or 'none'}", file=sys.stderr)
    weights = values(tensorflow_checkpoint.read(prefix, expected))
    with about(prefix):
        check_numbers(weights)
    return weights


def _check_vocabularies(prefix: Path, expected: Shapes, found: Shapes) -> None:
    gnmt = registry.module("gnmt")
    for side, name in (("source", gnmt.SOURCE_EMBEDDING), ("target", gnmt.TARGET_EMBEDDING)):
        if name in found and found[name][0] != expected[name][0]:
            raise StudyError(
                f"{prefix.name}: was trained with {found[name][0]} {side} subwords, but the config or the vocabulary"
                f" has {expected[name][0]}: one of another training run means another subword by every number; name the"
                " vocabulary that belongs to the checkpoint"
            )


def _prefix(checkpoint: Checkpoint, files: Sequence[Path], scratch: Path) -> Path:
    """Return the checkpoint's prefix. It is in `scratch` if an archive was unpacked."""
    first = files[0]
    if len(files) == 1 and first.is_file():
        check_digest(first, checkpoint.sha256)
    if len(files) == 1 and first.is_file() and is_archive(first):
        shutil.rmtree(scratch, ignore_errors=True)  # a killed process may have left it
        unpack(first, scratch)
        return tensorflow_checkpoint.find(scratch, checkpoint.file)
    index = next((file for file in files if file.suffix == ".index"), first)
    return tensorflow_checkpoint.find(index, checkpoint.file)


def values(named: dict[str, Any]) -> Weights:
    """Return variables as float32 arrays."""
    return {name: np.asarray(variable, np.float32) for name, variable in named.items()}


def metadata(name: str, model: NetworkModel) -> ModelMetadata:
    """Return the metadata of the uncompressed model's weights file."""
    sizes = ("shape", "classes", "source_vocabulary", "target_vocabulary")
    return ModelMetadata(
        model=name,
        network=model.network,
        variant=BASELINE,
        trained=model.trained,
        width=model.width,
        **{size: getattr(model, size) for size in sizes if hasattr(model, size)},
    )
