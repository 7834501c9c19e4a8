"""Tar archives, compressed or not, and zip files: unpacked whole and inside their folder, or not at all."""

from __future__ import annotations

import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from tocompress.errors import StudyError
from tocompress.files import digest, replace_on_success

#: What tarfile and zipfile raise on a damaged, encrypted or unsafe archive.
_ERRORS = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError),
    *(EOFError, IndexError, MemoryError, OSError, OverflowError, RuntimeError, ValueError, struct.error),
)
#: How gzip, bzip2, xz and zip files start, also those that are cut short.
_STARTS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04")
_ENCRYPTED = 1  # flag of a file in a zip file
_MOST_NAMED = 10
_NONE = "neither a whole tar archive nor a whole zip file"
_NEEDED = "a whole archive of files that stay in its folder is needed, and room for them"
_CHUNK = 1 << 20

_File = tuple[str, Callable[[], IO[bytes]]]  # path, what opens it


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive (compressed or not) or a zip file as the new `folder`.

    A damaged archive, a member outside the folder, a link or a special file, one name twice, or more than there is room
    for raises StudyError, and no folder is made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        try:
            if _is_tar(archive):
                _unpack_tar(archive, content)
            elif zipfile.is_zipfile(archive):
                _unpack_zip(archive, content)
            else:
                raise tarfile.TarError(_NONE)
            content.replace(folder)
        except _ERRORS as error:
            raise StudyError(f"{archive}: cannot be unpacked: {_reason(error)}") from error


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, compressed or not, or a zip file, or is compressed but damaged."""
    with open(path, "rb") as file:
        return file.read(8).startswith(_STARTS) or _is_tar(path) or zipfile.is_zipfile(path)


def extract(archive: Path, name: str, destination: Path, *, md5: str | None = None) -> None:
    """Write the one file of a tar archive or zip file whose path ends in the components of `name` to `destination`.

    StudyError where there is none or more than one, where it has another `md5`, or where the archive is damaged;
    `destination` is then as it was before.
    """
    try:
        with (
            _files(archive) as files,
            _only(files, name, archive)() as source,
            replace_on_success(destination) as temporary,
        ):
            with open(temporary, "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
            if md5 is not None and (found := digest(temporary, "md5")) != md5:
                raise StudyError(f"{archive}: expected the md5 {md5} of '{name}', found {found}; get the archive again")
    except _ERRORS as error:
        raise StudyError(f"{archive}: '{name}' cannot be unpacked: {_reason(error)}") from error


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except MemoryError:  # LZMA's older format has no magic number: bytes of any file can ask for a dictionary of 4 GiB
        return False


@contextmanager
def _files(archive: Path) -> Iterator[list[_File]]:
    """The path of each file in an archive, and what opens it."""
    if _is_tar(archive):
        with tarfile.open(archive) as tar:
            yield [(file.name, partial(cast(Any, tar.extractfile), file)) for file in _members(tar) if file.isfile()]
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield [(file.filename, partial(zipped.open, file)) for file in _entries(zipped) if not file.is_dir()]
    else:
        raise StudyError(f"{archive}: {_NONE}")


def _only(files: Sequence[_File], name: str, archive: Path) -> Callable[[], IO[bytes]]:
    parts = PurePosixPath(name).parts
    fitting = [file for file in files if PurePosixPath(file[0]).parts[-len(parts) :] == parts]
    if len(fitting) == 1:
        return fitting[0][1]
    found, paths = ([path for path, _ in some] for some in (fitting, files))
    listed = found or [path for path in paths if PurePosixPath(path).name in parts[-1:]] or list(paths)
    further = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    raise StudyError(
        f"{archive}: one file is to end in '{name}', {f'{len(found)} do' if found else 'none does'}; there is"
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


def _entries(zipped: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = zipped.infolist()
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED:
            raise zipfile.BadZipFile(f"'{entry.filename}' is encrypted")
    return entries


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        members = _members(tar)
        _check_names(member.name for member in members if member.isfile())
        _check_room(sum(member.size for member in members), folder)
        for member in members:
            _refuse_outside(member.name)
            if not (member.isfile() or member.isdir()):
                raise tarfile.TarError(f"'{member.name}' is a link or a special file")
        # Python before 3.11.4 has no filters; the checks above are as strict.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        tar.extractall(folder)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        members = _entries(zipped)
        _check_names(member.filename for member in members)
        _check_room(sum(member.file_size for member in members), folder)
        zipped.extractall(folder)


def _check_names(names: Iterable[str]) -> None:
    seen: set[PurePosixPath] = set()
    for name in names:
        _refuse_outside(name)
        if (path := PurePosixPath(name)) in seen:
            raise tarfile.TarError(f"'{name}' is in it twice")
        seen.add(path)


def _check_room(size: int, folder: Path) -> None:
    if size > (free := shutil.disk_usage(folder).free):
        raise tarfile.TarError(f"it takes {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free in {folder.parents[1]}")


def _reason(error: Exception) -> str:
    return f"{str(error) or type(error).__name__}; {_NEEDED}"


def _refuse_outside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"'{name}' would land outside the folder")
