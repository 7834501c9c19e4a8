"""A job's digest follows what its code does, through the definitions that its script reaches."""

import os
import subprocess
import sys

import pytest

from tocompress.provenance import digests, source


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library of ours with a script, in place of the real one."""
    package = tmp_path / "tocompress"
    (package / "models").mkdir(parents=True)
    (package / "lists").mkdir()
    (tmp_path / "scripts").mkdir()
    files = {
        "scripts/work.py": "from tocompress.near import near\n",
        "scripts/other.py": "import json\n",
        "tocompress/__init__.py": "",
        "tocompress/near.py": '"""Says."""\ndef near():\n    from tocompress import far\n    return far\n',
        "tocompress/far.py": 'VALUE = 1\nWORDS = "words.txt"\n',
        "tocompress/lists/words.txt": "one",
        "tocompress/unrelated.py": "VALUE = 1\n",
        "tocompress/models/__init__.py": "",
        "tocompress/models/vgg.py": "import numpy\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(digests, "LIBRARY", package)
    monkeypatch.setattr(digests, "SCRIPTS", tmp_path / "scripts")
    _forget()
    yield tmp_path
    _forget()


def _forget():
    for value in (*vars(digests).values(), *vars(source).values()):
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def changed(library, file, text, script="work.py", *modules):
    before = digests.code_digest(script, *modules)
    (library / file).write_text(text)
    _forget()
    return digests.code_digest(script, *modules) != before


def test_an_edit_deep_down_is_seen(library):
    assert changed(library, "tocompress/far.py", "VALUE = 2\n")


def test_other_constants_are_seen(library):
    values = ("0", "False", "None", "''", "()", "1.0", "1,", "[]")
    found = set()
    for value in values:
        changed(library, "tocompress/far.py", f"VALUE = {value}\n")
        found.add(digests.code_digest("work.py"))
    assert len(found) == len(values)


def test_a_file_that_a_module_names_counts(library):
    assert changed(library, "tocompress/lists/words.txt", "two")
    assert not changed(library, "tocompress/lists/words.txt", "three", "other.py")


def test_an_edit_elsewhere_is_not(library):
    assert not changed(library, "tocompress/unrelated.py", "VALUE = 2\n")
    assert not changed(library, "tocompress/far.py", "VALUE = 2\n", "other.py")


def test_comments_docstrings_and_layout_do_not_count(library):
    text = (
        '"""Better."""\n# why\n\ndef near():\n    """And more."""\n    from tocompress import far\n    return (far)\n'
    )
    assert not changed(library, "tocompress/near.py", text)


def test_what_only_type_checkers_import_does_not_count(library):
    (library / "scripts/other.py").write_text("if TYPE_CHECKING:\n    import snakemake\n    import tocompress.far\n")
    before = digests.environment("other.py")
    assert not changed(library, "tocompress/far.py", "VALUE = 2\n", "other.py")
    (library / "scripts/other.py").write_text("import snakemake\n")
    _forget()
    assert digests.environment("other.py") != before


#: What near.py may hold to use the constant of far.py, and what is in reach of a script that calls `near`.
BRANCH = "from tocompress.far import VALUE\nif TYPE_CHECKING:\n    X = int\nelse:\n    X = VALUE\n"
USES = {
    "name": "from tocompress.far import VALUE\ndef near(): return VALUE",
    "alias": "from tocompress.far import VALUE as V\ndef near(): return V",
    "attribute": "from tocompress import far\ndef near(): return far.VALUE",
    "dotted": "import tocompress.far\ndef near(): return tocompress.far.VALUE",
    "local import": "def near():\n    from tocompress.far import VALUE\n    return VALUE",
    "module": "from tocompress import far\ndef near(): return getattr(far, 'VAL' + 'UE')",
    "default": "from tocompress.far import VALUE\ndef near(value=VALUE): return value",
    "annotation": "from tocompress.far import VALUE\nclass Model:\n    key: VALUE\ndef near(): return Model",
    "method": "from tocompress.far import VALUE\nclass A:\n    def get(self): return VALUE\ndef near(): return A",
    "base": "from tocompress.far import VALUE\nclass A:\n    x = VALUE\nclass B(A): ...\ndef near(): return B",
    "decorator": "from tocompress.far import VALUE\n@VALUE\ndef near(): ...",
    "constant": "from tocompress.far import VALUE\nTWICE, _ = 2 * VALUE, 1\ndef near(): return TWICE",
    "nested": "from tocompress.far import VALUE\ndef near(): return [lambda: VALUE for _ in '']",
    "fallback": "try:\n    from tocompress.far import VALUE as V\nexcept ImportError:\n    V = 0\ndef near(): return V",
    "overload": "from tocompress.far import VALUE\nX = VALUE\nX = 1\ndef near(): return X",
    "augmented": "from tocompress.far import VALUE\nX = {}\nX |= VALUE\ndef near(): return X",
    "statement": "from tocompress.far import VALUE\nprint(VALUE)\ndef near(): ...",
    "registration": "from tocompress.far import VALUE\nimport os\nos.x = VALUE\ndef near(): ...",
    "not for type checkers": BRANCH + "def near(): return X",
    "re-export": "from tocompress.between import VALUE\ndef near(): return VALUE",
}
UNUSED = {
    "nothing": "from tocompress.far import VALUE\ndef near(): ...",
    "another definition": "from tocompress.far import VALUE\ndef near(): ...\ndef other(): return VALUE",
    "another attribute": "from tocompress import far\ndef near(): return far.WORDS",
    "type checkers": "if TYPE_CHECKING:\n    from tocompress.far import VALUE\ndef near(x: VALUE): ...",
    "not for type checkers": BRANCH + "def near(): ...",
}


@pytest.mark.parametrize("near", [*USES.values(), *UNUSED.values()], ids=[*USES, *UNUSED])
def test_the_definitions_that_are_used_count_and_no_others(library, near):
    (library / "tocompress/between.py").write_text("from tocompress.far import VALUE\n")
    (library / "tocompress/near.py").write_text(near)
    _forget()
    far = (library / "tocompress/far.py").read_text()
    assert changed(library, "tocompress/far.py", far.replace("1", "2")) == (near in USES.values())


def test_what_a_module_runs_on_import_counts_wherever_it_is_imported(library):
    (library / "scripts/work.py").write_text("from tocompress.near import near\n")
    (library / "tocompress/near.py").write_text("from tocompress import far\ndef near(): ...\n")
    _forget()
    assert not changed(library, "tocompress/far.py", "VALUE = 3\n")
    assert changed(library, "tocompress/far.py", "VALUE = 3\nprint()\n")
    assert changed(library, "tocompress/__init__.py", "print(1)\n")
    assert not changed(library, "tocompress/__init__.py", "print(1)\nX = 1\n")


def test_a_definition_may_move_to_another_module(library):
    before = digests.code_digest("work.py")
    (library / "tocompress/far.py").rename(library / "tocompress/elsewhere.py")
    (library / "tocompress/moved.py").write_text("def near():\n    from tocompress import far\n    return far\n")
    (library / "tocompress/far.py").write_text("from tocompress.elsewhere import VALUE, WORDS\n")
    (library / "scripts/work.py").write_text("from tocompress.moved import near\n")
    _forget()
    assert digests.code_digest("work.py") == before


def test_what_a_name_stands_for_counts(library):
    files = {
        "work.py": "from tocompress.near import a, b\na, b\n",
        "near.py": "from math import log\nfrom tocompress import one, two\ndef a(): return log\ndef b(): return 1\n",
    }
    (library / "scripts/work.py").write_text(files["work.py"])
    (library / "tocompress/near.py").write_text(files["near.py"])
    _forget()
    assert changed(library, "tocompress/near.py", files["near.py"].replace("math", "cmath"))
    assert changed(library, "scripts/work.py", "from tocompress.near import b as a, a as b\na, b\n")


def test_digests_do_not_depend_on_the_order_of_sets():
    program = "from tocompress.provenance.digests import *; print(code_digest('score.py'), environment('score.py'))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(digests.LIBRARY.parent)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(told) == 1


def test_a_module_imported_by_name_counts_where_it_is_named(library):
    assert not changed(library, "tocompress/models/vgg.py", "import numpy, math\n")
    assert changed(library, "tocompress/models/vgg.py", "import numpy\n", "work.py", "tocompress.models.vgg")


def test_the_environment_follows_the_libraries_that_the_code_names(library, monkeypatch):
    plain = digests.environment("work.py")
    with_network = digests.environment("work.py", "tocompress.models.vgg")
    assert plain != with_network
    monkeypatch.setattr(digests, "_pin", lambda name: f"{name}==0")
    digests.environment.cache_clear()
    assert digests.environment("work.py", "tocompress.models.vgg") != with_network


@pytest.mark.parametrize(
    ("near", "libraries"),
    [
        ("import scipy.stats, numpy as np\ndef near(): return scipy.stats\nX = np.e", {"scipy"}),
        (
            "import numpy as np\nimport scipy\nX = scipy\ndef near(): return other()\ndef other(): return np.mean",
            {"numpy"},
        ),
        ("import numpy as np\ndef near(x: np.ndarray): return x.mean()", {"numpy"}),
        ("def near():\n    import scipy.stats, json", {"scipy"}),
        ("import numpy  # noqa: F401\ndef near(): ...", {"numpy"}),
        ("import numpy as np\nnp.seterr()\ndef near(): ...", {"numpy"}),
    ],
)
def test_a_library_counts_where_its_name_is_used(library, near, libraries):
    (library / "tocompress/near.py").write_text(near)
    _forget()
    assert digests.libraries("work.py") == libraries
