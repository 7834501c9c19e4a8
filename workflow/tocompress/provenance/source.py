"""Read the source of a module without comments, docstrings, layout, and lines for type checkers."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

#: The name that stands for the statements of a module that neither import nor define.
STATEMENTS = ""


@dataclass(frozen=True)
class Source:
    """The content of some statements."""

    text: str = ""
    names: Set[str] = frozenset()  # with their attributes, as in `a.b.c`, in annotations too
    texts: Set[str] = frozenset()  # constants
    imports: Mapping[str, Set[str]] = field(default_factory=dict)  # dotted names, by the name that stands for each


@dataclass(frozen=True)
class Module:
    """The top level of a module."""

    definitions: dict[str, Source]  # by name
    imports: Mapping[str, Set[str]]
    unnamed: set[str]  # imports whose name is never used, which run for their effect


@cache
def parse(file: Path) -> Module:
    """Return the definitions and the imports of a module."""
    statements: dict[str, list[ast.stmt]] = defaultdict(list)
    imports = []
    for statement in _run(ast.parse(file.read_bytes(), str(file)).body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports.append(statement)
        elif not _is_left_out(statement):
            for name in _defined(statement):
                statements[name].append(statement)
    definitions = {name: _read(parts) for name, parts in statements.items()}
    imported = _read([*imports, *statements[STATEMENTS]]).imports
    names = {root(name) for source in definitions.values() for name in source.names}
    return Module(definitions, imported, imported.keys() - names)


def _run(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run: of a branch on TYPE_CHECKING, the other branch."""
    for statement in statements:
        if isinstance(statement, ast.If) and _dotted(statement.test) == "TYPE_CHECKING":
            yield from _run(statement.orelse)
        else:
            yield statement


def _read(statements: list[ast.stmt]) -> Source:
    """Return the content of statements. Their text is the same in all versions of Python, unlike `ast.dump`."""
    names: set[str] = set()
    others: list[ast.AST] = []
    text = _text(statements, names, others)
    constants = (node.value for node in others if isinstance(node, ast.Constant))
    return Source(text, names, {constant for constant in constants if isinstance(constant, str)}, _imports(others))


def root(name: str) -> str:
    """Return the first part of a dotted name."""
    return name.partition(".")[0]


def _defined(statement: ast.stmt) -> list[str]:
    """Return the names that a statement defines, if it does nothing else."""
    if isinstance(statement, _SCOPES):
        return [statement.name]
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    is_all = isinstance(statement, ast.Assign | ast.AnnAssign) and len(names) == len(parts)
    return names if is_all else [STATEMENTS]


def _is_left_out(node: object) -> bool:
    """Return whether a node is a docstring, or for type checkers only."""
    if isinstance(node, ast.If):
        return _dotted(node.test) == "TYPE_CHECKING" and not node.orelse
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _text(node: object, names: set[str], others: list[ast.AST]) -> str:
    """Return a tree in words, and add its dotted names to `names` and its other nodes to `others`."""
    if isinstance(node, list):
        return f"[{','.join([_text(part, names, others) for part in node if not _is_left_out(part)])}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if name := _dotted(node):
        names.add(name)
        return name
    others.append(node)
    fields = [(name, value) for name in node._fields if (value := getattr(node, name)) not in (None, [])]
    return f"{type(node).__name__}({','.join([f'{name}={_text(value, names, others)}' for name, value in fields])})"


def _dotted(node: ast.AST) -> str:
    """Return a name with its attributes, and an empty text for another node."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def _imports(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    """Return the dotted names that are imported, by the name that stands for each."""
    found: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name].add(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or root(alias.name)].add(alias.name if alias.asname else root(alias.name))
    return found
