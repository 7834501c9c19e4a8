"""A model's uncompressed weights: read from its checkpoint, or drawn at random."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tocompress.archives import is_archive, unpack
from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.data.subwords import Vocabulary
from tocompress.errors import StudyError, about
from tocompress.files import check_digest
from tocompress.models import registry
from tocompress.settings.model import Checkpoint, ModelSettings, TranslationModel
from tocompress.vocabulary.variants import BASELINE
from tocompress.weights import ModelMetadata, Weights, check_numbers, write_weights

if TYPE_CHECKING:
    pass

Files = Sequence[str | Path]
Shapes = Mapping[str, tuple[int, ...]]


def acquire(name: str, model: ModelSettings, path: Path, *, checkpoint: Files = (), vocabularies: Files = ()) -> None:
    """Write the weights of the model called `name` to `path`.

    `checkpoint`: the files of its checkpoint, or an archive or a folder of them; none for initial weights.
    `vocabularies`: the files of source and target subwords, which a checkpoint of a translation model was trained with.
    """
    if isinstance(model, TranslationModel) and vocabularies:
        model = with_vocabularies(model, *vocabularies)
    weights = imported(model, checkpoint, path.with_name(f".{path.stem}.unpacked")) if checkpoint else initial(model)
    write_weights(path, weights, metadata(name, model))


def with_vocabularies(model: TranslationModel, source: str | Path, target: str | Path) -> TranslationModel:
    """The model, with the sizes that its config leaves open taken from the files of its vocabularies."""
    sizes = {
        "source_vocabulary": model.source_vocabulary or len(Vocabulary.read(Path(source))),
        "target_vocabulary": model.target_vocabulary or len(Vocabulary.read(Path(target))),
    }
    return model.model_copy(update=sizes)


def initial(model: ModelSettings) -> Weights:
    """The random weights that `model.seed` gives."""
    from tocompress.tasks.networks import initial_network

    return values(initial_network(model, model.seed)[1])


def imported(model: ModelSettings, files: Files, scratch: Path) -> Weights:
    """The weights of a TensorFlow checkpoint, by exact name; its other variables are ignored.

    `files`: those of the checkpoint, or an archive, which is unpacked as the new folder `scratch`, or a folder that
    holds it. Raises StudyError where it has another digest than the config says, lacks a variable, has it in another
    shape, or has values that no network can have.
    """
    import keras

    from tocompress.tasks.networks import initial_network

    with keras.StatelessScope(initialize_variables=False):
        expected = {name: tuple(variable.shape) for name, variable in initial_network(model, model.seed)[1].items()}
    try:
        return _read(model, [Path(file) for file in files], expected, scratch)
    except StudyError as error:
        # The place where an archive was unpacked says nothing, and is gone.
        raise StudyError(str(error).replace(str(scratch), str(files[0]))) from error
    finally:
        for folder in scratch.parent.glob(f"{scratch.name}*"):  # and what a killed process has left
            shutil.rmtree(folder)


def _read(model: ModelSettings, files: Sequence[Path], expected: Shapes, scratch: Path) -> Weights:
    assert model.checkpoint is not None  # else there were no files
    prefix = _prefix(model.checkpoint, files, scratch)
    shapes = tensorflow_checkpoint.shapes(prefix)
    if isinstance(model, TranslationModel):
        _check_vocabularies(prefix, expected, shapes)
    ignored = sorted(shapes.keys() - expected.keys())
    print(f"{prefix.name}: {len(expected)} variables; ignored: {', '.join(ignored) or 'none'}")
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
    """The checkpoint's prefix, which is in `scratch` where an archive had to be unpacked."""
    first = files[0]
    if len(files) == 1 and first.is_file():
        check_digest(first, checkpoint.sha256)
    if len(files) == 1 and first.is_file() and is_archive(first):
        unpack(first, scratch)
        return tensorflow_checkpoint.find(scratch, checkpoint.file)
    index = next((file for file in files if file.suffix == ".index"), first)
    return tensorflow_checkpoint.find(index, checkpoint.file)


def values(named: dict[str, Any]) -> Weights:
    """Variables as float32 arrays."""
    return {name: np.asarray(variable, np.float32) for name, variable in named.items()}


def metadata(name: str, model: ModelSettings) -> ModelMetadata:
    """What the weights file of the uncompressed model says that it is of."""
    sizes = ("input_size", "classes", "source_vocabulary", "target_vocabulary")
    return ModelMetadata(
        model=name,
        network=model.network,
        variant=BASELINE,
        trained=model.trained,
        width=model.width,
        **{size: getattr(model, size) for size in sizes if hasattr(model, size)},
    )
