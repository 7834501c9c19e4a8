"""Digests of what a job runs: of the code its script reaches, and of the versions of the libraries that code imports.

Snakemake sees that a script was touched, but not that a module it imports was edited. Jobs carry these digests as
parameters instead, so that exactly the jobs that a change reaches are due again.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
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


def code_digest(script: str, *modules: str) -> str:
    """The digest of a script of workflow/scripts/, of what it imports of the library, and of further `modules`.

    Modules that are imported by name at run time (a network, a figure) are not seen in the source: name them, as in
    "tocompress.models.vgg". Comments, docstrings and layout do not count.
    """
    digest = hashlib.sha256()
    for file in sorted(_closure(script, modules)):
        digest.update(f"{file.name}:{_module_digest(file)}\n".encode())
    return digest.hexdigest()[:16]


def environment_digest(script: str, *modules: str) -> str:
    """The digest of the versions of all third-party libraries that the same code imports."""
    names = {name for file in _closure(script, modules) for name in _imports(file) if not name.startswith("tocompress")}
    pins = sorted(_pin(name) for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names)
    return hashlib.sha256("\n".join(pins).encode()).hexdigest()[:16]


def _closure(script: str, modules: tuple[str, ...]) -> set[Path]:
    reached: set[Path] = set()
    waiting = [SCRIPTS / script, *(file for name in modules for file in _files(name))]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += [found for name in _imports(file) for found in _files(name)]
    return reached


@cache
def _imports(file: Path) -> frozenset[str]:
    """Dotted names that a module imports; of `from a import b` both a and a.b, since b may be a module.

    What is imported for type checkers only does not run, so a release of Snakemake, say, makes nothing due.
    """

    def names() -> Iterator[str]:
        for node in _running(_tree(file)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    return frozenset(names())


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes at and below `node` but for the blocks `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield from _running(child)


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
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def _module_digest(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def _pin(name: str) -> str:
    for distribution in _DISTRIBUTIONS.get(name, (name,)):
        try:
            return f"{distribution}=={version(distribution)}"
        except PackageNotFoundError:
            continue
    return f"{name}: absent"
