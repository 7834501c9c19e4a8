"""Files from elsewhere: there whole and checked, or not at all; a download that breaks off is gone on with."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from io import BufferedReader
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, url2pathname

from tocompress.errors import StudyError
from tocompress.files import digest, replace_on_success
from tocompress.settings.base import Download

#: How long a server may be silent.
TIMEOUT_S = 60.0
#: Waits after attempts at one address that brought nothing new; there is one attempt more than waits.
PAUSES_S = (1.0, 4.0, 15.0)
#: The longest wait that a server can ask for.
LONGEST_PAUSE_S = 120.0
REPORT_EVERY_S = 10.0

_CHUNK = 1 << 18
_WORTH_RETRYING = {408, 425, 429}

_Report = Callable[[str], None]


class _Failed(Exception):
    """An address does not give the file: it is the next one's turn."""


class _Interrupted(_Failed):
    """A failure that may pass, after a pause of so many seconds if the server names one."""

    def __init__(self, reason: str, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


def download(source: Download, destination: Path, report: _Report = print) -> str:
    """Bring a file to `destination` and return its SHA-256 in hexadecimal; one that is there already is only checked.

    `source.url`, then each mirror, is tried: `https:`, `http:`, `file:`, or a path relative to the working directory.
    The digest is recorded in `{destination}.sha256`, and without `source.sha256` has to be that of the first time.
    What has arrived stays in `{destination}.part`, for the next call to go on with. StudyError says what failed at
    each address; where the environment variable TOCOMPRESS_OFFLINE is set and not 0, no network is used.
    """
    try:
        # Before the lock, which has to be written: the folder may be another user's.
        record = _beside(destination, "sha256")
        if destination.is_file() and record.is_file() and digest(destination) == (known := _known(source, destination)):
            return known
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _alone(_beside(destination, "lock"), report):
            return _obtain(source, destination, report)
    except OSError as error:
        raise StudyError(
            f"{error.filename or _beside(destination, 'part')}: {error.strerror or error}; a folder that can be written"
            " to, with room for the whole file, is needed; the same command then goes on"
        ) from error


def _obtain(source: Download, destination: Path, report: _Report) -> str:
    known, record = _known(source, destination), _beside(destination, "sha256")
    ways = {address: partial(_fetch, address, destination, known, report) for address in (source.url, *source.mirrors)}
    if destination.is_file():
        ways = {str(destination): partial(_verified, destination, known), **ways}
    failures = []
    for where, way in ways.items():
        try:
            found = way()
        except (_Failed, ValueError) as error:
            failures.append(f"{where}: {_line(error)}")
            if len(failures) < len(ways):
                report(failures[-1])
            continue
        with replace_on_success(record) as temporary:
            temporary.write_text(f"{found}  {destination.name}\n")
        return found
    meant = f", or delete {record} if a change is meant" if source.sha256 is None and known else ""
    raise StudyError(
        f"{destination} cannot be had: {'; '.join(failures)}; put the file there by hand, or correct the config{meant}"
    )


def _known(source: Download, destination: Path) -> str | None:
    """The digest that the file has to have: the config's, or else that of its first use."""
    record = _beside(destination, "sha256")
    if source.sha256 or not record.is_file():
        return source.sha256
    first = record.read_text(errors="replace").partition(" ")[0]
    if not re.fullmatch("[0-9a-f]{64}", first):
        raise StudyError(f"{record}: does not start with a sha256; delete it and run again")
    return first


def _fetch(address: str, destination: Path, known: str | None, report: _Report, again: bool = True) -> str:
    bring = _receive if urlsplit(address).scheme in ("http", "https") else _copy
    part = _Part(_beside(destination, "part"))
    pieced = bring(address, part, known, report)
    try:
        found = _verified(part.path, known)
    except _Failed as error:
        part.remove()
        if not (pieced and again):
            raise
        report(f"{address}: {error}; starting over")
        return _fetch(address, destination, known, report, again=False)
    part.path.replace(destination)
    part.remove()
    return found


def _verified(path: Path, known: str | None) -> str:
    found = digest(path)
    with open(path, "rb") as file:
        page = file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
    # A page in place of a file must not become its first use.
    if found == known or (known is None and not page):
        return found
    expected = f"the sha256 {known}" if known else "a file of data"
    raise _Failed(f"expected {expected}, found {found}{', the answer is an HTML page' if page else ''}")


@dataclass(frozen=True)
class _Origin:
    """Where a part is from, and what tells whether the rest on offer belongs to it."""

    address: str = ""
    validator: str = ""
    length: int | None = None


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file, and beside it a note of its origin."""

    path: Path

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self) -> _Origin:
        try:
            return _Origin(**json.loads(_beside(self.path, "json").read_text()))
        except (OSError, ValueError, TypeError):
            return _Origin()

    def write(self, chunks: Iterator[bytes], offset: int, origin: _Origin, report: _Report) -> None:
        """Put `chunks` after the first `offset` bytes, reporting now and then."""
        done, began = offset, time.monotonic()
        due = began + REPORT_EVERY_S
        with open(self.path, "ab") as file:
            # Before the note, or a kill in between would leave it with the bytes of another origin.
            file.truncate(offset)
            _beside(self.path, "json").write_text(json.dumps(asdict(origin)))
            for chunk in chunks:
                file.write(chunk)
                done += len(chunk)
                if (now := time.monotonic()) >= due:
                    due = now + REPORT_EVERY_S
                    rate = (done - offset) / (now - began)
                    of = f" of {origin.length / 1e6:.0f}" if origin.length else ""
                    left = f", {timedelta(seconds=(origin.length - done) // rate)} left" if origin.length else ""
                    report(f"{self.path.stem}: {done / 1e6:.0f}{of} MB, {rate / 1e6:.1f} MB/s{left}")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        _beside(self.path, "json").unlink(missing_ok=True)


def _copy(address: str, part: _Part, known: str | None, report: _Report) -> bool:
    scheme = urlsplit(address).scheme
    if scheme not in ("", "file"):
        raise _Failed(f"'{scheme}:' is not supported; https:, http:, file: or a path is")
    try:
        file = open(url2pathname(urlsplit(address).path) if scheme else address, "rb")  # noqa: SIM115
    except OSError as error:
        raise _Failed(str(error)) from error
    with file:
        part.write(_chunks(file), 0, _Origin(length=os.fstat(file.fileno()).st_size), report)
    return False


def _receive(url: str, part: _Part, known: str | None, report: _Report) -> bool:
    """Bring what `url` serves into the part; return whether that was put together from more than one answer."""
    if os.environ.get("TOCOMPRESS_OFFLINE", "0") not in ("", "0"):
        raise _Failed("not opened, as TOCOMPRESS_OFFLINE is set")
    most, pauses = part.size(), iter(PAUSES_S)
    while True:
        try:
            return _receive_once(url, part, known, report)
        except _Interrupted as error:
            if part.size() > most:
                most, pauses = part.size(), iter(PAUSES_S)
            if (pause := next(pauses, None)) is None:
                raise
            pause = max(pause, error.pause_s)
            report(f"{url}: {error}; next attempt in {pause:g} s")
            time.sleep(pause)


def _receive_once(url: str, part: _Part, known: str | None, report: _Report) -> bool:
    origin = part.origin()
    validator = origin.validator if origin.address == url else ""
    # Whether pieces belong together is told by the digest in the end, or else by the server.
    offset = part.size() if known or validator else 0
    if offset and offset == origin.length:
        return True
    with _open(url, offset, validator) as response:
        pieced = response.status == 206
        length = _length_if_rest(response.headers, offset, origin, validator) if pieced else response.length
        if isinstance(response, HTTPError) or (pieced and length is None):
            part.remove()
            raise _Interrupted(f"what is there does not follow the first {offset} bytes; starting over")
        if response.status not in (200, 206):
            raise _Failed(f"the answer has the status {response.status}")
        if offset and not pieced and response.headers.get_content_type() == "text/html":
            raise _Failed("the answer is an HTML page; what had arrived before is kept")
        origin = _Origin(url, validator if pieced and validator else _validator(response.headers), length)
        part.write(_chunks(response), offset if pieced else 0, origin, report)
    # http.client takes an early end of the connection for the end of the file.
    if length is not None and part.size() != length:
        raise _Interrupted(f"the connection ended after {part.size()} of {length} bytes")
    return pieced


def _open(url: str, offset: int, validator: str) -> HTTPResponse | HTTPError:
    """The answer to a request for all but the first `offset` bytes; an HTTPError where the file has no more."""
    headers = {"User-Agent": "tocompress"}  # some servers refuse Python's own
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator  # a file that has changed comes whole
    try:
        response: HTTPResponse = build_opener(_Redirects).open(Request(url, headers=headers), timeout=TIMEOUT_S)
        return response
    except HTTPError as error:
        if error.code == 416 and offset:
            return error
        if error.code in _WORTH_RETRYING or error.code >= 500:
            asked = error.headers["Retry-After"] or ""
            raise _Interrupted(_line(error), min(int(asked), LONGEST_PAUSE_S) if asked.isdecimal() else 0) from error
        raise _Failed(_line(error)) from error
    except InvalidURL as error:
        raise _Failed(_line(error)) from error
    except (OSError, HTTPException) as error:
        raise _Interrupted(_line(error)) from error


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Follow a redirect, but never from https to what can be tampered with."""
        if urlsplit(newurl).scheme not in ("https", urlsplit(req.full_url).scheme):
            raise _Failed(f"redirects to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _length_if_rest(headers: Message, offset: int, origin: _Origin, validator: str) -> int | None:
    """How long the whole file is, if a partial answer is the rest of what a part is the beginning of."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers["Content-Range"] or "")
    if not span or int(span[1]) != offset or origin.length not in (None, int(span[2])):
        return None
    same = not validator or (headers["ETag"] or headers["Last-Modified"]) in (None, validator)
    return int(span[2]) if same else None


def _validator(headers: Message) -> str:
    """What If-Range may hold by RFC 9110, 13.1.5: a strong tag, or a date that is older than the answer."""
    if tag := headers["ETag"]:
        return "" if tag.startswith("W/") else str(tag)
    try:
        age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(headers["Last-Modified"])
    except (TypeError, ValueError):
        return ""
    return str(headers["Last-Modified"]) if age >= timedelta(seconds=1) else ""


def _chunks(source: HTTPResponse | BufferedReader) -> Iterator[bytes]:
    try:
        while chunk := source.read1(_CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _Interrupted(_line(error)) from error


@contextmanager
def _alone(path: Path, report: _Report) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for whoever has it; a killed process leaves the file, but no lock on it."""
    while True:
        with open(path, "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(f"{path.stem}: another process is fetching it; waiting for that")
                fcntl.flock(lock, fcntl.LOCK_EX)
            # The one before has removed the file that was opened here; the next may have made another.
            if _is_at(path, lock):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _is_at(path: Path, file: IO[Any]) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
