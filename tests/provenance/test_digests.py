"""A job's digest follows what its code does, through the modules that its script imports."""

import pytest

from tocompress.provenance import digests


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
    for cached in (digests._closure, digests._source, digests._data_files, digests._files):
        cached.cache_clear()


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
    before = digests.environment_digest("other.py")
    assert not changed(library, "tocompress/far.py", "VALUE = 2\n", "other.py")
    (library / "scripts/other.py").write_text("import snakemake\n")
    _forget()
    assert digests.environment_digest("other.py") != before


def test_a_package_above_a_module_counts(library):
    assert changed(library, "tocompress/__init__.py", "X = 1\n")


def test_a_module_imported_by_name_counts_where_it_is_named(library):
    assert not changed(library, "tocompress/models/vgg.py", "import numpy, math\n")
    assert changed(library, "tocompress/models/vgg.py", "import numpy\n", "work.py", "tocompress.models.vgg")


def test_the_environment_follows_the_libraries_that_the_code_imports(library, monkeypatch):
    plain = digests.environment_digest("work.py")
    with_network = digests.environment_digest("work.py", "tocompress.models.vgg")
    assert plain != with_network
    monkeypatch.setattr(digests, "_pin", lambda name: f"{name}==0")
    assert digests.environment_digest("work.py", "tocompress.models.vgg") != with_network
