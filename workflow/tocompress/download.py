"""Download files. A file is there whole and checked, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from requests import RequestException, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from tocompress.errors import StudyError
from tocompress.files import digest, replace_on_success
from tocompress.settings.base import Download

#: The time that a server may be silent.
TIMEOUT_S = 60.0
#: After attempts that bring nothing new, urllib3 waits 0, 2, 4 and 8 s, or as long as the server asks.
RETRIES = Retry(
    total=4,
    backoff_factor=1,
    retry_after_max=120,
    status_forcelist=(408, 425, 429, 500, 502, 503, 504),
    raise_on_status=False,
)
REPORT_EVERY_S = 10.0

_CHUNK = 1 << 16

_Report = Callable[[str], None]


class _Failed(Exception):
    """The error of an address that does not give the file. The next address is tried."""


def download(source: Download, destination: Path, report: _Report = print) -> str:
    """Bring a file to `destination` and return its SHA-256 in hexadecimal. Only check a file that is there already.

    `source.url` is tried, then each mirror. These are `https:`, `http:`, `file:`, or a path relative to the working
    directory. The digest is recorded in `{destination}.sha256`. Without `source.sha256`, a later file must have this
    digest. Where the digest is known, `{destination}.part` keeps the bytes that have arrived, and the next call goes on
    from there. StudyError names the failure at each address. With TOCOMPRESS_OFFLINE set and not 0, no network is used.
    """
    record = _beside(destination, "sha256")
    try:
        known = _known(source, record)
        destination.parent.mkdir(parents=True, exist_ok=True)
        found = _obtain(source, destination, known, report)
        line = f"{found}  {destination.name}\n"
        # The folder may be another user's, so nothing is written without need.
        if not record.is_file() or record.read_text(errors="replace") != line:
            with replace_on_success(record) as temporary:
                temporary.write_text(line)
        return found
    except OSError as error:
        raise StudyError(
            f"{error.filename or _beside(destination, 'part')}: {error.strerror or error}; a folder that can be written"
            " to, with room for the whole file, is needed; run the same command again"
        ) from error


def _known(source: Download, record: Path) -> str | None:
    """Return the digest that the file must have, from the config or else from its first use."""
    if source.sha256 or not record.is_file():
        return source.sha256
    first = record.read_text(errors="replace").partition(" ")[0]
    if not re.fullmatch("[0-9a-f]{64}", first):
        raise StudyError(f"{record}: does not start with a sha256; delete it and run again")
    return first


def _obtain(source: Download, destination: Path, known: str | None, report: _Report) -> str:
    """Bring the file to `destination` from the first address that gives it, and return its digest."""
    present = (str(destination),) if destination.is_file() else ()
    failures = []
    for address in (*present, source.url, *source.mirrors):
        try:
            if address in present:
                return _checked(destination, known)
            return _fetch(address, destination, known, report)
        except (_Failed, RequestException, HTTPError, ValueError) as error:
            failures.append(f"{address}: {_reason(error)}")
            report(failures[-1])
    record = _beside(destination, "sha256")
    meant = f", or delete {record} if a change is meant" if source.sha256 is None and known else ""
    raise StudyError(
        f"{destination} cannot be had: {'; '.join(failures)}; put the file there by hand, or correct the config{meant}"
    )


def _fetch(address: str, destination: Path, known: str | None, report: _Report) -> str:
    part = _beside(destination, "part")
    remote = urlsplit(address).scheme in ("http", "https")
    # Only a known digest tells whether the rest of a file belongs to its beginning.
    resumed = remote and known is not None and part.exists()
    if remote:
        _receive(address, part, known, report)
    else:
        _copy(address, part)
    try:
        found = _checked(part, known)
    except _Failed as error:
        part.unlink()
        if not resumed:
            raise
        report(f"{address}: {error}; starting over")
        return _fetch(address, destination, known, report)
    part.replace(destination)
    return found


def _checked(path: Path, known: str | None) -> str:
    """Return the digest of the file, or raise _Failed if it differs from `known`."""
    found = digest(path)
    with open(path, "rb") as file:
        page = file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
    # A page in place of a file must not become its first use.
    if found == known or (known is None and not page):
        return found
    expected = f"the sha256 {known}" if known else "a file of data"
    raise _Failed(f"expected {expected}, found {found}{', the answer is an HTML page' if page else ''}")


def _copy(address: str, part: Path) -> None:
    try:
        source = open(url2pathname(urlsplit(address).path) if address.startswith("file:") else address, "rb")  # noqa: SIM115
    except OSError as error:
        raise _Failed(str(error)) from error
    with source, open(part, "wb") as file:
        shutil.copyfileobj(source, file)


def _receive(url: str, part: Path, known: str | None, report: _Report) -> None:
    """Write the file at `url` to `part`. After an interruption, go on if the digest is known, or else start over."""
    if os.environ.get("TOCOMPRESS_OFFLINE", "0") not in ("", "0"):
        raise _Failed("not opened, as TOCOMPRESS_OFFLINE is set")
    retries, most = RETRIES, _size(part)
    with _session(url) as session:
        while True:
            try:
                return _receive_rest(session, url, part, _size(part) if known else 0, report)
            except InvalidSchema as error:
                raise _Failed(f"a redirect is not followed: {error}") from error
            except HTTPError as error:
                report(f"{url}: {_reason(error)}")
                if _size(part) > most:
                    retries, most = RETRIES, _size(part)
                retries = retries.increment("GET", url, error=error)
                retries.sleep()


def _session(url: str) -> Session:
    session = Session()
    # Some servers refuse Python's own name. Others compress an archive once more unless the client objects.
    session.headers.update({"User-Agent": "tocompress", "Accept-Encoding": "identity"})
    for scheme in ("https", "http"):
        session.mount(f"{scheme}://", HTTPAdapter(max_retries=RETRIES))
    if urlsplit(url).scheme == "https":
        # A redirect must not lead to an address that others can tamper with.
        del session.adapters["http://"]
    return session


def _receive_rest(session: Session, url: str, part: Path, offset: int, report: _Report) -> None:
    """Write the file at `url` behind the first `offset` bytes of `part`, or all of it where the server sends all."""
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        status = response.status_code
        if offset and status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # because the part goes to the end of the file
        if status != HTTPStatus.OK and not (offset and status == HTTPStatus.PARTIAL_CONTENT):
            raise _Failed(f"the answer has the status {status} {response.reason}")
        done = offset if status == HTTPStatus.PARTIAL_CONTENT else 0
        left = response.raw.length_remaining
        # The digest is of the bytes as they are, but requests would decode bytes that a server calls compressed.
        _write(response.raw.stream(_CHUNK, decode_content=False), part, done, left and done + left, report)


def _write(chunks: Iterable[bytes], part: Path, done: int, length: int | None, report: _Report) -> None:
    """Write `chunks` behind the first `done` bytes, and report now and then."""
    of = f" of {length / 1e6:.0f}" if length else ""
    due = time.monotonic() + REPORT_EVERY_S
    with open(part, "ab") as file:
        file.truncate(done)
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            if time.monotonic() >= due:
                due = time.monotonic() + REPORT_EVERY_S
                report(f"{part.stem}: {done / 1e6:.0f}{of} MB")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _reason(error: Exception) -> str:
    """Return the error and its first cause, in one line."""
    if isinstance(error, _Failed):
        return str(error)
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    return " ".join(f"{type(error).__name__}: {first}".split())
