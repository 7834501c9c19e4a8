"""What a server must not answer, and what is no address, is told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import EARLIER, refusal, serving

from tocompress import download as downloads
from tocompress.download import download
from tocompress.settings.base import Download

#: What a server answers: status, headers, content.
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/part": (206, {"Content-Range": "bytes 0-1/2"}, b"xx"),
    "/nothing": (204, {}, b""),
    "/forbidden": (403, {}, b"other"),
    "/broken": (500, {}, b"other"),
    "/round": (302, {"Location": "/round"}, b""),
    "/nowhere": (302, {}, b""),
    "/own_file": (302, {"Location": "file:///etc/passwd"}, b""),
    "/no_address": (302, {"Location": "http://[::1/x"}, b""),
    "/short": (200, {"Content-Length": "2"}, b"other"),
    "/negative": (200, {"Content-Length": "-5"}, b"other"),
    "/wordy": (200, {"Content-Length": "five"}, b"other"),
    "/chunks": (200, {"Transfer-Encoding": "chunked"}, b"zz\r\nother"),
    "/headers": (200, {f"X-{number}": "x" for number in range(200)}, b"other"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(ANSWERS.__getitem__) as address:
        yield address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "RETRIES", downloads.RETRIES.new(total=0))
    monkeypatch.setattr(downloads, "TIMEOUT_S", 2.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TOCOMPRESS_OFFLINE", raising=False)


@pytest.mark.parametrize("path", ANSWERS)
def test_a_wrong_answer_is_told_in_one_line(path: str, server: str, impatient: None, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(EARLIER)
    source = Download(url=server + path, sha256="0" * 64)
    message = refusal(lambda: download(source, file, report=lambda line: None))
    assert f"{server}{path}: " in message
    assert file.read_bytes() == EARLIER


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:99999/x", "http://127.0.0.1:x/", "http://" + "a" * 99 + ".invalid/", "http://[::1/x", "é\0"],
)
def test_what_is_no_address_is_told_in_one_line(url: str, impatient: None, tmp_path: Path) -> None:
    source = Download.model_construct(url=url, sha256=None, mirrors=())
    message = refusal(lambda: download(source, tmp_path / "file", report=lambda line: None))
    assert message.startswith(str(tmp_path / "file"))
