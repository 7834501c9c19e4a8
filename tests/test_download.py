"""A fetched file is whole and the right one, or is not there; what has arrived is not fetched again."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler

import numpy as np
import pytest

from tocompress import download as module
from tocompress.download import download
from tocompress.errors import StudyError
from tocompress.settings.base import Download

CONTENT, OTHER = (np.random.default_rng(seed).bytes(300_000) for seed in (0, 1))
PAGE = b"\n<!DOCTYPE html><title>Log in</title>"
HALF = 150_000
REST = f"bytes={HALF}-"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Server:
    """A server on this machine; `plan` says what it does with the requests to come, before it serves them well."""

    address: str = ""
    content: bytes = CONTENT
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    plan: list[str] = field(default_factory=list)
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def source(self, content: bytes | None = CONTENT, path: str = "/file", mirrors: tuple[str, ...] = ()) -> Download:
        digest = None if content is None else sha256(content)
        return Download(url=self.address + path, sha256=digest, mirrors=mirrors)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(module, "TIMEOUT_S", 1.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TOCOMPRESS_OFFLINE", raising=False)
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ranged, condition = self.headers["Range"], self.headers["If-Range"]
            state.asked.append((ranged, condition))
            step = "404" if self.path == "/missing" else state.plan.pop(0) if state.plan else "well"
            if self.path == "/moved":
                return self.answer(302, {"Location": f"{state.address}/file"})
            if step.isdigit():
                return self.answer(int(step), {"Retry-After": "1000"} if step == "503" else {})
            if step == "page":
                return self.answer(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
            goes_on = ranged and (condition in (None, state.headers.get("ETag")) or step == "any condition")
            start = int(ranged[6:-1]) if goes_on and step != "no ranges" else 0
            shift = 10 if step == "shifted" else 0
            span = f"bytes {start - shift}-{len(state.content) - 1}/{len(state.content)}"
            end = {"cut": HALF, "stall": HALF, "cut late": HALF + 1}.get(step, len(state.content))
            if start:
                self.answer(206, {**state.headers, "Content-Range": span}, state.content[start - shift :], end - start)
            else:
                self.answer(200, state.headers, state.content, end)
            if step == "stall":
                state.go_on.wait(10)

        def answer(self, status: int, headers: dict[str, str], body: bytes = b"", end: int | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:end])

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    state.address = f"http://127.0.0.1:{http.server_port}"
    yield state
    state.go_on.set()
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file"


def left(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def leave_half(server: Server, file: Path, source: Download) -> None:
    """A call that gets half of the file and then nothing more."""
    server.plan[:] = ["cut", "404"]
    with pytest.raises(StudyError):
        download(source, file)
    assert file.with_name("file.part").stat().st_size == HALF
    server.asked.clear()


def test_the_file_arrives(server: Server, file: Path) -> None:
    assert download(server.source(), file) == sha256(CONTENT)
    assert file.read_bytes() == CONTENT
    assert left(file) == ["file", "file.sha256"]


@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_file_that_is_there_needs_neither_network_nor_lock(
    server: Server, file: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    download(server.source(content), file)
    monkeypatch.setattr(module, "_alone", None)
    assert download(server.source(content), file) == sha256(CONTENT)
    assert server.asked == [(None, None)]


def test_a_wrong_digest_leaves_nothing_and_spares_an_earlier_file(server: Server, file: Path) -> None:
    expected = f"/file: expected the sha256 {sha256(OTHER)}, found {sha256(CONTENT)};"
    with pytest.raises(StudyError, match=expected):
        download(server.source(OTHER), file)
    assert left(file) == []
    file.write_text("earlier")
    with pytest.raises(StudyError, match=expected):
        download(server.source(OTHER), file)
    assert file.read_text() == "earlier"
    assert left(file) == ["file"]


@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_page_in_place_of_the_file_is_called_one(server: Server, file: Path, content: bytes | None) -> None:
    server.plan = ["page"]
    with pytest.raises(StudyError, match=f"found {sha256(PAGE)}, the answer is an HTML page"):
        download(server.source(content), file)
    assert left(file) == []


@pytest.mark.parametrize("step", ["cut", "stall"])
@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_broken_download_goes_on_where_it_ended(server: Server, file: Path, step: str, content: bytes | None) -> None:
    server.plan = [step]
    assert download(server.source(content), file) == sha256(CONTENT)
    assert server.asked == [(None, None), (REST, '"one"')]


def test_a_killed_download_is_gone_on_with_by_the_next_process(server: Server, file: Path) -> None:
    server.plan = ["stall"]
    first = multiprocessing.get_context("spawn").Process(target=download, args=(server.source(), file))
    first.start()
    part = file.with_name("file.part")
    while first.is_alive() and not (part.exists() and part.stat().st_size >= 100_000):
        time.sleep(0.01)
    first.kill()
    first.join()
    arrived = part.stat().st_size
    assert download(server.source(), file) == sha256(CONTENT)
    assert server.asked == [(None, None), (f"bytes={arrived}-", '"one"')]
    assert left(file) == ["file", "file.sha256"]


def test_a_known_digest_lets_another_server_go_on(server: Server, file: Path) -> None:
    server.headers = {}
    leave_half(server, file, server.source())
    source = server.source(path="/missing", mirrors=(f"{server.address}/mirror",))
    assert download(source, file) == sha256(CONTENT)
    assert server.asked == [(REST, None), (REST, None)]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}, {"Last-Modified": "Wed, 01 Jan 3020 00:00:00 GMT"}])
def test_without_a_digest_only_what_the_server_vouches_for_is_gone_on_with(
    server: Server, file: Path, headers: dict[str, str]
) -> None:
    server.headers = headers
    leave_half(server, file, server.source(None))
    assert download(server.source(None), file) == sha256(CONTENT)
    assert server.asked == [(None, None)]


def test_without_a_digest_another_address_starts_over(server: Server, file: Path) -> None:
    leave_half(server, file, server.source(None))
    download(server.source(None, path="/mirror"), file)
    assert server.asked == [(None, None)]


def test_a_date_vouches_for_a_file_that_is_older_than_the_answer(server: Server, file: Path) -> None:
    server.headers = {"Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT"}
    leave_half(server, file, server.source(None))
    download(server.source(None), file)
    assert server.asked[0] == (REST, "Wed, 01 Jan 2020 00:00:00 GMT")


@pytest.mark.parametrize("step", ["no ranges", "416", "shifted"])
def test_what_does_not_fit_starts_over(server: Server, file: Path, step: str) -> None:
    leave_half(server, file, server.source(None))
    server.plan[:] = [step]
    assert download(server.source(None), file) == sha256(CONTENT)
    assert left(file) == ["file", "file.sha256"]


@pytest.mark.parametrize("step", ["well", "any condition"])
@pytest.mark.parametrize("change", [OTHER, OTHER[:200_000]])
def test_a_file_that_changed_in_between_comes_whole(server: Server, file: Path, step: str, change: bytes) -> None:
    leave_half(server, file, server.source(None))
    server.content, server.headers, server.plan[:] = change, {"ETag": '"two"'}, [step]
    assert download(server.source(None), file) == sha256(change)


def test_a_file_of_another_length_has_changed_even_if_the_server_does_not_say_so(server: Server, file: Path) -> None:
    leave_half(server, file, server.source(None))
    server.content, server.headers, server.plan[:] = OTHER[:200_000], {}, ["any condition"]
    assert download(server.source(None), file) == sha256(OTHER[:200_000])


def test_pieces_that_make_a_wrong_file_are_replaced_once(server: Server, file: Path) -> None:
    server.headers = {}
    leave_half(server, file, server.source())
    file.with_name("file.part").write_bytes(bytes(HALF))
    assert download(server.source(), file) == sha256(CONTENT)
    assert server.asked == [(REST, None), (None, None)]

    file.unlink()
    leave_half(server, file, server.source(OTHER))
    server.plan[:] = ["well", "cut", "well"]
    with pytest.raises(StudyError, match=f"found {sha256(CONTENT)}"):
        download(server.source(OTHER), file)
    assert server.asked == [(REST, None), (None, None), (REST, None)]
    assert left(file) == ["file.sha256"]  # of the file before


def test_a_whole_part_is_only_checked(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, "_verified", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            download(server.source(), file)
    assert left(file) == ["file.part", "file.part.json"]
    download(server.source(), file)
    assert server.asked == [(None, None)]


def test_a_page_does_not_cost_what_has_arrived(server: Server, file: Path) -> None:
    leave_half(server, file, server.source())
    server.plan[:] = ["page"]
    with pytest.raises(StudyError, match="the answer is an HTML page"):
        download(server.source(), file)
    download(server.source(), file)
    assert server.asked[-1] == (REST, '"one"')


def test_a_busy_server_is_asked_again_when_it_says_but_not_too_late(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    server.plan = ["429", "503"]
    assert download(server.source(), file) == sha256(CONTENT)
    assert pauses == [0, module.LONGEST_PAUSE_S]


def test_a_download_that_brings_nothing_new_ends_but_one_that_does_goes_on(server: Server, file: Path) -> None:
    server.headers, server.plan = {}, ["cut"] * 3
    with pytest.raises(StudyError, match="/file: the connection ended after 150000 of 300000 bytes"):
        download(server.source(None), file)
    assert len(server.asked) == 3
    server.plan = ["500", "500", "cut late", "500"]
    assert download(server.source(), file) == sha256(CONTENT)


def test_a_mirror_is_used_at_once_when_an_address_has_no_such_file(server: Server, file: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("another file")
    mirrors = (str(tmp_path / "wrong"), f"{server.address}/file")
    assert download(server.source(path="/missing", mirrors=mirrors), file) == sha256(CONTENT)
    assert len(server.asked) == 2


def test_every_address_that_failed_is_named_in_one_line(server: Server, file: Path) -> None:
    mirrors = ("nowhere", "ftp:file", "http://127.0.0.1:x/", "http://127.0.0.1:1/")
    expected = (
        f"^{file} cannot be had: .*/missing: HTTP Error 404.*nowhere: .*No such file.*'ftp:' is not.*:x/: .*"
        ":1/: .*refused.*put the file there by hand, or correct the config$"
    )
    told: list[str] = []
    with pytest.raises(StudyError, match=expected) as raised:
        download(server.source(path="/missing", mirrors=mirrors), file, told.append)
    assert "\n" not in str(raised.value)
    assert [line.partition(": ")[0] for line in told] == [server.address + "/missing", *mirrors, mirrors[-1]]


def test_a_redirect_is_followed_but_not_from_https_to_http(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert download(server.source(path="/moved"), file) == sha256(CONTENT)
    file.unlink()

    def unencrypted(handler: Any, request: Any) -> Any:
        return handler.do_open(HTTPConnection, request)

    monkeypatch.setattr(HTTPSHandler, "https_open", unencrypted)
    server.asked.clear()
    source = Download(url=server.address.replace("http", "https") + "/moved", sha256=sha256(CONTENT))
    with pytest.raises(StudyError, match=f"https.*/moved: redirects to {server.address}/file"):
        download(source, file)
    assert len(server.asked) == 1


def test_the_first_use_of_a_file_is_binding(server: Server, file: Path) -> None:
    record = file.with_name("file.sha256")
    download(server.source(None), file)
    assert record.read_text() == f"{sha256(CONTENT)}  file\n"
    file.unlink()
    server.content = OTHER
    with pytest.raises(StudyError, match=f"found {sha256(OTHER)}.*or delete {record} if a change is meant$"):
        download(server.source(None), file)
    assert left(file) == ["file.sha256"]
    record.unlink()
    assert download(server.source(None), file) == sha256(OTHER)
    record.write_text("not a digest")
    with pytest.raises(StudyError, match=r"file\.sha256: does not start with a sha256; delete it"):
        download(server.source(None), file)


@pytest.mark.parametrize("content", [CONTENT, None])
def test_offline_a_file_is_accepted_only_where_it_is(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setenv("TOCOMPRESS_OFFLINE", "1")
    source = server.source(content, mirrors=(f"{server.address}/mirror",))
    expected = f"{file} cannot be had: {server.address}/file: not opened.*/mirror.*TOCOMPRESS_OFFLINE.*by hand"
    with pytest.raises(StudyError, match=expected):
        download(source, file)
    file.write_bytes(CONTENT)
    assert download(source, file) == sha256(CONTENT)
    file.write_bytes(OTHER)
    with pytest.raises(StudyError, match=f"{file}: expected the sha256 {sha256(CONTENT)}, found {sha256(OTHER)}"):
        download(source, file)
    assert server.asked == []
    monkeypatch.setenv("TOCOMPRESS_OFFLINE", "0")
    assert download(source, file) == sha256(CONTENT)


def test_a_full_disk_is_told_in_one_line_and_then_gone_on_with(server: Server, file: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, limits[1]))
    try:
        with pytest.raises(StudyError, match=r"file\.part: File too large; .*room.*goes on$"):
            download(server.source(mirrors=("nowhere",)), file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert download(server.source(), file) == sha256(CONTENT)
    assert server.asked == [(None, None), (REST, '"one"')]


def test_a_place_that_cannot_be_written_is_told_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()
    with pytest.raises(StudyError, match=r"no folder.*; a folder that can be written to"):
        download(server.source(), tmp_path / "no folder" / "file")
    assert server.asked == []


def test_whoever_comes_second_waits_and_finds_the_file(server: Server, file: Path) -> None:
    server.plan = ["stall"]
    digests: list[str] = []
    told: list[str] = []

    def fetch(report: Callable[[str], None]) -> None:
        digests.append(download(server.source(), file, report))

    def wait(line: str) -> None:
        told.append(line)
        server.go_on.set()

    first = threading.Thread(target=fetch, args=(lambda line: None,))
    first.start()
    while not server.asked:
        time.sleep(0.001)
    fetch(wait)
    first.join()
    assert told == ["file: another process is fetching it; waiting for that"]
    assert digests == [sha256(CONTENT)] * 2
    assert server.asked == [(None, None), (REST, '"one"')]
    assert left(file) == ["file", "file.sha256"]


def test_who_has_waited_holds_a_lock_that_others_see(tmp_path: Path) -> None:
    lock, waiting, seen = tmp_path / "file.lock", threading.Event(), []

    def wait() -> None:
        with module._alone(lock, lambda line: waiting.set()):
            seen.append(lock.exists())

    second = threading.Thread(target=wait)
    with module._alone(lock, print):
        second.start()
        assert waiting.wait(10)
    second.join()
    assert seen == [True]
    assert not lock.exists()


def test_progress_is_told(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_EVERY_S", 0.0)
    server.content = bytes(20_000_000)
    told: list[str] = []
    download(server.source(None), file, told.append)
    assert re.fullmatch(r"file: \d+ of 20 MB, \d+\.\d MB/s, 0:00:0\d left", told[0])


def test_a_path_and_a_file_url_are_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCOMPRESS_OFFLINE", "1")
    for url in ("a file", (tmp_path / "a file").as_uri()):
        file = tmp_path / "new" / url.rpartition("/")[2]
        assert download(Download(url=url, sha256=sha256(CONTENT)), file) == sha256(CONTENT)
        assert file.read_bytes() == CONTENT
