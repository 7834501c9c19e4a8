"""Files that are whole or not there, and their digests."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocompress.errors import StudyError


@contextmanager
def replace_on_success(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name only when the block ends well: whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def digest(path: str | Path, algorithm: str = "sha256") -> str:
    """The digest of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def check_digest(path: str | Path, expected: str | None, algorithm: str = "sha256") -> None:
    """A StudyError unless the digest of the file is the one that is known, if any is."""
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
