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


def special(path: Path, **fields: object) -> Path:
    """A tar archive of one member with these fields."""
    member = tarfile.TarInfo("member")
    for name, value in fields.items():
        setattr(member, name, value)
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member)
    return path


#: What compresses to more than the blocks that readers hold.
LONG = {"model.ckpt": np.random.default_rng(0).bytes(100_000).hex()}

COMPRESSED = [(tar_of, "a.gz"), (tar_of, "a.bz2"), (tar_of, "a.xz"), (zip_of, "a.zip")]
every_kind = pytest.mark.parametrize(("make", "name"), [(tar_of, "a.tar"), *COMPRESSED])
Make = Callable[[Path, dict[str, str]], Path]


@every_kind
def test_an_archive_is_unpacked(tmp_path: Path, make: Make, name: str) -> None:
    archive = make(tmp_path / name, FILES)
    assert is_archive(archive)
    folder = tmp_path / "new" / "folder"
    unpack(archive, folder)
    found = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    assert found == FILES


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "../escaped"},
        {"name": "/escaped"},
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "../escaped"},
        {"type": tarfile.FIFOTYPE},
    ],
)
def test_a_tar_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    archive = special(tmp_path / "a.tgz", **fields)
    with pytest.raises(StudyError, match=r"a\.tgz: cannot be unpacked.*(outside|link)"):
        unpack(archive, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "folder/../../escaped"])
def test_a_zip_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = zip_of(tmp_path / "a.zip", {name: "text"})
    with pytest.raises(StudyError, match=r"a\.zip: cannot be unpacked.*outside"):
        unpack(archive, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [archive]


@every_kind
@pytest.mark.parametrize("length", [1000, 60_000])
def test_an_archive_that_is_cut_short_is_named_and_leaves_nothing(
    tmp_path: Path, make: Make, name: str, length: int
) -> None:
    archive = make(tmp_path / name, LONG)
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(StudyError, match=f"{name}: cannot be unpacked: "):
        unpack(archive, tmp_path / "folder")
    with pytest.raises(StudyError, match=f"{name}: .*(cannot be unpacked|neither a whole tar archive)"):
        extract(archive, "model.ckpt", tmp_path / "file")
    assert list(tmp_path.iterdir()) == [archive]


def damage(archive: Path, place: int) -> None:
    content = bytearray(archive.read_bytes())
    content[place] ^= 255
    archive.write_bytes(content)


@pytest.mark.parametrize(("make", "name"), COMPRESSED)
def test_a_checksum_that_is_wrong_leaves_nothing(tmp_path: Path, make: Make, name: str) -> None:
    archive = make(tmp_path / name, LONG)
    damage(archive, -8 if name == "a.gz" else 50_000)
    with pytest.raises(StudyError, match=f"{name}: cannot be unpacked"):
        unpack(archive, tmp_path / "folder")
    with pytest.raises(StudyError, match=f"{name}: .*(cannot be unpacked|neither a whole tar)"):
        extract(archive, "model.ckpt", tmp_path / "file")
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("change", ["damaged", "cut short"])
def test_a_tar_that_ends_without_its_end_mark_is_refused(tmp_path: Path, change: str) -> None:
    archive = tar_of(tmp_path / "a.tar", FILES)
    if change == "damaged":
        damage(archive, 1024 + 150)
    else:
        archive.write_bytes(archive.read_bytes()[:1024])
    with pytest.raises(StudyError, match=r"a\.tar: cannot be unpacked.* damaged after member 1"):
        unpack(archive, tmp_path / "folder")
    with pytest.raises(StudyError, match=r"a\.tar: .* damaged after member 1"):
        extract(archive, "a/model.ckpt", tmp_path / "file")
    assert list(tmp_path.iterdir()) == [archive]


@every_kind
def test_one_file_is_found_by_whole_components_of_its_path(tmp_path: Path, make: Make, name: str) -> None:
    archive = make(tmp_path / name, {f"./{path}": text for path, text in FILES.items()})
    for wanted, text in [("b/model.ckpt", "second"), ("other_model.ckpt", "third")]:
        extract(archive, wanted, tmp_path / "new" / "file")
        assert (tmp_path / "new" / "file").read_text() == text


@every_kind
@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("model.ckpt", "2 do.* a/model.ckpt, b/model.ckpt$"),
        ("c/model.ckpt", "none does.* a/model.ckpt, b/model.ckpt$"),
        ("model", "none does.* a/model.ckpt, b/model.ckpt, b/other_model.ckpt$"),
        ("", "none does"),
    ],
)
def test_what_is_not_one_file_is_refused_with_what_there_is(
    tmp_path: Path, make: Make, name: str, wanted: str, told: str
) -> None:
    archive = make(tmp_path / name, FILES)
    with pytest.raises(StudyError, match=f"{name}: .*'{wanted}'.*{told}"):
        extract(archive, wanted, tmp_path / "file")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_long_list_of_what_there_is_is_cut(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar", {f"{number}.txt": "" for number in range(12)})
    with pytest.raises(StudyError, match=r" 8\.txt, 9\.txt and 2 more$"):
        extract(archive, "file", tmp_path / "file")


@pytest.mark.parametrize("again", ["a/model.ckpt", "./a/model.ckpt"])
def test_a_file_that_is_there_twice_is_refused(tmp_path: Path, again: str) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("a/model.ckpt", again):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(StudyError, match=rf"a\.tar: .*2 do; there is a/model.ckpt, {again}$"):
        extract(tmp_path / "a.tar", "model.ckpt", tmp_path / "file")


def test_a_link_is_not_a_file(tmp_path: Path) -> None:
    archive = special(tmp_path / "a.tgz", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    with pytest.raises(StudyError, match="none does"):
        extract(archive, "member", tmp_path / "file")


def test_a_file_with_another_digest_leaves_the_earlier_one(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar", FILES)
    right, wrong = (hashlib.md5(text).hexdigest() for text in (b"third", b""))
    extract(archive, "other_model.ckpt", tmp_path / "file", md5=right)
    with pytest.raises(StudyError, match=rf"a\.tar: expected the md5 {wrong} of 'other_model.ckpt', found {right}"):
        extract(archive, "other_model.ckpt", tmp_path / "file", md5=wrong)
    assert (tmp_path / "file").read_text() == "third"
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_is_taken_out_of_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    with pytest.raises(StudyError, match="plain: neither a whole tar archive nor a whole zip file"):
        extract(tmp_path / "plain", "model.ckpt", tmp_path / "file")
    with pytest.raises(StudyError, match=r"absent: .*No such file"):
        extract(tmp_path / "absent", "model.ckpt", tmp_path / "file")
