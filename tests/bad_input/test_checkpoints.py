"""Checkpoints and archives of them that are wrong: one line says what, where, and what would be right."""

from __future__ import annotations

import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import cases
import numpy as np
import pytest
from cases import EARLIER, Jobs, Step, contents
from crafted import (
    VALUES,
    checkpoint_v1,
    checkpoint_v2,
    entry,
    field,
    messages_v1,
    special,
    table_of,
    tar,
    write,
    zipped,
)
from mutations import Readers, check_damage, chosen_seed, mutated

from tocompress.archives import extract, is_archive, unpack
from tocompress.checkpoints.tensorflow_checkpoint import find, read, shapes
from tocompress.protobuf_wire import fields

READABLE = "; not a readable TensorFlow checkpoint, get all of it again"
DATA = "model.ckpt.data-00000-of-00001"
FILES = checkpoint_v2({"w": entry()})


def refusal(folder: Path, action: Callable[[], object]) -> str:
    """The one line with which a call refuses its input, without the path of the folder, which is as before."""
    (folder / "earlier").write_bytes(EARLIER)
    before = contents(folder)
    message = cases.refusal(action)
    assert contents(folder) == before, "something was left behind"
    return message.replace(f"{folder}/", "")


# Archives

GOOD_TAR, GOOD_ZIP = tar(*FILES.items()), zipped([*FILES.items()])
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

