"""Files from elsewhere: fetched whole and checked before use, or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from tocompress.errors import StudyError
from tocompress.tables import replace_on_success

TIMEOUT_S = 60.0
#: Waits between the attempts at one address; there is one attempt more than waits.
PAUSES_S = (1.0, 4.0, 15.0)

_CHUNK = 1 << 20
_PROGRESS_EVERY_S = 10.0
_WORTH_RETRYING = {408, 425, 429, 500, 502, 503, 504}
#: What tarfile and zipfile raise on a damaged, encrypted or unsafe archive.
_ARCHIVE_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, RuntimeError)


def fetch(url: str, destination: Path, *, sha256: str | None, mirrors: Sequence[str] = ()) -> str:
    """Bring a file to `destination` and return its SHA-256 in hexadecimal.

    `url`, then each of `mirrors`, is tried: `https:`, `http:`, `file:`, or a path relative to the working directory.
    `destination` changes only once the whole file is there and, where `sha256` is given, has this digest;
    otherwise StudyError says what failed at each address.
    """
    failures = []
    for address in (url, *mirrors):
        try:
            with replace_on_success(destination) as temporary:
                with open(temporary, "wb") as file:
                    _copy(address, file)
                digest = _digest(temporary)
                if sha256 is not None and digest != sha256.lower():
                    raise StudyError(f"expected the sha256 {sha256.lower()}, found {digest}")
            return digest
        except (StudyError, HTTPException, OSError, ValueError) as error:
            failures.append(f"{address}: {error}")
    raise StudyError(f"{'; '.join(failures)}; restore the file, name another copy, or correct the config")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive (compressed or not) or a zip file as the new `folder`; any other file is copied into it.

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
                shutil.copy(archive, content)
            content.replace(folder)
        except _ARCHIVE_ERRORS as error:
            raise StudyError(f"{archive}: cannot be unpacked as {folder}: {error}") from error


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
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


def _copy(address: str, file: BinaryIO) -> None:
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        _download(address, file)
    elif parts.scheme in ("", "file"):
        with open(url2pathname(parts.path) if parts.scheme else address, "rb") as source:
            shutil.copyfileobj(source, file, _CHUNK)
    else:
        raise StudyError(f"'{parts.scheme}:' is not supported; https:, http:, file: or a path is")


def _download(url: str, file: BinaryIO) -> None:
    """Write what `url` serves to `file`, each attempt going on where the one before broke off."""
    validator = ""
    for pause in (*PAUSES_S, None):
        try:
            with _open(url, file.tell() if validator else 0, validator) as response:
                if response.status != 206:
                    file.seek(0)
                    file.truncate()
                validator = response.headers["ETag"] or response.headers["Last-Modified"] or ""
                _receive(url, response, file)
            return
        except (OSError, HTTPException) as error:
            if pause is None or (isinstance(error, HTTPError) and error.code not in _WORTH_RETRYING):
                raise
            print(f"{url}: {error}; next attempt in {pause:g} s", flush=True)
            time.sleep(pause)


def _open(url: str, offset: int, validator: str) -> HTTPResponse:
    # If-Range: a server whose file has changed since, or that knows no ranges, sends the whole file.
    headers = {"Range": f"bytes={offset}-", "If-Range": validator} if offset else {}
    response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    return response


def _receive(url: str, response: HTTPResponse, file: BinaryIO) -> None:
    length = response.headers["Content-Length"]
    total = None if length is None else file.tell() + int(length)
    due = time.monotonic() + _PROGRESS_EVERY_S
    while chunk := response.read(_CHUNK):
        file.write(chunk)
        if time.monotonic() > due:
            due += _PROGRESS_EVERY_S
            of_total = "" if total is None else f" of {total / 1e6:.0f}"
            print(f"{url}: {file.tell() / 1e6:.0f}{of_total} MB", flush=True)
    # http.client takes an early end of the connection for the end of the file.
    if total is not None and file.tell() != total:
        raise ConnectionError(f"the connection ended after {file.tell()} of {total} bytes")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
