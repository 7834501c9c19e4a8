"""Find the files of a TensorFlow checkpoint by their common prefix, the path without `.index` or other endings.

A checkpoint of V2 is `PREFIX.index` and `PREFIX.data-*`. A checkpoint of V1 is `PREFIX` or several `PREFIX-*-of-*`.
"""

from __future__ import annotations

import re
from glob import escape
from pathlib import Path

from tocompress.errors import StudyError

#: A file of a checkpoint. `.meta` holds the training graph, and question marks stand for all files of V1.
_FILE = re.compile(r"(.+?)(\.index|\.meta|(\.data)?-[\d?]{5}-of-\d{5})")
#: The line that TensorFlow writes first into the file `checkpoint` of a folder.
_LAST = re.compile(r"""^model_checkpoint_path:\s*(["'])(.+)\1""", re.MULTILINE)
_LONGEST_PATH = 1 << 16  # bytes


def prefix_of(path: Path) -> Path:
    """Return the prefix of the checkpoint at `path`, which is its prefix or one of its files.

    For the file `checkpoint` of a folder, return the newest prefix that it names. Raise StudyError where there is none.
    """
    if path.name == "checkpoint" and path.is_file():
        return _last_named_in(path)
    prefix = _without_ending(path)
    files_of(prefix)
    return prefix


def files_of(prefix: Path) -> list[Path]:
    """Return the files of the checkpoint `prefix`, sorted by name. Raise StudyError where there are none."""
    if files := _files(prefix):
        return files
    if any(_without_ending(file) == prefix for file in prefix.parent.glob(f"{escape(prefix.name)}?*")):
        raise StudyError(
            f"{prefix}: of its files, '{prefix.name}.index' is not there; not a readable TensorFlow checkpoint, get all"
            " of it again"
        )
    raise StudyError(
        f"there is no file, folder or checkpoint prefix '{prefix}'; name an existing one, from {Path.cwd()}"
    )


def index_of(prefix: Path) -> Path:
    """Return the file that lists the variables of a V2 checkpoint."""
    return prefix.with_name(f"{prefix.name}.index")


def _files(prefix: Path) -> list[Path]:
    name = escape(prefix.name)
    if (index := index_of(prefix)).is_file():
        return sorted([index, *prefix.parent.glob(f"{name}.data-*-of-*")])
    number = 5 * "[0-9]"
    return [prefix] if prefix.is_file() else sorted(prefix.parent.glob(f"{name}-{number}-of-{number}"))


def _last_named_in(state: Path) -> Path:
    with state.open("rb") as file:
        named = _LAST.search(file.read(_LONGEST_PATH).decode(errors="replace"))
    if named is None:
        return state
    from google.protobuf.text_encoding import CUnescape  # the plan imports this module, also without protobuf

    path = _without_ending(Path(CUnescape(named[2]).decode(errors="replace")))
    for prefix in (state.parent / path.name, state.parent / path):  # the folder may have moved
        if _files(prefix):
            return prefix
    raise StudyError(f"{state}: names the checkpoint '{path}', which is not there; name the prefix of one that is")


def _without_ending(path: Path) -> Path:
    part = _FILE.fullmatch(path.name)
    return path.with_name(part[1]) if part else path
