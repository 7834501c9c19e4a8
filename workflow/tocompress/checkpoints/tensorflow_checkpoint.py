"""Read and write TensorFlow checkpoints by variable name: V2 (`.index` and `.data-*`) or V1 (one or several files)."""

from __future__ import annotations

import gzip
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tocompress.checkpoints.foreign import refuse_foreign, refuse_objects
from tocompress.checkpoints.prefix import files_of, index_of, prefix_of
from tocompress.errors import StudyError
from tocompress.files import replace_on_success

#: V1 files, as published and as written by a training.
_V1 = re.compile(r".*\.ckpt(-\d+)?(-\d{5}-of-\d{5})?")


def find(path: Path, name: str | None = None) -> Path:
    """Return the prefix of the checkpoint `path`, which is a prefix, a file of a checkpoint, or a folder around one.

    `name`: the last part of the prefix or the name of one of its files. It selects one of several in a folder.
    Raise StudyError that lists the checkpoints unless exactly one fits.
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
    """Return the shape of every variable. Raise StudyError that names a damaged file or another kind of file."""
    with _reader(prefix) as reader:
        return _shapes(reader)


def read(prefix: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return the variables named in `expected`, in its order and with the stored dtype, and no others.

    Raise StudyError for a damaged checkpoint, and for a variable that is missing, differs in shape or holds no real
    numbers. TensorFlow aborts the process on some damage, so `acquire` calls this in its own process.
    """
    with _reader(prefix) as reader:
        stored, types = _shapes(reader), reader.get_variable_to_dtype_map()
    _check(prefix, expected, stored)
    for name in expected:
        if not (types[name].is_floating or types[name].is_integer):
            raise StudyError(f"{prefix}: '{name}' is of the type {types[name].name}, expected real numbers")
    with _reader(prefix) as reader:
        # TensorFlow holds a tensor of V1 three times while reading, so the largest come before the memory fills.
        largest_first = sorted(expected, key=lambda name: prod(expected[name]), reverse=True)
        tensors = {name: np.asarray(reader.get_tensor(name)) for name in largest_first}
    return {name: tensors[name] for name in expected}


@contextmanager
def _reader(prefix: Path) -> Iterator[Any]:
    """Yield TensorFlow's reader of a checkpoint. Turn its errors into a StudyError that names the checkpoint."""
    import tensorflow as tf

    # TensorFlow finds the several files of a V1 checkpoint by a pattern.
    sharded = not (prefix.is_file() or index_of(prefix).is_file())
    try:
        # TensorFlow would also take brackets in the name of a folder for a pattern.
        with chdir(prefix.parent):
            yield tf.train.load_checkpoint(f"{prefix.name}-?????-of-?????" if sharded else prefix.name)
    except Exception as error:
        for file in files_of(prefix)[:1]:  # the index, where there is one
            refuse_foreign(file)
        raise StudyError(f"{prefix}: {error}; not a readable TensorFlow checkpoint, get all of it again") from error


def _shapes(reader: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}


def write(prefix: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write `tensors` as a V2 checkpoint. The same tensors give the same bytes.

    `read`, `tf.train.load_checkpoint` and TensorFlow 1's `Saver` can read it.
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
    """Pack the checkpoint's files and `others` as a flat .tar.gz like TF-Slim's. Equal files give equal bytes."""
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
