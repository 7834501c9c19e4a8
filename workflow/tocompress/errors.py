"""The one exception that users are meant to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StudyError(Exception):
    """Bad input, in one line: what is wrong, where, and what would be right."""

    def __init__(self, message: str) -> None:
        # Names out of files, and what other libraries say of these, may hold anything.
        line = " ".join(message.split())
        super().__init__(
            "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)
        )


@contextmanager
def about(file: str | Path) -> Iterator[None]:
    """Name the file that is wrong, where what finds out does not know it."""
    try:
        yield
    except StudyError as error:
        raise StudyError(f"{file}: {error}") from error
