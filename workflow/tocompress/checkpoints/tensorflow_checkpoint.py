"""TensorFlow checkpoints, V2 (`.index` and `.data-*`) or V1 (a single file), by variable name."""

from __future__ import annotations

import gzip
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from tocompress.checkpoints import checkpoint_v1, checkpoint_v2
from tocompress.checkpoints.foreign import refuse_foreign, refuse_objects
from tocompress.checkpoints.prefix import files_of, index_of, prefix_of
from tocompress.checkpoints.stored import Stored
from tocompress.checkpoints.table import DAMAGE
from tocompress.errors import StudyError
from tocompress.files import replace_on_success

#: V1 files, as they are published and as a training writes them.
_V1 = re.compile(r".*\.ckpt(-\d+)?(-\d{5}-of-\d{5})?")
_NOT_READABLE = "not a readable TensorFlow checkpoint, get all of it again"


def find(path: Path, name: str | None = None) -> Path:
    """The prefix of the checkpoint in the folder `path` or below it, or that `path` is, or is a file of.

    `name`: the last part of the prefix or the name of a file of it, needed where a folder holds several checkpoints.
    StudyError lists what was found when that is not exactly one.
    """
    if not path.is_dir():
        return prefix_of(path)
    files = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
    prefixes = {prefix_of(file) for file in files if file.suffix == ".index" or _V1.fullmatch(file.name)}
    found = prefixes
    if name is not None:
        found = {prefix for prefix in prefixes if prefix.name == name}
        found |= {prefix_of(file) for file in files if file.name == name}
    if not prefixes:
        refuse_foreign(path)
    if len(found) != 1:
        wanted = "exactly one checkpoint" if name is None else f"one checkpoint named '{name}'"
        listed = ", ".join(sorted(str(prefix.relative_to(path)) for prefix in prefixes)) or "none"
        raise StudyError(f"{path}: expected {wanted}; the checkpoints in it: {listed}")
    return found.pop()


def shapes(prefix: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every variable; a StudyError where the files are damaged."""
    return {name: variable.shape for name, variable in _stored(prefix).items()}


def read(prefix: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The variables named in `expected`, in its order and with the stored dtype, mapped from the file; no others.

    StudyError names a variable that is missing or has another shape than `expected` says, or a damaged file.
    """
    stored = _stored(prefix)
    _check(prefix, expected, {name: variable.shape for name, variable in stored.items()})
    return {name: _values(name, stored[name]) for name in expected}


def _stored(prefix: Path) -> dict[str, Stored]:
    if (index := index_of(prefix)).is_file():
        return _variables(index, lambda _: checkpoint_v2.variables(prefix))
    files = files_of(prefix)
    return {name: stored for file in files for name, stored in _variables(file, checkpoint_v1.variables).items()}


def _variables(file: Path, read: Callable[[Path], dict[str, Stored]]) -> dict[str, Stored]:
    try:
        return read(file)
    except (*DAMAGE, OSError) as error:
        if not isinstance(error, OSError):
            refuse_foreign(file)
        raise StudyError(f"{file}: {_reason(error)}; {_NOT_READABLE}") from error


def _values(name: str, variable: Stored) -> np.ndarray:
    try:
        return variable.read()
    except (*DAMAGE, OSError) as error:
        raise StudyError(f"{variable.file}: '{name}': {_reason(error)}; {_NOT_READABLE}") from error


def _reason(error: Exception) -> str:
    match error:
        case OSError():
            return f"{error.strerror}"
        case ValueError():
            return str(error)
        case _:
            return "damaged"


def write(prefix: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write `tensors` as a V2 checkpoint; the same tensors give the same bytes.

    Read back by `read`, `tf.train.load_checkpoint` and TensorFlow 1's `Saver`.
    """
    import tensorflow as tf

    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tensors[name] for name in names],
    )


def archive(prefix: Path, destination: Path, others: Sequence[Path] = ()) -> None:
    """Pack the checkpoint's files and `others` as a flat .tar.gz, like TF-Slim's; equal files give equal bytes."""
    files = [*files_of(prefix), *others]
    with (
        replace_on_success(destination) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for file in sorted(files, key=lambda file: file.name):
            member = tarfile.TarInfo(file.name)
            member.size = file.stat().st_size
            with open(file, "rb") as content:
                tar.addfile(member, content)


def _check(prefix: Path, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    missing = [name for name in expected if name not in found]
    if missing:
        refuse_objects(prefix, found)
        nearest = [f"'{name}' {found[name]}" for name in get_close_matches(missing[0], found)]
        raise StudyError(
            f"{prefix}: lacks {len(missing)} of {len(expected)} expected variables, the first: '{missing[0]}' "
            f"{tuple(expected[missing[0]])}; the nearest in the file: {', '.join(nearest) or 'none'}"
        )
    for name, shape in expected.items():
        if found[name] != tuple(shape):
            raise StudyError(f"{prefix}: '{name}' has the shape {found[name]}, expected {tuple(shape)}")
