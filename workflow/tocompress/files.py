"""Write files whole or not at all, and digest files."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocompress.errors import StudyError


@contextmanager
def replace_on_success(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` that replaces it only when the block ends well: whole or not at all.

    It overwrites a file that a killed process left. Raise StudyError where the disk is full or cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        # An error without a number is of a damaged archive, and an error that names another file is of reading it.
        if error.errno is None or error.filename not in (None, str(temporary), str(path.parent)):
            raise
        raise StudyError(f"{path}: cannot be written: {unmet(error)}") from error


@contextmanager
def replace_folder_on_success(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that replaces it only when the block ends well: whole or not at all."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def unmet(error: OSError) -> str:
    """Return the system's message without its number, and the remedy."""
    said = os.strerror(error.errno) if error.errno else str(error)
    return f"{said}; the same command goes on once that is mended"


def digest(path: str | Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def check_digest(path: str | Path, expected: str | None, algorithm: str = "sha256") -> None:
    """Raise StudyError where a digest is expected and the file has another one."""
    if expected is None:
        return
    try:
        found = digest(path, algorithm)
    except OSError as error:
        raise StudyError(f"{path}: not readable ({error.strerror})") from error
    if found != expected:
        raise StudyError(
            f"{path}: expected the {algorithm} {expected}, found {found}; get the file again, or correct the config"
        )
