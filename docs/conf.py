"""Sphinx's configuration; `make docs` runs it."""

import sys
from pathlib import Path

from pygments.lexers.python import PythonLexer
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).parent))

import reference

project = "To compress, or not to compress"
extensions = ["myst_parser"]
# Pages link to what stands elsewhere in the repository, so its root is where sources are looked for.
include_patterns = ["*.md", "docs/*.md", "docs/*/*.md", "results/README.md", "zoo/README.md"]
root_doc = "docs/index"
html_theme = "furo"
html_title = project
html_show_copyright = False
html_static_path = ["style.css"]
html_css_files = ["style.css"]
myst_heading_anchors = 3


def setup(app: Sphinx) -> None:
    app.add_lexer("snakemake", PythonLexer)  # it has no lexer of its own
    app.connect("source-read", complete)


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Append to a reference page what is made from the sources."""
    if page in reference.PAGES:
        source[0] += "\n" + reference.PAGES[page]()
