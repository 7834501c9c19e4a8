"""Archives stay in their folder, and what is taken out of them is whole or not there."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tocompress.archives import extract, is_archive, unpack
from tocompress.errors import StudyError

FILES = {"a/model.ckpt": "first", "b/model.ckpt": "second", "b/other_model.ckpt": "third"}
#: What compresses to more than the blocks that readers hold.
LONG = {"model.ckpt": np.random.default_rng(0).bytes(100_000).hex()}


def tar_of(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def zip_of(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.mkdir("model.ckpt")
        for name, text in files.items():
            zipped.writestr(name, text)
    return path


COMPRESSED = [(tar_of, "a.gz"), (tar_of, "a.bz2"), (tar_of, "a.xz"), (zip_of, "a.zip")]
every_kind = pytest.mark.parametrize(("make", "name"), [(tar_of, "a.tar"), *COMPRESSED])
Make = Callable[[Path, dict[str, str]], Path]


def check_refused(archive: Path) -> None:
    """Check that nothing comes of an archive but one line that names it."""
    for action in (
        lambda: unpack(archive, archive.with_name("folder")),
        lambda: extract(archive, "model.ckpt", archive.with_name("file")),
    ):
        with pytest.raises(StudyError, match=f"^{archive}: ") as raised:
            action()
        assert "\n" not in str(raised.value)
    assert list(archive.parent.iterdir()) in ([], [archive])


@every_kind
def test_an_archive_is_unpacked(tmp_path: Path, make: Make, name: str) -> None:
    archive = make(tmp_path / name, FILES)
    assert is_archive(archive)
    folder = tmp_path / "new" / "folder"
    unpack(archive, folder)
    found = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    assert found == FILES


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "folder/../../escaped"])
def test_what_a_zip_puts_outside_lands_inside(tmp_path: Path, name: str) -> None:
    unpack(zip_of(tmp_path / "a.zip", {name: "text"}), tmp_path / "folder")
    assert (*tmp_path.rglob("escaped"),) == (*(tmp_path / "folder").rglob("escaped"),)


@every_kind
@pytest.mark.parametrize("length", [1000, 60_000])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, make: Make, name: str, length: int) -> None:
    archive = make(tmp_path / name, LONG)
    archive.write_bytes(archive.read_bytes()[:length])
    assert is_archive(archive)
    check_refused(archive)


def damage(archive: Path, place: int) -> None:
    content = bytearray(archive.read_bytes())
    content[place] ^= 255
    archive.write_bytes(content)


@pytest.mark.parametrize(("make", "name"), COMPRESSED)
def test_a_checksum_that_is_wrong_is_found(tmp_path: Path, make: Make, name: str) -> None:
    archive = make(tmp_path / name, LONG)
    damage(archive, -8 if name == "a.gz" else 50_000)
    check_refused(archive)


@pytest.mark.parametrize("change", ["damaged", "cut short"])
def test_a_tar_that_ends_without_its_end_mark_is_refused(tmp_path: Path, change: str) -> None:
    archive = tar_of(tmp_path / "a.tar", FILES)
    if change == "damaged":
        damage(archive, 1024 + 150)
    else:
        archive.write_bytes(archive.read_bytes()[:1024])
    check_refused(archive)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    assert not is_archive(tmp_path / "plain")
    check_refused(tmp_path / "plain")
    (tmp_path / "plain").unlink()
    check_refused(tmp_path / "absent")


def test_a_python_whose_tarfile_has_no_filter_unpacks_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    unpack(tar_of(tmp_path / "a.tar", {"b/model.ckpt": "text"}), tmp_path / "folder")
    assert (tmp_path / "folder/b/model.ckpt").read_text() == "text"


@every_kind
def test_one_file_is_found_by_whole_components_of_its_path(tmp_path: Path, make: Make, name: str) -> None:
    archive = make(tmp_path / name, {f"./{path}": text for path, text in FILES.items()})
    for wanted, text in [("b/model.ckpt", "second"), ("other_model.ckpt", "third")]:
        extract(archive, wanted, tmp_path / "new" / "file")
        assert (tmp_path / "new" / "file").read_text() == text


@pytest.mark.parametrize("wanted", ["model.ckpt", "c/model.ckpt", "A/model.ckpt", "model", ""])
def test_what_is_not_one_file_is_refused_with_what_there_is(tmp_path: Path, wanted: str) -> None:
    archive = tar_of(tmp_path / "a.tar", FILES)
    with pytest.raises(StudyError, match=rf"a\.tar: .*'{wanted}'.* a/model\.ckpt, b/model\.ckpt"):
        extract(archive, wanted, tmp_path / "file")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_file_with_another_digest_leaves_the_earlier_one(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar", FILES)
    right, wrong = (hashlib.md5(text).hexdigest() for text in (b"third", b""))
    extract(archive, "other_model.ckpt", tmp_path / "file", md5=right)
    with pytest.raises(StudyError, match=rf"a\.tar: .*{wrong}.*{right}"):
        extract(archive, "other_model.ckpt", tmp_path / "file", md5=wrong)
    assert (tmp_path / "file").read_text() == "third"
    assert len(list(tmp_path.iterdir())) == 2