#: Files of a checkpoint that is to hold `w`, four floats, and how the line starts that refuses them.
CHECKPOINTS: dict[str, tuple[Mapping[str, bytes], str]] = {
    "no file": ({}, "checkpoint: expected exactly one checkpoint; the checkpoints in it: none"),
    "two checkpoints": (
        {**FILES, "other.ckpt": checkpoint_v1()},
        "checkpoint: expected exactly one checkpoint; the checkpoints in it: model.ckpt, other.ckpt",
    ),
    "index of no bytes": ({**FILES, "model.ckpt.index": b""}, "model.ckpt.index: cannot mmap an empty file"),
    "index cut short": (
        {**FILES, "model.ckpt.index": FILES["model.ckpt.index"][:-20]},
        "model.ckpt.index: no table of TensorFlow's ends here: another format, or cut short",
    ),
    "other magic": (
        {**FILES, "model.ckpt.index": FILES["model.ckpt.index"][:-1] + b"\0"},
        "model.ckpt.index: no table of TensorFlow's ends here: another format, or cut short",
    ),
    "wrong checksum of a block": (
        {**FILES, "model.ckpt.index": FILES["model.ckpt.index"].replace(b"w", b"v", 1)},
        "model.ckpt.index: a wrong checksum at byte ",
    ),
    "a block beyond the file": (
        {**FILES, "model.ckpt.index": FILES["model.ckpt.index"][:-48] + 20 * b"\x7f" + FILES["model.ckpt.index"][-28:]},
        "model.ckpt.index: damaged",
    ),
    "no header": ({"model.ckpt.index": table_of({b"w": entry()})}, "model.ckpt.index: does not start with the header"),
    "an empty table": ({"model.ckpt.index": table_of({})}, "model.ckpt.index: "),
    "big-endian": (checkpoint_v2({"w": entry()}, header=field(1, 1) + field(2, 1)), "model.ckpt.index: does not start"),
    "a name that is no text": (
        {"model.ckpt.index": table_of({b"": field(1, 1), b"\xff": entry()})},
        "model.ckpt.index: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    "no data file": (checkpoint_v2({"w": entry()}, values=None), f"{DATA}: 'w': No such file or directory"),
    "a data file of many": (checkpoint_v2({"w": entry(shard=7)}), "model.ckpt.data-00007-of-00001: 'w': No such file"),
    "data cut short": (checkpoint_v2({"w": entry()}, values=VALUES[:9]), f"{DATA}: 'w': ends at byte 16 of 9, "),
    "data of no bytes": (checkpoint_v2({"w": entry()}, values=b""), f"{DATA}: 'w': cannot mmap an empty file"),
    "other data": (checkpoint_v2({"w": entry()}, values=bytes(16)), f"{DATA}: 'w': values of another checksum than"),
    "far away": (checkpoint_v2({"w": entry(offset=1 << 62)}), f"{DATA}: 'w': ends at byte 4611686018427387920 of 16, "),
    "before the start": (checkpoint_v2({"w": entry(offset=-8)}), f"{DATA}: 'w': ends at byte "),
    "a huge length": (checkpoint_v2({"w": entry(size=1 << 62)}), f"{DATA}: 'w': 4611686018427387904 bytes, not those"),
    "unknown type": (checkpoint_v2({"w": entry(kind=99)}), f"{DATA}: 'w': of TensorFlow's type 99, none of real num"),
    "no type": (checkpoint_v2({"w": entry(kind=0)}), f"{DATA}: 'w': of TensorFlow's type 0, none of real numbers"),
    "texts": (checkpoint_v2({"w": entry(kind=7)}), f"{DATA}: 'w': of TensorFlow's type 7, none of real numbers"),
    "slices": (checkpoint_v2({"w": entry(rest=field(7, b""))}), f"{DATA}: 'w': in slices, not whole"),
    "a negative size": (checkpoint_v2({"w": entry(shape=(-4,))}), "model.ckpt.index: a variable has an impossible"),
    "a huge size": (checkpoint_v2({"w": entry(shape=(1 << 62, 4))}), "model.ckpt.index: a variable has an impossible"),
    "many dimensions": (checkpoint_v2({"w": entry(shape=300 * [1])}), "model.ckpt.index: a variable has an impossible"),
    "no variable": (checkpoint_v2({}), "model.ckpt: lacks 1 of 1 expected variables, the first: 'w' (4,); the nearest"),
    "another variable": (
        checkpoint_v2({"w/biases": entry(), "w2": entry()}),
        "model.ckpt: lacks 1 of 1 expected variables, the first: 'w' (4,); the nearest in the file: 'w2' (4,)",
    ),
    "another shape": (checkpoint_v2({"w": entry(shape=(2, 2))}), "model.ckpt: 'w' has the shape (2, 2), expected (4,)"),
    "V1 of no bytes": ({"model.ckpt": b""}, "model.ckpt: cannot mmap an empty file"),
    "V1 cut short": ({"model.ckpt": checkpoint_v1()[:-9]}, "model.ckpt: no table of TensorFlow's ends here"),
    "V1 of other magic": ({"model.ckpt": checkpoint_v1()[:-1] + b"\0"}, "model.ckpt: no table of TensorFlow's ends"),
    "V1 of a wrong checksum": ({"model.ckpt": checkpoint_v1().replace(VALUES, bytes(16))}, "model.ckpt: a wrong check"),
    "V1 of unknown type": ({"model.ckpt": checkpoint_v1(kind=99)}, "model.ckpt: 'w': of TensorFlow's type 99, not fl"),
    "V1 of too few": ({"model.ckpt": checkpoint_v1(values=VALUES[:8])}, "model.ckpt: 'w': 8 bytes, not those of"),
    "V1 without values": ({"model.ckpt": checkpoint_v1(name="v")}, "model.ckpt: 'w': in 0 slices, not in one"),
    "V1 of a negative size": ({"model.ckpt": checkpoint_v1(shape=(-4,))}, "model.ckpt: a variable has an impossible"),
    "V1 of another shape": ({"model.ckpt": checkpoint_v1(shape=(2, 2))}, "model.ckpt: 'w' has the shape (2, 2), expec"),
    "V1 of an endless number": (
        {"model.ckpt": table_of({b"": field(1, field(1, b"\x18" + 20 * b"\xff"))})},
        "model.ckpt: a number of more than 64 bits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_that_is_wrong_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    files, expected = CHECKPOINTS[case]
    write(tmp_path / "checkpoint", files)
    message = refusal(tmp_path, lambda: read(find(tmp_path / "checkpoint"), {"w": (4,)}))
    assert message.removeprefix("checkpoint/").startswith(expected)
    assert any(right in message for right in (READABLE, "expected"))


def test_the_same_files_unharmed_are_read(tmp_path: Path) -> None:
    for name, files in {"v2": FILES, "v1": {"model.ckpt": checkpoint_v1()}}.items():
        write(tmp_path / name, files)
        np.testing.assert_array_equal(read(find(tmp_path / name), {"w": (4,)})["w"], np.float32([1, 2, 3, 4]))


# The jobs that read them

MODEL = {
    "network": "vgg_16", "build": "published", "data": "set", "checkpoint": "a.tar.gz", "width": 0.05,
    "input_size": 32, "classes": 10,
}  # fmt: skip


def acquiring(file: str, **checkpoint: str) -> Step:
    settings = json.dumps(MODEL | {"checkpoint": {"url": "a", **checkpoint}})
    files = {"checked": [], "unchecked": [file], "vocabularies": []}
    return Step("acquire.py", files, {"weights": "fp32.safetensors"}, settings, {"model": "tiny"})


#: File, its content, what the config says of it, and the line.
ACQUIRED: dict[str, tuple[str, bytes, dict[str, str], str]] = {
    "half an archive": ("a.tar.gz", GOOD_TAR[:-6], {}, "a.tar.gz: cannot be unpacked: "),
    "an archive upwards": ("a.tar.gz", tar(("../model.ckpt", b"")), {}, "a.tar.gz: cannot be unpacked: '../model"),
    "an archive of two": (
        "a.tar.gz",
        tar(("a.ckpt", checkpoint_v1()), ("b.ckpt", checkpoint_v1())),
        {},
        "a.tar.gz: expected exactly one checkpoint; the checkpoints in it: a.ckpt, b.ckpt",
    ),
    "an empty archive": (
        "a.tar.gz", tar(), {}, "a.tar.gz: expected exactly one checkpoint; the checkpoints in it: none"
    ),
    "a page": ("a.tar.gz", b"<!DOCTYPE html>", {}, "a.tar.gz: no table of TensorFlow's ends here: another format"),
    "another digest": ("a.tar.gz", GOOD_TAR, {"sha256": 64 * "0"}, f"a.tar.gz: expected the sha256 {64 * '0'}, found"),
    "another network": ("model.ckpt", checkpoint_v1(), {}, "model.ckpt: lacks 32 of 32 expected variables, "),
    "what aborts TensorFlow": (
        "a.tar.gz",
        tar(*checkpoint_v2({"w": entry(shape=(-1,))}).items()),
        {},
        "a.tar.gz/model.ckpt.index: a variable has an impossible shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ACQUIRED)
def test_a_model_whose_checkpoint_is_wrong_is_not_acquired(case: str, tensorflow_jobs: Jobs, tmp_path: Path) -> None:
    file, content, settings, expected = ACQUIRED[case]
    (tmp_path / file).write_bytes(content)
    message = acquiring(file, **settings).refusal(tensorflow_jobs, tmp_path)
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


def _all(path: Path) -> object:
    """Every variable of a checkpoint."""
    prefix = find(path)
    return read(prefix, shapes(prefix))


def _v1(folder: Path) -> list[bytes]:
    return [checkpoint_v1(), checkpoint_v1(shape=(2, 2)), checkpoint_v1(shape=(), values=VALUES[:4])]


def _v2(folder: Path) -> list[bytes]:
    write(folder / "files", {DATA: VALUES})
    return [_index({"w": entry()}), _index({f"block/{number}": entry(shape=(2, 2)) for number in range(20)})]


def _index(variables: Mapping[str, bytes]) -> bytes:
    return checkpoint_v2(variables)["model.ckpt.index"]


def _values(folder: Path) -> list[bytes]:
    write(folder / "files", {"model.ckpt.index": _index({"w": entry()})})
    return [VALUES]


def _entries(folder: Path) -> list[bytes]:
    write(folder / "files", {DATA: VALUES})
    return [entry(), entry(shape=(2, 2)), entry(kind=3)]


def _entry_of_an_index(path: Path) -> object:
    """Damage that no checksum shows: the file is one entry."""
    path.with_name("model.ckpt.index").write_bytes(_index({"w": path.read_bytes()}))
    return _all(path)


def _messages(folder: Path) -> list[bytes]:
    return [messages_v1(), messages_v1(shape=(2, 2))]


def _messages_of_v1(path: Path) -> object:
    """As above: the file is the messages of a V1 file, in one."""
    content = path.read_bytes()
    path.write_bytes(table_of({b"": content}))
    return _all(path)


READERS: Readers = {
    "archive": (_unpacked, "archive", _archives),
    "V1": (_all, "model.ckpt", _v1),
    "V2 index": (_all, "model.ckpt.index", _v2),
    "V2 values": (lambda path: _all(path.with_name("model.ckpt")), DATA, _values),
    "V2 entry": (_entry_of_an_index, "model.ckpt", _entries),
    "V1 messages": (_messages_of_v1, "model.ckpt", _messages),
}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    check_damage(*READERS[name], tmp_path, count=300)


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
def test_no_damage_at_all_is_taken_ill(name: str, tmp_path: Path) -> None:
    check_damage(*READERS[name], tmp_path, count=10_000, seed=chosen_seed())


def test_a_damaged_protocol_buffer_has_fields_that_lie_in_it_or_is_refused() -> None:
    valid = [entry(), messages_v1(), field(1, 1 << 63) + field(200, b"text")]
    refused = 0
    for number in range(3000):
        data = mutated(valid[number % len(valid)], valid, np.random.default_rng([1, number]))
        try:
            assert all(0 <= start <= end <= len(data) for _, start, end in fields(data, 0, len(data)))
        except (ValueError, IndexError, KeyError):
            refused += 1
    assert 0 < refused < 3000
