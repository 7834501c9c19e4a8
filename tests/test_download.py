"""A fetched file is whole and the right one, or is not there. What has arrived of a known file is not fetched again."""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from requests.adapters import HTTPAdapter

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
    """A server on this machine. `plan` says what it does with the next requests, before it serves them well."""

    address: str = ""
    content: bytes = CONTENT
    plan: list[str] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def source(self, content: bytes | None = CONTENT, path: str = "/file", mirrors: tuple[str, ...] = ()) -> Download:
        return Download(url=self.address + path, sha256=content and sha256(content), mirrors=mirrors)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "RETRIES", module.RETRIES.new(total=2, backoff_factor=0))
    monkeypatch.setattr(module, "TIMEOUT_S", 1.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TOCOMPRESS_OFFLINE", raising=False)
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ranged = self.headers["Range"]
            state.asked.append(ranged)
            step = self.path[1:] if self.path[1:].isdigit() else state.plan.pop(0) if state.plan else "well"
            if self.path == "/moved":
                return self.answer(302, {"Location": f"{state.address}/file"})
            if step.isdigit():
                return self.answer(int(step), {"Retry-After": "0"} if step == "503" else {})
            if step == "page":
                return self.answer(200, {"Content-Type": "text/html"}, PAGE)
            start = int(ranged[6:-1]) if ranged and step != "no ranges" else 0
            end = {"cut": HALF, "stall": HALF, "cut late": HALF + 1}.get(step, len(state.content))
            headers = {"Content-Encoding": "gzip"} if step == "encoded" else {}
            self.answer(206 if start else 200, headers, state.content[start:], end - start)
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
    """Leave half of the file, after which the server has no more."""
    server.plan[:] = ["cut", "404"]
    with pytest.raises(StudyError):
        download(source, file)
    assert file.with_name("file.part").stat().st_size == HALF
    server.asked.clear()


@pytest.mark.parametrize("content", [CONTENT, None])
@pytest.mark.parametrize("step", ["well", "encoded", "503", "cut", "stall", "no ranges"])
def test_the_file_arrives(server: Server, file: Path, content: bytes | None, step: str) -> None:
    server.plan = [step]
    assert download(server.source(content), file) == sha256(CONTENT)
    assert file.read_bytes() == CONTENT
    assert left(file) == ["file", "file.sha256"]
    assert server.asked[1:] in ([], [None]) if content is None or step == "503" else None not in server.asked[1:]


@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_file_that_is_there_is_only_checked(server: Server, file: Path, content: bytes | None) -> None:
    download(server.source(content), file)
    server.asked.clear()
    file.parent.chmod(0o500)
    assert download(server.source(content), file) == sha256(CONTENT)
    file.parent.chmod(0o700)
    assert server.asked == []


def test_a_wrong_file_leaves_nothing_and_spares_an_earlier_file(server: Server, file: Path) -> None:
    with pytest.raises(StudyError, match=f"/file: .*{sha256(OTHER)}.*{sha256(CONTENT)}"):
        download(server.source(OTHER), file)
    assert left(file) == []
    file.write_text("earlier")
    with pytest.raises(StudyError, match=f"{file}: .*/file: "):
        download(server.source(OTHER), file)
    assert file.read_text() == "earlier" and left(file) == ["file"]


@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_page_is_not_taken_for_the_file(server: Server, file: Path, content: bytes | None) -> None:
    server.plan = ["page"]
    with pytest.raises(StudyError, match="HTML"):
        download(server.source(content), file)
    assert left(file) == []


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
    assert server.asked == [None, f"bytes={arrived}-"]
    assert left(file) == ["file", "file.sha256"]


def test_a_known_digest_lets_a_mirror_go_on(server: Server, file: Path) -> None:
    leave_half(server, file, server.source())
    assert download(server.source(path="/404", mirrors=(f"{server.address}/mirror",)), file) == sha256(CONTENT)
    assert server.asked == [REST, REST]


def test_without_a_digest_a_later_run_starts_over(server: Server, file: Path) -> None:
    leave_half(server, file, server.source(None))
    server.content = OTHER
    assert download(server.source(None), file) == sha256(OTHER)
    assert server.asked == [None]


def test_a_part_of_another_file_is_replaced_once(server: Server, file: Path) -> None:
    part = file.with_name("file.part")
    leave_half(server, file, server.source())
    part.write_bytes(bytes(HALF))
    assert download(server.source(), file) == sha256(CONTENT)
    assert server.asked == [REST, None]
    server.asked.clear()
    part.write_bytes(bytes(HALF))
    with pytest.raises(StudyError, match=sha256(OTHER)):
        download(server.source(OTHER), file)
    assert server.asked == [REST, None]
    assert left(file) == ["file", "file.sha256"]


def test_a_whole_part_is_taken(server: Server, file: Path) -> None:
    leave_half(server, file, server.source())
    file.with_name("file.part").write_bytes(CONTENT)
    server.plan = ["416"]
    assert download(server.source(), file) == sha256(CONTENT)


def test_a_download_that_brings_nothing_new_ends_but_one_that_does_goes_on(server: Server, file: Path) -> None:
    server.plan = ["cut"] * 9
    with pytest.raises(StudyError, match=r"/file: .*150000"):
        download(server.source(None), file)
    assert len(server.asked) == 3
    server.plan = ["cut", "cut", "500", "500", "cut late", "cut late", "500"]
    assert download(server.source(), file) == sha256(CONTENT)


def test_mirrors_are_tried_in_order_and_each_failure_is_named_in_one_line(server: Server, file: Path) -> None:
    mirrors = ("nowhere", "ftp:file", "http://127.0.0.1:x/", "http://127.0.0.1:1/")
    told: list[str] = []
    with pytest.raises(StudyError, match=rf"^{file} .*/404: .*404.*nowhere: .*refused") as raised:
        download(server.source(path="/404", mirrors=mirrors), file, told.append)
    assert "\n" not in str(raised.value)
    assert [line.partition(": ")[0] for line in told] == [server.address + "/404", *mirrors]
    assert download(server.source(path="/404", mirrors=(*mirrors, f"{server.address}/file")), file) == sha256(CONTENT)


def test_a_redirect_is_followed_but_not_from_https_to_http(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert download(server.source(path="/moved"), file) == sha256(CONTENT)
    file.unlink()
    send = HTTPAdapter.send

    def unencrypted(adapter: HTTPAdapter, request: Any, **options: Any) -> Any:
        url, request.url = request.url, request.url.replace("https:", "http:")
        response = send(adapter, request, **options)
        request.url = response.url = url
        return response

    monkeypatch.setattr(HTTPAdapter, "send", unencrypted)
    server.asked.clear()
    source = Download(url=server.address.replace("http", "https") + "/moved", sha256=sha256(CONTENT))
    with pytest.raises(StudyError, match=f"https.*/moved: .*{server.address}/file"):
        download(source, file)
    assert len(server.asked) == 1


def test_what_is_no_tls_is_told(server: Server, file: Path) -> None:
    address = server.address.replace("http", "https")
    with pytest.raises(StudyError, match=f"{address}: .*SSL"):
        download(Download(url=address), file)


def test_a_proxy_is_used(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    source = Download(url="http://files.invalid/file", sha256=sha256(CONTENT))
    assert download(source, file) == sha256(CONTENT)
    file.unlink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(StudyError, match="Proxy"):
        download(source, file)


def test_the_first_use_of_a_file_is_binding(server: Server, file: Path) -> None:
    record = file.with_name("file.sha256")
    download(server.source(None), file)
    assert record.read_text() == f"{sha256(CONTENT)}  file\n"
    file.unlink()
    server.content = OTHER
    with pytest.raises(StudyError, match=f"delete {record}"):
        download(server.source(None), file)
    assert left(file) == ["file.sha256"]
    record.unlink()
    assert download(server.source(None), file) == sha256(OTHER)
    record.write_text("not a digest")
    with pytest.raises(StudyError, match=r"file\.sha256: .*delete"):
        download(server.source(None), file)


@pytest.mark.parametrize("content", [CONTENT, None])
def test_offline_a_file_is_accepted_only_where_it_is(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setenv("TOCOMPRESS_OFFLINE", "1")
    source = server.source(content, mirrors=(f"{server.address}/mirror",))
    with pytest.raises(StudyError, match=r"/file: .*/mirror: .*TOCOMPRESS_OFFLINE"):
        download(source, file)
    file.write_bytes(CONTENT)
    assert download(source, file) == sha256(CONTENT)
    file.write_bytes(OTHER)
    with pytest.raises(StudyError, match=f"{file}: .*{sha256(CONTENT)}.*{sha256(OTHER)}"):
        download(source, file)
    assert server.asked == []
    monkeypatch.setenv("TOCOMPRESS_OFFLINE", "0")
    assert download(source, file) == sha256(CONTENT)


def test_a_full_disk_is_told_in_one_line_and_then_gone_on_with(server: Server, file: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, limits[1]))
    try:
        with pytest.raises(StudyError, match=r"^\S*file\.part: File too large; .*room"):
            download(server.source(mirrors=("nowhere",)), file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert download(server.source(), file) == sha256(CONTENT)
    assert server.asked == [None, REST]


def test_a_place_that_cannot_be_written_is_told_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()
    with pytest.raises(StudyError, match="no folder"):
        download(server.source(), tmp_path / "no folder" / "file")
    assert server.asked == []


def test_progress_is_told(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_EVERY_S", 0.0)
    server.content = bytes(20_000_000)
    told: list[str] = []
    download(server.source(None), file, told.append)
    assert told[-1] == "file: 20 of 20 MB"


def test_a_path_and_a_file_url_are_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCOMPRESS_OFFLINE", "1")
    for url in ("a file", (tmp_path / "a file").as_uri()):
        file = tmp_path / "new" / url.rpartition("/")[2]
        assert download(Download(url=url, sha256=sha256(CONTENT)), file) == sha256(CONTENT)
        assert file.read_bytes() == CONTENT
