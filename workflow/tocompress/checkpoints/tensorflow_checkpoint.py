"""TensorFlow checkpoints, V2 (`.index` and `.data-*`) or V1 (a single file), by variable name."""

from __future__ import annotations

import gzip
import re
import tarfile
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from tocompress.checkpoints import checkpoint_v1, checkpoint_v2
from tocompress.checkpoints.stored import Stored
from tocompress.checkpoints.table import DAMAGE
from tocompress.errors import StudyError
from tocompress.files import replace_on_success

#: V1 files, as they are published and as a training writes them.
_SINGLE = re.compile(r".*\.ckpt(-\d+)?")
_NOT_READABLE = "not a readable TensorFlow checkpoint, get all of it again"


def find(path: Path, name: str | None = None) -> Path:
    """The prefix of the checkpoint in the folder `path` or below it, or at `path` itself.

    A prefix is what TensorFlow calls the path without `.index`, or of a V1 file. `name`: the prefix's last part, needed
    where a folder holds several checkpoints. StudyError lists what was found when that is not exactly one.
    """
    if not path.is_dir():
        if path.is_file() or _index(path).is_file():
            return path.with_suffix("") if path.suffix == ".index" else path
        raise StudyError(f"{path}: no such file, folder or checkpoint prefix")
    indices = [file.with_suffix("") for file in path.rglob("*.index")]
    single_files = [file for file in path.rglob("*") if file.is_file() and _SINGLE.fullmatch(file.name)]
    prefixes = sorted({prefix for prefix in (*indices, *single_files) if not prefix.name.startswith(".")})
    found = [prefix for prefix in prefixes if name is None or prefix.name == name]
    if len(found) != 1:
        wanted = "exactly one checkpoint" if name is None else f"one checkpoint named '{name}'"
        listed = ", ".join(str(prefix.relative_to(path)) for prefix in prefixes) or "none"
        raise StudyError(f"{path}: expected {wanted}; the checkpoints in it: {listed}")
    return found[0]


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
    index = _index(prefix)
    file, variables = (index, checkpoint_v2.variables) if index.is_file() else (prefix, checkpoint_v1.variables)
    try:
        return variables(prefix)
    except (*DAMAGE, OSError) as error:
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


def files_of(prefix: Path) -> list[Path]:
    """The files that make up the checkpoint `prefix`, sorted by name."""
    if _index(prefix).is_file():
        return sorted([*prefix.parent.glob(f"{prefix.name}.data-*-of-*"), _index(prefix)])
    if prefix.is_file():
        return [prefix]
    raise StudyError(f"{prefix}: no such checkpoint")


def _index(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def _check(prefix: Path, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    missing = [name for name in expected if name not in found]
    if missing:
        nearest = [f"'{name}' {found[name]}" for name in get_close_matches(missing[0], found)]
        raise StudyError(
            f"{prefix}: lacks {len(missing)} of {len(expected)} expected variables, the first: '{missing[0]}' "
            f"{tuple(expected[missing[0]])}; the nearest in the file: {', '.join(nearest) or 'none'}"
        )
    for name, shape in expected.items():
        if found[name] != tuple(shape):
            raise StudyError(f"{prefix}: '{name}' has the shape {found[name]}, expected {tuple(shape)}")
