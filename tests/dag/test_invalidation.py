"""Every change of a setting or of code makes due what depends on it, and nothing else: docs/invalidation.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch

import pytest
import reference
from invalidation import FIXED, PAGE, SHOWN, UNREAD, UNUSED, WITHOUT_JOB, Everything, classes, held, library, names

from tocompress.settings.study import Study


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    return Everything(tmp_path_factory.mktemp("everything"))


def excepted(found: Iterable[str], reasons: Mapping[str, str]) -> set[str]:
    return {name for name in found if any(fnmatch(name, pattern) for pattern in reasons)}


def needless(found: Iterable[str], reasons: Mapping[str, str]) -> list[str]:
    return [pattern for pattern in reasons if not any(fnmatch(name, pattern) for name in found)]


def test_the_study_has_a_job_of_every_rule(everything: Everything) -> None:
    assert everything.rules == {*names(), "all", "zoo"} - WITHOUT_JOB


def test_the_study_has_an_entry_of_every_class_of_settings(everything: Everything) -> None:
    assert set(held(everything.study)) == set(classes(Study))


def test_a_test_set_that_is_one_job_is_predicted_from_what_one_shared_out_is() -> None:
    with reference._workflow() as workflow:
        whole, share = (workflow.get_rule(name) for name in ("predict", "predict_shard"))
        assert (whole.params.settings, whole.script) == (share.params.settings, share.script)
        assert [getattr(file, "callable", file) for file in whole.input] == [
            getattr(file, "callable", file) for file in share.input
        ]


def test_every_key_has_another_value_that_makes_something_due_or_a_reason_why_not(everything: Everything) -> None:
    fixed = {name for name, due in everything.keys.items() if due is None}
    unused = {name for name, due in everything.keys.items() if due is not None and due <= SHOWN}
    assert fixed == excepted(everything.keys, FIXED)
    assert unused == excepted(everything.keys, UNUSED)
    assert needless(everything.keys, FIXED | UNUSED) == []


def test_every_file_of_the_library_makes_something_due_or_has_a_reason_why_not(everything: Everything) -> None:
    assert list(everything.files) == library()
    unread = {name for name, due in everything.files.items() if not due}
    assert unread == excepted(everything.files, UNREAD)
    assert needless(everything.files, UNREAD) == []


def test_the_page_says_what_is_due(everything: Everything) -> None:
    assert everything.page == PAGE.read_text(encoding="utf-8"), "where this is meant: make invalidation"
