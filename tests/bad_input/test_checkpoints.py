"""Checkpoints and archives of them that are wrong: one line says what, where, and what would be right."""

from __future__ import annotations

import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cases
import numpy as np
import pytest
from cases import EARLIER, Jobs, Step, contents
from crafted import ABORTING, CHECKPOINT, DATA, INDEX, VALUES, special, tar, write, zipped
from mutations import check_damage, chosen_seed
from published import write_v1

from tocompress.archives import extract, is_archive, unpack
from tocompress.checkpoints.tensorflow_checkpoint import find, read
from tocompress.checkpoints.tensorflow_checkpoint import write as save

ROOM = "; a whole archive of files that stay in its folder is needed, and room for them"


def refusal(folder: Path, action: Callable[[], object]) -> str:
    """The one line with which a call refuses its input, without the path of the folder, which is as before."""
    (folder / "earlier").write_bytes(EARLIER)
    before = contents(folder)
    message = cases.refusal(action)
    assert contents(folder) == before, "something was left behind"
    return message.replace(f"{folder}/", "")


# Archives

GOOD_TAR, GOOD_ZIP = tar(*CHECKPOINT.items()), zipped([*CHECKPOINT.items()])
LONG = np.random.default_rng(0).bytes(20_000)


def encrypted() -> bytes:
    """As 7-Zip and others write it: a flag in the header of each file and in that of the list."""
    archive = bytearray(zipped([("model.ckpt", LONG)]))
    archive[6] |= 1
    archive[archive.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


def declared(size: int) -> bytes:
    """A zip file that says that its one file is of so many bytes."""
    archive = bytearray(zipped([("model.ckpt", b"small")]))
    struct.pack_into("<I", archive, archive.rindex(b"PK\x01\x02") + 24, size)
    return bytes(archive)


#: Name and content of an archive that is not unpacked.
ARCHIVES = {
    "a path upwards": ("a.tar.gz", tar(("../model.ckpt", b""))),
    "a path up and down": ("a.tar", tar(("a/../../model.ckpt", b""), mode="w")),
    "a folder outside": ("a.tar.gz", tar(special("../new", type=tarfile.DIRTYPE))),
    "a symbolic link": ("a.tar.gz", tar(special(type=tarfile.SYMTYPE, linkname="/etc/passwd"))),
    "a symbolic link upwards": ("a.tar.gz", tar(special(type=tarfile.SYMTYPE, linkname=".."))),
    "a symbolic link inside": ("a.tar.gz", tar(("m", b""), special(type=tarfile.SYMTYPE, linkname="m"))),
    "a hard link": ("a.tar.gz", tar(special(type=tarfile.LNKTYPE, linkname="../earlier"))),
    "a device": ("a.tar.gz", tar(special(type=tarfile.CHRTYPE, devmajor=1, devminor=3))),
    "a disk": ("a.tar.gz", tar(special(type=tarfile.BLKTYPE, devmajor=8))),
    "a pipe": ("a.tar.gz", tar(special(type=tarfile.FIFOTYPE))),
    "a huge size": ("a.tar", special(size=1 << 60).tobuf(tarfile.GNU_FORMAT) + bytes(1024)),
    "a file and a folder": ("a.tar.gz", tar(("m", b""), ("m/model.ckpt", b""))),
    "half a tar.gz": ("a.tar.gz", GOOD_TAR[: len(GOOD_TAR) // 2]),
    "most of a tar.gz": ("a.tar.gz", GOOD_TAR[:-6]),
    "the start of a tar.gz": ("a.tar.gz", GOOD_TAR[:5]),
    "half a zip": ("a.zip", GOOD_ZIP[: len(GOOD_ZIP) // 2]),
    "an encrypted zip": ("a.zip", encrypted()),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_is_wrong_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    name, content = ARCHIVES[case]
    (tmp_path / name).write_bytes(content)
    assert is_archive(tmp_path / name)
    message = refusal(tmp_path, lambda: unpack(tmp_path / name, tmp_path / "new"))
    assert message.startswith(f"{name}: cannot be unpacked: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.tar.gz", tar(("model.ckpt", LONG))), ("a.zip", zipped([("model.ckpt", LONG)])), ("a.zip", declared(1 << 31))],
    ids=["tar.gz", "zip", "a zip that says so"],
)
def test_what_there_is_no_room_for_is_not_begun(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr("tocompress.archives.shutil.disk_usage", lambda _: SimpleNamespace(free=15_000))
    message = refusal(tmp_path, lambda: unpack(tmp_path / name, tmp_path / "new"))
    assert message.startswith(f"{name}: cannot be unpacked: ") and " GB are free in " in message


# Checkpoints

PAGE = b"<!DOCTYPE html><title>Log in</title>"


def version_1(folder: Path) -> bytes:
    """The one file of a checkpoint of V1 of the variable `w`."""
    write_v1(folder / "model.ckpt", {"w": np.float32([1, 2, 3, 4])})
    return (folder / "model.ckpt").read_bytes()


#: What may happen to any file.
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "none": lambda content: content,
    "absent": lambda content: None,
    "empty": lambda content: b"",
    "cut short": lambda content: content[:-9],
    "foreign": lambda content: PAGE,
    "changed": lambda content: content[:9] + bytes([content[9] ^ 1]) + content[10:],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", [INDEX, DATA, "model.ckpt"])
def test_a_damaged_checkpoint_is_refused_in_one_line(file: str, damage: str, tmp_path: Path) -> None:
    files: dict[str, bytes] = {"model.ckpt": version_1(tmp_path)} if file == "model.ckpt" else {**CHECKPOINT}
    content = DAMAGES[damage](files.pop(file))
    write(tmp_path / "checkpoint", files if content is None else {**files, file: content})
    if damage == "none":
        assert read(find(tmp_path / "checkpoint"), {"w": (4,)})["w"].tolist() == [1, 2, 3, 4]
    else:
        message = refusal(tmp_path, lambda: read(find(tmp_path / "checkpoint"), {"w": (4,)}))
        assert message.startswith("checkpoint")


#: The variables of a checkpoint that is to hold `w`, four real numbers.
OTHERS: dict[str, dict[str, object]] = {
    "another variable": {"w/biases": 4 * [1.0], "w2": 4 * [1.0]},
    "another shape": {"w": [[1.0, 2.0], [3.0, 4.0]]},
    "texts": {"w": 4 * [b"a"]},
    "complex numbers": {"w": 4 * [1j]},
    "yes and no": {"w": 4 * [True]},
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_checkpoint_of_other_variables_is_refused_with_the_name_of_one(case: str, tmp_path: Path) -> None:
    save(tmp_path / "model.ckpt", {name: np.array(values) for name, values in OTHERS[case].items()})
    message = refusal(tmp_path, lambda: read(find(tmp_path), {"w": (4,)}))
    assert message.startswith("model.ckpt: ") and "'w'" in message


# The jobs that read them

MODEL = {
    "network": "vgg_16", "build": "published", "data": "set", "checkpoint": "a.tar.gz", "width": 0.05,
    "input_size": 32, "classes": 10,
}  # fmt: skip


def acquiring(file: str, **checkpoint: str) -> Step:
    settings = json.dumps(MODEL | {"checkpoint": {"url": "a", **checkpoint}})
    files = {"checked": [], "unchecked": [file], "vocabularies": []}
    return Step("acquire.py", files, {"weights": "fp32.safetensors"}, settings, {"model": "tiny"})


#: File, its content, what the config says of it, and what the line begins with.
ACQUIRED: dict[str, tuple[str, bytes, dict[str, str], str]] = {
    "half an archive": ("a.tar.gz", GOOD_TAR[:-6], {}, "a.tar.gz: "),
    "an archive of two": ("a.tar.gz", tar(("a.ckpt", b""), ("b.ckpt", b"")), {}, "a.tar.gz: "),
    "a page": ("a.tar.gz", PAGE, {}, "a.tar.gz: "),
    "another digest": ("a.tar.gz", GOOD_TAR, {"sha256": 64 * "0"}, f"a.tar.gz: expected the sha256 {64 * '0'}, found"),
    "another network": ("a.tar.gz", GOOD_TAR, {}, "a.tar.gz/model.ckpt: lacks 32 of 32 expected variables, "),
    "what aborts TensorFlow": ("a.tar.gz", tar(*ABORTING.items()), {}, "a.tar.gz: reading it ended the process"),
}  # fmt: skip


@pytest.mark.parametrize("case", ACQUIRED)
def test_a_model_whose_checkpoint_is_wrong_is_not_acquired(case: str, jobs: Jobs, tmp_path: Path) -> None:
    file, content, settings, expected = ACQUIRED[case]
    (tmp_path / file).write_bytes(content)
    message = acquiring(file, **settings).refusal(jobs, tmp_path)
    assert message.startswith(expected) and "unpacked/" not in message


@pytest.mark.parametrize(
    "content",
    [
        GOOD_TAR[:-6],
        b"<html>",
        tar(("other", b"")),
        tar(("a/w.index", b""), ("b/w.index", b"")),
        tar(special("w.index", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        tar(("w.index", b"")),
    ],
    ids=["cut short", "a page", "another file", "two files", "a symbolic link", "another digest"],
)
def test_a_file_that_an_archive_does_not_hold_is_not_extracted(content: bytes, jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    settings = json.dumps({"archive": None, "member": 32 * "0"})
    step = Step("extract.py", {"archive": ["a.tar.gz"]}, {"file": "new"}, settings, {"member": "w.index"})
    assert step.refusal(jobs, tmp_path).startswith("a.tar.gz: ")


# Damage by chance


def _unpacked(path: Path) -> None:
    folder = path.with_name("new")
    if is_archive(path):
        unpack(path, folder)
        shutil.rmtree(folder)
    extract(path, DATA, path.with_name("extracted"))


def _archives(folder: Path) -> list[bytes]:
    members = [("a/model.ckpt.index", LONG[:700]), (f"a/{DATA}", VALUES), special("a/b", type=tarfile.DIRTYPE)]
    tars = [tar(*members, mode=mode) for mode in ("w", "w:gz", "w:bz2", "w:xz")]
    named = tar((f"{60 * 'folder/'}{DATA}", VALUES), special(80 * "o/", type=tarfile.DIRTYPE), mode="w")
    return [*tars, named, GOOD_ZIP, zipped([(f"a/{DATA}", VALUES)], zipfile.ZIP_STORED)]


def test_a_damaged_archive_is_read_or_refused(tmp_path: Path) -> None:
    check_damage(_unpacked, "archive", _archives, tmp_path, count=300)


@pytest.mark.long
def test_no_damage_at_all_is_taken_ill(tmp_path: Path) -> None:
    check_damage(_unpacked, "archive", _archives, tmp_path, count=1000, seed=chosen_seed())
