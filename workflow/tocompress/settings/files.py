"""Files of YAML that people write, before Snakemake or pydantic sees what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import yaml

from tocompress.errors import StudyError


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
