"""The base of all sections of the config, and the types that they share."""

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
    """A section of the config. It is immutable and takes no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def canonical(self, **kept: Any) -> str:
        """Return the canonical JSON text of this section. A job's parameters hold it, so only a real change counts."""
        return json.dumps(self.model_dump(mode="json", **kept), sort_keys=True, separators=(",", ":"))


T = TypeVar("T")


def _each_once(entries: tuple[T, ...]) -> tuple[T, ...]:
    for entry in entries:
        if entries.count(entry) > 1:
            raise ValueError(f"'{entry}' is given twice; name each once")
    return entries


#: Makes a list refuse an entry that is given twice.
ONCE = AfterValidator(_each_once)

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
#: The name of a device, with the power mode that it is measured in, if there is one.
Measured = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(@[A-Za-z0-9][A-Za-z0-9_.-]*)?$", max_length=129)]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def check_keys(path: str | Path) -> None:
    """Raise a StudyError where a mapping in a YAML file holds a key twice. Readers of YAML drop the first silently."""
    nodes: list[yaml.Node | None] = []
    with suppress(yaml.YAMLError):  # JSON may hold tabs, which YAML forbids
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
    """A file to download, and the digest that proves it is the right one."""

    url: str = Field(description="address of the file (https:, http: or file:), or a path from the repository's root")
    sha256: Sha256 | None = Field(
        None,
        description="digest of the file at `url`, checked before use. With null, the content is checked against known"
        " facts, and a later download must have the digest of the first",
    )
    mirrors: tuple[str, ...] = Field((), description="further addresses of the same file, tried in order")

    @model_validator(mode="after")
    def _can_be_fetched(self) -> Download:
        for address in (self.url, *self.mirrors):
            _check_address(address)
        return self


def _check_address(address: str) -> None:
    """Raise a ValueError where nothing can be fetched from an address. The message shows no secret of the address."""
    if not address.isprintable():
        raise ValueError("an address of printable characters is needed")
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise ValueError("an address with a user or a password in it, which results would show; fetch the file by hand")
    if "://" in address and parts.scheme not in ("https", "http", "file"):
        raise ValueError(f"'{parts.scheme}:' is no address that can be fetched; https:, http: and file: are")
    if parts.scheme in ("https", "http") and not parts.hostname:
        raise ValueError(f"'{address}' names no server; https://server/file is needed")
