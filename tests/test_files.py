"""Files that are whole or not there."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from tocompress.errors import StudyError
from tocompress.files import replace_on_success


def test_a_file_takes_its_name_when_it_is_whole_and_what_a_killed_process_left_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.b.npz"
    path.parent.mkdir()
    path.with_name(".a.b.partial.npz").write_text("half of something longer")
    with replace_on_success(path) as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), replace_on_success(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_refuses_is_named_with_the_file(tmp_path: Path, code: int) -> None:
    path = tmp_path / "a.csv"
    with (
        pytest.raises(StudyError, match=f"^{path}: cannot be written: {os.strerror(code)}; "),
        replace_on_success(path),
    ):
        raise OSError(code, os.strerror(code))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_meanwhile_is_not_taken_for_the_disk(tmp_path: Path) -> None:
    with pytest.raises(gzip.BadGzipFile), replace_on_success(tmp_path / "a.csv"):
        gzip.decompress(b"not gzip")
    with pytest.raises(FileNotFoundError), replace_on_success(tmp_path / "a.csv"):
        (tmp_path / "other").read_bytes()
