"""Unpack tar archives, compressed or not, and zip files: whole and inside their folder, or not at all."""

from __future__ import annotations

import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, cast

from tocompress.errors import StudyError
from tocompress.files import digest

#: The errors of tarfile and zipfile for a damaged, encrypted or unsafe archive.
_ERRORS = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError),
    *(EOFError, IndexError, MemoryError, OSError, OverflowError, RuntimeError, ValueError, struct.error),
)
_ZIP = b"PK\x03\x04"
#: The first bytes of archives, also if they are cut short. A tar archive has its mark at byte 257.
_STARTS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", _ZIP)
_TAR, _TAR_AT = b"ustar", 257
_MOST_NAMED = 10  # files of an archive, in a message
_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, compressed or not, or a zip file as the new `folder`.

    Raise StudyError if the archive is damaged, has a link, a special file or a path upwards, or needs more room than is
    free. Then there is no folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _scratch(folder) as content:
            if _start(archive).startswith(_ZIP):
                _unpack_zip(archive, content)
            else:
                _unpack_tar(archive, content)
            content.replace(folder)
    except _ERRORS as error:
        # If nothing can be read, the lines after the first only list the attempts.
        reason = " ".join(str(error).partition(":\n")[0].split()) or type(error).__name__
        raise StudyError(
            f"{archive}: cannot be unpacked: {reason}; a whole tar archive or zip file of files that stay in its folder"
            " is needed, and room for them"
        ) from error


def is_archive(path: Path) -> bool:
    """Return whether a file starts like a tar archive, compressed or not, or a zip file."""
    start = _start(path)
    return start.startswith(_STARTS) or start[_TAR_AT:] == _TAR


def extract(archive: Path, name: str, destination: Path, *, md5: str | None = None) -> None:
    """Write the one file of an archive whose path ends in the components of `name` to `destination`.

    Raise StudyError where no file or several files fit, where the file has another `md5`, or where the archive cannot
    be unpacked. `destination` then stays as it was.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(destination) as scratch:
        folder = scratch / "files"
        unpack(archive, folder)
        file = _only(folder, name, archive)
        if md5 is not None and (found := digest(file, "md5")) != md5:
            raise StudyError(f"{archive}: expected the md5 {md5} of '{name}', found {found}; get the archive again")
        file.replace(destination)


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Provide an empty folder beside a path. Its name never changes, so a run removes the rest of a killed one."""
    folder = path.with_name(f".{path.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_TAR_AT + len(_TAR))


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        _check_room(sum(member.file_size for member in zipped.infolist()), folder)
        zipped.extractall(folder)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        _check_end(tar)
        _check_room(sum(member.size for member in members), folder)
        for member in members:
            _extract_member(tar, member, folder)


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a file or folder of an archive. `extractall` keeps to the folder only from Python 3.11.4 on."""
    path = PurePosixPath(member.name.lstrip("/"))
    if ".." in path.parts or not (member.isreg() or member.isdir()):
        raise tarfile.TarError(f"'{member.name}' is a link, a special file or a path upwards")
    if member.isdir():
        (folder / path).mkdir(parents=True, exist_ok=True)
        return
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    with cast(IO[bytes], tar.extractfile(member)) as packed, (folder / path).open("wb") as file:
        shutil.copyfileobj(packed, file)


def _check_end(tar: tarfile.TarFile) -> None:
    # tarfile takes a header that it cannot read for the end, and leaves the checksum behind the end unread.
    file = cast(IO[bytes], tar.fileobj)
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.TarError(f"cut short or damaged after member {len(tar.getmembers())}")
    while file.read(_CHUNK):
        pass


def _check_room(size: int, folder: Path) -> None:
    if size > (free := shutil.disk_usage(folder).free):
        raise tarfile.TarError(f"it takes {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free in {folder.parent}")


def _only(folder: Path, name: str, archive: Path) -> Path:
    """Return the one file below the folder whose path ends in the components of `name`."""
    parts = PurePosixPath(name).parts
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    fitting = [file for file in files if file.parts[-len(parts) :] == parts]
    if len(fitting) == 1:
        return folder / fitting[0]
    some = ", ".join(map(str, (fitting or files)[:_MOST_NAMED]))
    raise StudyError(f"{archive}: one file is to end in '{name}', and {len(fitting)} do; there is {some or 'no file'}")
