"""What is read is data: no source unpickles it or trusts a server unseen. Ruff's rules S say the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = sorted(file for folder in ("workflow", "benchmarks") for file in (REPOSITORY / folder).rglob("*.py"))

#: To read with them is to run what is read.
UNPICKLERS = {"_pickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}

#: What turns a check off: of arrays and models that are read, and of a server's certificate.
UNCHECKED = {("allow_pickle", True), ("safe_mode", False), ("check_hostname", False)}
UNSAFE = {"CERT_NONE", "enable_unsafe_deserialization"}


def complaints(source: str) -> list[str]:
    return [complaint for node in ast.walk(ast.parse(source)) for complaint in complaints_of(node)]


def complaints_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names if alias.name.partition(".")[0] in UNPICKLERS)
        case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in UNPICKLERS:
            yield module
        case ast.Attribute(attr=name) | ast.alias(name=name) if name in UNSAFE:
            yield name
        case (
            ast.keyword(arg=str(name), value=ast.Constant(value=bool(value)))
            | ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Constant(value=bool(value)))
        ) if (name, value) in UNCHECKED:
            yield f"{name}={value}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import json, pickle", ["pickle"]),
        ("def f():\n    from joblib.numpy_pickle import load", ["joblib.numpy_pickle"]),
        ("np.load(path, allow_pickle=True)", ["allow_pickle=True"]),
        ("context.check_hostname = False", ["check_hostname=False"]),
        ("context.verify_mode = ssl.CERT_NONE", ["CERT_NONE"]),
        ("from ssl import CERT_NONE", ["CERT_NONE"]),
        ("keras.models.load_model(path, safe_mode=False)", ["safe_mode=False"]),
        ("import pickles\nnp.load(path, allow_pickle=False, mmap_mode='r')", []),
    ],
)
def test_what_runs_or_trusts_what_it_reads_is_seen(source: str, found: list[str]) -> None:
    assert complaints(source) == found


def test_no_source_runs_or_trusts_what_it_reads() -> None:
    found = {str(file.relative_to(REPOSITORY)): complaints(file.read_text(encoding="utf-8")) for file in SOURCES}
    assert len(found) > 100
    assert {file: said for file, said in found.items() if said} == {}
