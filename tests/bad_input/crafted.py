"""Archives and checkpoints byte by byte, also such as no program would write."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

VALUES = struct.pack("<4f", 1, 2, 3, 4)
INDEX, DATA = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
_AFTER_ENTRIES = "000000000100000000c0f2a1b000020277ff00"
_END = f"{72 * '0'}57fb808b247547db"
#: The files of a checkpoint of V2 of the variable `w`, VALUES.
CHECKPOINT = {
    INDEX: bytes.fromhex(
        "00000608011a020801000113770801120412020804180020002810354c289874000000000100000000d1e57ce8"
        f"{_AFTER_ENTRIES}28000000000100000000786c7d5c2d083a0f{_END}"
    ),
    DATA: VALUES,
}
#: The same, but that `w` is of the shape (-4,), at which TensorFlow aborts.
ABORTING = {
    INDEX: bytes.fromhex(
        "00000608011a02080100011c770801120d120b08fcffffffffffffffff01180020002810354c289874000000000100000000157c4f7f"
        f"{_AFTER_ENTRIES}31000000000100000000aa6c17d73608430f{_END}"
    ),
    DATA: VALUES,
}


def tar(*members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    """Of files (name, content), and of members that have none; the same bytes at any time."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode.removesuffix(":gz")) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                archive.addfile(_member(member[0], size=len(member[1])), io.BytesIO(member[1]))
    return gzip.compress(file.getvalue(), mtime=0) if mode.endswith(":gz") else file.getvalue()


def special(name: str = "model.ckpt", **fields: object) -> tarfile.TarInfo:
    """A member of an archive with these fields of its header."""
    return _member(name, **fields)


def zipped(files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _member(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(member, key, value)
    return member
