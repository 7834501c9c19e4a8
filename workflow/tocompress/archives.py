"""Tar archives, compressed or not, and zip files: unpacked whole and inside their folder, or not at all."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from tocompress.errors import StudyError
from tocompress.files import digest, replace_on_success

#: What tarfile and zipfile raise on a damaged, encrypted or unsafe archive.
_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, RuntimeError)
#: How gzip, bzip2, xz and zip files start, also those that are cut short.
_STARTS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04")
_MOST_NAMED = 10
_NONE = "neither a whole tar archive nor a whole zip file"
_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive (compressed or not) or a zip file as the new `folder`.

    A damaged archive, a member outside the folder, a link or a special file raises StudyError, and no folder is made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        try:
            if tarfile.is_tarfile(archive):
                _unpack_tar(archive, content)
            elif zipfile.is_zipfile(archive):
                _unpack_zip(archive, content)
            else:
                raise tarfile.TarError(_NONE)
            content.replace(folder)
        except _ERRORS as error:
            raise StudyError(f"{archive}: cannot be unpacked as {folder}: {error}") from error


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, compressed or not, or a zip file, or is compressed but damaged."""
    with open(path, "rb") as file:
        return file.read(8).startswith(_STARTS) or tarfile.is_tarfile(path) or zipfile.is_zipfile(path)


def extract(archive: Path, name: str, destination: Path, *, md5: str | None = None) -> None:
    """Write the one file of a tar archive or zip file whose path ends in the components of `name` to `destination`.

    StudyError where there is none or more than one, where it has another `md5`, or where the archive is damaged;
    `destination` is then as it was before.
    """
    try:
        with (
            _files(archive) as files,
            files[_only(files, name, archive)]() as source,
            replace_on_success(destination) as temporary,
        ):
            with open(temporary, "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
            if md5 is not None and (found := digest(temporary, "md5")) != md5:
                raise StudyError(f"{archive}: expected the md5 {md5} of '{name}', found {found}; get the archive again")
    except _ERRORS as error:
        raise StudyError(f"{archive}: '{name}' cannot be unpacked as {destination}: {error}") from error


@contextmanager
def _files(archive: Path) -> Iterator[dict[str, Callable[[], IO[bytes]]]]:
    """The path of each file in an archive, and what opens it."""
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            yield {file.name: partial(cast(Any, tar.extractfile), file) for file in _members(tar) if file.isfile()}
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield {file.filename: partial(zipped.open, file) for file in zipped.infolist() if not file.is_dir()}
    else:
        raise StudyError(f"{archive}: {_NONE}")


def _only(paths: Iterable[str], name: str, archive: Path) -> str:
    parts = PurePosixPath(name).parts
    found = [path for path in paths if PurePosixPath(path).parts[-len(parts) :] == parts]
    if len(found) == 1:
        return found[0]
    listed = found or [path for path in paths if PurePosixPath(path).name in parts[-1:]] or list(paths)
    further = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    raise StudyError(
        f"{archive}: one file is to end in '{name}', {len(found) or 'none'} does; there is"
        f" {', '.join(listed[:_MOST_NAMED])}{further}"
    )


def _members(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members = tar.getmembers()
    # tarfile takes a header that it cannot read for the end, and leaves the checksum behind the end unread.
    file = cast(IO[bytes], tar.fileobj)
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.TarError(f"cut short or damaged after member {len(members)}")
    while file.read(_CHUNK):
        pass
    return members


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in _members(tar):
            _refuse_outside(member.name)
            if not (member.isfile() or member.isdir()):
                raise tarfile.TarError(f"'{member.name}' is a link or a special file")
        # Python before 3.11.4 has no filters; the checks above are as strict.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        tar.extractall(folder)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for name in zipped.namelist():
            _refuse_outside(name)
        zipped.extractall(folder)


def _refuse_outside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"'{name}' would land outside the folder")
