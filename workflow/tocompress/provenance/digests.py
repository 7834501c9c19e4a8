"""Digest the code that a job runs: the definitions that its script reaches, and the versions of their libraries.

Snakemake sees that a script was touched, but not that a function it calls was edited. Jobs carry these digests as
parameters instead, so that exactly the jobs that a change reaches are due again.

A definition is a function, a class or a constant at the top level of a module. A script reaches the definitions that it
names, and the definitions that these name in turn, in annotations too. A name counts wherever it stands, so a local
variable counts as the definition of the same name. An import runs a module's other statements, so they always count.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tocompress.provenance.source import STATEMENTS, Source, parse, root

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent / "scripts"

#: The distributions of packages that are imported by another name.
_DISTRIBUTIONS = {
    "PIL": ("pillow",),
    "ai_edge_litert": ("ai-edge-litert",),
    "google": ("protobuf",),
    "sklearn": ("scikit-learn",),
    "subword_nmt": ("subword-nmt",),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    "yaml": ("pyyaml",),
}

#: Modules that no result depends on.
_ASIDE = {LIBRARY / "errors.py", LIBRARY / "running.py", *(LIBRARY / "provenance").glob("*.py")}

#: A file, and the name of a definition in it.
Place = tuple[Path, str]
#: The name that stands for all definitions of a module.
_ALL = "*"


def code_digest(script: str, *modules: str) -> str:
    """Return the digest of all definitions that a script of workflow/scripts/ and further `modules` reach.

    The source does not show modules that are imported by name at run time, such as a network or a figure. Name them, as
    in "tocompress.models.vgg". A file of data counts where a definition names it. Comments, docstrings, layout and the
    module of a definition do not count.
    """
    return _sha256(sorted({_digest(*place) for place in reached(script, *modules)}))[:16]


@cache
def environment(script: str, *modules: str) -> str:
    """Return the pins of all third-party libraries that the same definitions name, as `numpy==2.3.1`, in a line."""
    return " ".join(sorted(map(_pin, libraries(script, *modules))))


def libraries(script: str, *modules: str) -> set[str]:
    """Return the third-party packages that the same definitions name, as the source names them."""
    named = {name for place in reached(script, *modules) for _, name in _definition(*place).foreign}
    return set(map(root, named)) - sys.stdlib_module_names


@cache
def reached(script: str, *modules: str) -> frozenset[Place]:
    """Return the places of all definitions that a script and further `modules` reach, their own included."""
    waiting = [(SCRIPTS / script, _ALL), *(place for module in modules for place in _places(module))]
    found: set[Place] = set()
    while waiting:
        place = waiting.pop()
        if place not in found and place[0] not in _ASIDE:
            found.add(place)
            waiting += [used for _, used in _definition(*place).ours]
    return frozenset(found)


@cache
def _digest(file: Path, name: str) -> str:
    """Return the digest of a definition's text and of the meanings of its names."""
    definition = _definition(file, name)
    ours = ((used, _definition(*place).text) for used, place in definition.ours if used and place[0] not in _ASIDE)
    return _sha256([definition.text, *sorted(f"{used}={meaning}" for used, meaning in {*ours, *definition.foreign})])


@dataclass(frozen=True)
class _Definition:
    """The parts of a definition that count: the digest of its name and code, and its names with their meanings."""

    text: str
    ours: set[tuple[str, Place]]  # an empty name: statements that ran before
    foreign: set[tuple[str, str]]


@cache
def _definition(file: Path, name: str) -> _Definition:
    if file.suffix != ".py":
        content = file.read_text(encoding="utf-8")
        return _Definition(_sha256([content]), _data({*re.findall(r'"([^"]*)"', content)}), set())
    module = parse(file)
    source = module.definitions.get(name, Source())
    names = {*source.names, *source.imports}
    if name == _ALL:
        names |= {*module.definitions, *module.imports}
    meanings = {
        (used, target + used.removeprefix(root(used)))
        for used in names
        for imports in (module.imports, source.imports)
        for target in imports.get(root(used), ())
    }
    ours = _data(source.texts) | {("", place) for place in _run_before(file, name)}
    ours |= {(used, (file, root(used))) for used in names if root(used) in module.definitions}
    ours |= {(used, place) for used, meaning in meanings for place in _places(meaning)}
    if name == STATEMENTS:
        meanings |= {(alias, target) for alias in module.unnamed for target in module.imports[alias]}
    foreign = {(used, meaning) for used, meaning in meanings if root(meaning) != LIBRARY.name}
    return _Definition(_sha256([name, source.text]), ours, foreign)


def _run_before(file: Path, name: str) -> set[Place]:
    """Return the statements that run before a definition. For a whole package, add all of its modules."""
    module, is_package = parse(file), file.name == "__init__.py"
    if name == _ALL:
        below = file.parent.rglob("*.py") if is_package else ()
        return {(file, STATEMENTS), *((other, _ALL) for other in below if other != file)}
    imports = module.imports if name == STATEMENTS else module.definitions[name].imports
    imported = (_file(target)[0] for targets in imports.values() for target in targets)
    above = file.parents[is_package] / "__init__.py"
    return {(other, STATEMENTS) for other in (file, above, *imported) if other and other.is_file()}


@cache
def _places(dotted: str) -> frozenset[Place]:
    """Return our definitions that a dotted name stands for, through any number of imports."""
    file, rest = _file(dotted)
    if file is None:
        return frozenset()
    name, *more = rest or [_ALL]
    module = parse(file)
    if name in module.definitions:
        return frozenset({(file, name)})
    further = (".".join([target, *more]) for target in module.imports.get(name, ()))
    return frozenset(place for target in further for place in _places(target)) or frozenset({(file, _ALL)})


@cache
def _file(dotted: str) -> tuple[Path | None, list[str]]:
    """Return our module that a dotted name begins with, and the rest of the name."""
    parts = dotted.split(".")
    for length in range(len(parts) if parts[0] == LIBRARY.name else 0, 0, -1):
        path = LIBRARY.joinpath(*parts[1:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return file, parts[length:]
    return None, parts


def _data(texts: Set[str]) -> set[tuple[str, Place]]:
    """Return the files of the library that are no modules and whose names are among `texts`."""
    return {(file.name, (file, STATEMENTS)) for file in _data_files() if file.name in texts}


@cache
def _data_files() -> tuple[Path, ...]:
    return tuple(file for file in LIBRARY.rglob("*.*") if file.suffix not in (".py", ".pyc") and file.is_file())


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def _pin(name: str) -> str:
    for distribution in _DISTRIBUTIONS.get(name, (name,)):
        try:
            return f"{distribution}=={version(distribution)}"
        except PackageNotFoundError:
            continue
    return f"{name}==absent"
