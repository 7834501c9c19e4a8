"""Turn the facts of a session into the keys and texts of its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flat(prefix: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings as one mapping, with keys joined by slashes."""

    def walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from walk(f"{path}/{key}", inner)
        elif not path.endswith("/record"):
            yield path, value

    return dict(walk(prefix, entries))


def text_of(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case tuple() | list():
            return "; ".join(map(str, value))
        case _:
            return str(value)
