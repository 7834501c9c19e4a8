"""Digests of what a job runs: of the code its script reaches, and of the versions of the libraries that code imports.

Snakemake sees that a script was touched, but not that a module it imports was edited. Jobs carry these digests as
parameters instead, so that exactly the jobs that a change reaches are due again.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent / "scripts"

#: Distributions not called what one imports.
_DISTRIBUTIONS = {
    "PIL": ("pillow",),
    "google": ("protobuf",),
    "google_crc32c": ("google-crc32c",),
    "sklearn": ("scikit-learn",),
    "subword_nmt": ("subword-nmt",),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    "yaml": ("pyyaml",),
}

#: Modules that no result depends on.
_ASIDE = {LIBRARY / "errors.py", LIBRARY / "running.py", *(LIBRARY / "provenance").glob("*.py")}


def code_digest(script: str, *modules: str) -> str:
    """The digest of a script of workflow/scripts/, of what it reaches of the library, and of further `modules`.

    Modules that are imported by name at run time (a network, a figure) are not seen in the source: name them, as in
    "tocompress.models.vgg". Files that are no modules count where one that counts names them and stands in a folder
    above. Comments, docstrings and layout do not count.
    """
    digest = hashlib.sha256()
    for file in _closure(script, modules):
        digest.update(f"{file.name}:{_source(file).digest}\n".encode())
    return digest.hexdigest()[:16]


def environment_digest(script: str, *modules: str) -> str:
    """The digest of the versions of all third-party libraries that the same code imports."""
    pins = sorted(map(_pin, libraries(script, *modules)))
    return hashlib.sha256("\n".join(pins).encode()).hexdigest()[:16]


def versions(script: str, *modules: str) -> dict[str, str]:
    """The version of each of these libraries, by its name in the index; of one that is absent, an empty text."""
    pins = (_pin(name).partition("==") for name in libraries(script, *modules))
    return {name.removesuffix(": absent"): version for name, _, version in pins}


def libraries(script: str, *modules: str) -> set[str]:
    """The third-party packages that the same code imports, as it names them."""
    names = {name.split(".")[0] for file in _closure(script, modules) for name in _source(file).imports}
    return names - sys.stdlib_module_names - {LIBRARY.name}


@cache
def _closure(script: str, modules: tuple[str, ...]) -> list[Path]:
    reached = set(_ASIDE)
    waiting = [SCRIPTS / script, *(file for name in modules for file in _files(name))]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            source = _source(file)
            waiting += [*source.data, *(found for name in source.imports for found in _files(name))]
    return sorted(reached - _ASIDE)


@dataclass(frozen=True)
class _Source:
    """What of a file counts."""

    digest: str
    imports: frozenset[str]  # dotted names; of `from a import b` both a and a.b, since b may be a module
    data: tuple[Path, ...]  # files that it names, and that are no modules


@cache
def _source(file: Path) -> _Source:
    content = file.read_bytes()
    below = (other for other in _data_files() if file.parent in other.parents)
    data = tuple(other for other in below if f'"{other.name}"'.encode() in content)
    if file.suffix != ".py":
        return _Source(hashlib.sha256(content).hexdigest(), frozenset(), data)
    tree = ast.parse(content, str(file))
    imports = frozenset(_imports(tree))
    _remove_docstrings(tree)
    return _Source(hashlib.sha256(_text(tree).encode()).hexdigest(), imports, data)


@cache
def _data_files() -> tuple[Path, ...]:
    return tuple(file for file in LIBRARY.rglob("*.*") if file.suffix not in (".py", ".pyc") and file.is_file())


def _imports(node: ast.AST) -> Iterator[str]:
    """What is imported at and below `node`.

    What is imported for type checkers only does not run, so a release of Snakemake, say, makes nothing due.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in _statements(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield from _imports(child)


def _remove_docstrings(node: ast.AST) -> None:
    if (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    ):
        del node.body[0]
    for child in _statements(node):
        _remove_docstrings(child)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """What is a statement, or holds some, directly below `node`."""
    kinds = (ast.stmt, ast.excepthandler, ast.match_case)
    return (child for child in ast.iter_child_nodes(node) if isinstance(child, kinds))


def _text(node: object) -> str:
    """A tree in words. Not those of `ast.dump`, which differ between versions of Python."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name in node._fields if (value := getattr(node, name)) not in (None, []))
        return f"{type(node).__name__}({','.join(f'{name}={_text(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_text, node))}]"
    return repr(node)


@cache
def _files(module: str) -> tuple[Path, ...]:
    """The files of ours behind a dotted name: the module and the packages above it."""
    parts = module.split(".")
    if parts[0] != LIBRARY.name:
        return ()
    packages = [LIBRARY.joinpath(*parts[1:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    candidates = [*packages, LIBRARY.joinpath(*parts[1:]).with_suffix(".py")]
    return tuple(file for file in candidates if file.is_file())


@cache
def _pin(name: str) -> str:
    for distribution in _DISTRIBUTIONS.get(name, (name,)):
        try:
            return f"{distribution}=={version(distribution)}"
        except PackageNotFoundError:
            continue
    return f"{name}: absent"
