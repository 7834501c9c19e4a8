"""The one exception that users are meant to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StudyError(Exception):
    """Bad input, in one line: the fault, its place, and the right input."""

    def __init__(self, message: str) -> None:
        # Names from files, and messages of other libraries about them, may hold any character.
        line = " ".join(message.split())
        super().__init__(
            "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)
        )


@contextmanager
def about(file: str | Path) -> Iterator[None]:
    """Begin a StudyError with the name of the wrong file, which the code that raises it does not know."""
    try:
        yield
    except StudyError as error:
        raise StudyError(f"{file}: {error}") from error
