"""Measure how plainly README, docs and docstrings read, and fail where a figure has risen above its limit.

python docs/prose.py

The limits in prose.yaml may only fall: this prints each one that can. Tables, code and generated pages do not count.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LIMITS = ROOT / "docs/prose.yaml"
GENERATED = {ROOT / "docs/invalidation.md"}
#: Phrases that hide the noun or join two ideas. A question may ask "what".
PHRASES = {"nominal": r"\bwhat\b(?! if\b)(?![^.!?]*\?)", "that_of": r"\b(?:that|those) of\b", "semicolons": r";"}


def main() -> int:
    """Print every figure and return 1 where one is above its limit."""
    limits = yaml.safe_load(LIMITS.read_text(encoding="utf-8"))
    risen, fallen = [], []
    for name, text in texts().items():
        found = figures(text)
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in found.items()))
        for key, limit in limits[name].items():
            if found[key] > limit:
                risen.append(f"{name}: {key} is {found[key]}, above its limit of {limit}. Write more plainly.")
            elif found[key] < limit:
                fallen.append(f"{name} {key} {found[key]}")
    if fallen:
        print(f"Limits in docs/prose.yaml that can fall: {', '.join(fallen)}")
    print("\n".join(risen), end="\n" if risen else "", file=sys.stderr)
    return int(bool(risen))


def texts() -> dict[str, str]:
    """Return the prose of README, of the other pages, and of docstrings and descriptions of settings."""
    pages = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    pages = [page for page in pages if page not in GENERATED and "_build" not in page.parts]
    modules = sorted((ROOT / "workflow").rglob("*.py"))
    return {
        "readme": prose((ROOT / "README.md").read_text(encoding="utf-8")),
        "docs": "\n\n".join(prose(page.read_text(encoding="utf-8")) for page in pages),
        "docstrings": "\n\n".join(prose(text) for module in modules for text in descriptions(module)),
    }


def prose(text: str) -> str:
    """Return Markdown without code blocks, tables and targets of links. Code within a sentence counts as one word."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`[^`]*`", "code", text)


def descriptions(module: Path) -> Iterator[str]:
    """Yield the docstrings of a module, and the descriptions that its settings give to their keys."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield text
        if isinstance(node, ast.keyword) and node.arg == "description" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def figures(text: str) -> dict[str, float]:
    """Return words, mean and 90th percentile of words a sentence, and phrases per 1,000 words."""
    words = len(re.findall(r"[^\W\d_][\w'-]*", text))
    pieces = re.split(r"(?<=[.!?])\s+|\n\s*\n|\n(?=\s*(?:[-*#]|\d+\.) )", text)
    lengths = sorted(length for piece in pieces if (length := len(piece.split())) > 2)
    rates = {name: round(1000 * len(re.findall(p, text, re.IGNORECASE)) / words, 1) for name, p in PHRASES.items()}
    mean, p90 = sum(lengths) / len(lengths), lengths[int(0.9 * len(lengths))]
    return {"words": words, "mean": round(mean, 1), "p90": p90, **rates}


if __name__ == "__main__":
    sys.exit(main())
