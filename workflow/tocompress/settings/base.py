"""What all sections of the config have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tocompress.errors import StudyError


class Settings(BaseModel):
    """A section of the config: no unknown keys, immutable, with one canonical text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def canonical(self, **kept: Any) -> str:
        """The one JSON text of this section: what a job's parameters hold, so that only a real change is seen."""
        return json.dumps(self.model_dump(mode="json", **kept), sort_keys=True, separators=(",", ":"))


T = TypeVar("T")


def _each_once(entries: tuple[T, ...]) -> tuple[T, ...]:
    for entry in entries:
        if entries.count(entry) > 1:
            raise ValueError(f"'{entry}' is given twice; name each once")
    return entries


#: For a list in which nothing stands twice.
ONCE = AfterValidator(_each_once)

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def check_keys(path: str | Path) -> None:
    """A StudyError where a mapping in a file of YAML holds a key twice: whoever reads it drops the first."""
    nodes: list[yaml.Node | None] = []
    with suppress(yaml.YAMLError):  # JSON may hold tabs
        nodes.append(yaml.compose(Path(path).read_text(encoding="utf-8"), yaml.CSafeLoader))
    seen = set[int]()
    while nodes:
        node = nodes.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))  # aliases may make a loop
        if isinstance(node, yaml.MappingNode):
            _check_mapping(path, (key for key, _ in node.value))
            nodes.extend(value for _, value in node.value)
        else:
            nodes.extend(node.value)


def _check_mapping(path: str | Path, keys: Iterable[yaml.Node]) -> None:
    lines: dict[str, int] = {}
    for key in keys:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            continue
        line = key.start_mark.line + 1
        if first := lines.get(key.value):
            raise StudyError(f"{path}, line {line}: '{key.value}' stands in line {first} as well; keep one of the two")
        lines[key.value] = line


class Download(Settings):
    """Where a file is, and how it is known to be the right one."""

    url: str = Field(description="https:, http: or file: address, or a path from the repository's root")
    sha256: Sha256 | None = Field(
        None,
        description="digest of what stands at `url`, checked before use; null: what is read from it is checked against"
        " what is known of it, and a later download has to have the digest of the first",
    )
    mirrors: tuple[str, ...] = Field((), description="further addresses of the same file, tried in order")

    @model_validator(mode="after")
    def _can_be_fetched(self) -> Download:
        for address in (self.url, *self.mirrors):
            _check_address(address)
        return self


def _check_address(address: str) -> None:
    """A ValueError, which holds no secret of it, where nothing can be at an address."""
    if not address.isprintable():
        raise ValueError("an address of printable characters is needed")
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise ValueError("an address with a user or a password in it, which results would show; fetch the file by hand")
    if "://" in address and parts.scheme not in ("https", "http", "file"):
        raise ValueError(f"'{parts.scheme}:' is no address that can be fetched; https:, http: and file: are")
    if parts.scheme in ("https", "http") and not parts.hostname:
        raise ValueError(f"'{address}' names no server; https://server/file is needed")
