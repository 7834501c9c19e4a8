"""A fetched file is whole and the right one, or is not there; archives stay in their folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tocompress.checkpoints import download
from tocompress.checkpoints.download import fetch, unpack
from tocompress.errors import StudyError

CONTENT = np.random.default_rng(0).bytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A server on this machine: `/good`, `/missing`, and `/cut`, which breaks off its first answers."""

    address: str = ""
    cuts: int = 1
    ranges: bool = True
    validator: str = '"one"'
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/missing":
                return self.send_error(404)
            state.asked.append(self.headers["Range"])
            start = 0
            if state.ranges and self.headers["Range"] and self.headers["If-Range"] == state.validator:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            self.send_header("ETag", state.validator)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            cut = self.path == "/cut" and len(state.asked) <= state.cuts
            self.wfile.write(CONTENT[start : 100_000 if cut else None])

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    state.address = f"http://127.0.0.1:{http.server_port}"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def test_the_file_arrives_and_its_digest_is_told(server: Server, tmp_path: Path) -> None:
    assert fetch(f"{server.address}/good", tmp_path / "new" / "file", sha256=DIGEST.upper()) == DIGEST
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert fetch(f"{server.address}/good", tmp_path / "unchecked", sha256=None) == DIGEST


def test_a_wrong_digest_leaves_nothing_and_spares_an_earlier_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=f"/good.*expected the sha256 {'0' * 64}, found {DIGEST}"):
        fetch(f"{server.address}/good", tmp_path / "file", sha256="0" * 64)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("earlier")
    with pytest.raises(StudyError):
        fetch(f"{server.address}/good", tmp_path / "file", sha256="0" * 64)
    assert (tmp_path / "file").read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_broken_download_goes_on_where_it_ended(server: Server, tmp_path: Path) -> None:
    fetch(f"{server.address}/cut", tmp_path / "file", sha256=DIGEST)
    assert server.asked == [None, "bytes=100000-"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"validator": ""}])
def test_a_broken_download_starts_over_where_it_cannot_go_on(
    server: Server, tmp_path: Path, change: dict[str, object]
) -> None:
    vars(server).update(change)
    fetch(f"{server.address}/cut", tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_download_that_always_breaks_fails(server: Server, tmp_path: Path) -> None:
    server.cuts, server.ranges = 9, False
    with pytest.raises(StudyError, match="/cut: the connection ended after 100000 of 300000 bytes"):
        fetch(f"{server.address}/cut", tmp_path / "file", sha256=None)
    assert len(server.asked) == 3
    assert not list(tmp_path.iterdir())


def test_a_mirror_is_used_when_the_first_address_fails(server: Server, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("another file")
    mirrors = [str(wrong), f"{server.address}/good"]
    assert fetch(f"{server.address}/missing", tmp_path / "file", sha256=DIGEST, mirrors=mirrors) == DIGEST


def test_every_address_that_failed_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"/missing: HTTP Error 404.*nowhere.*No such file.*ftp"):
        fetch(f"{server.address}/missing", tmp_path / "file", sha256=None, mirrors=["nowhere", "ftp://127.0.0.1/file"])


def test_a_path_and_a_file_url_are_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    assert fetch("a file", tmp_path / "one", sha256=DIGEST) == DIGEST
    assert fetch((tmp_path / "a file").as_uri(), tmp_path / "two", sha256=DIGEST) == DIGEST


def tar_of(path: Path, **fields: object) -> Path:
    member = tarfile.TarInfo("member")
    for name, value in {"size": 4, **fields}.items():
        setattr(member, name, value)
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(b"text"))
    return path


def zip_of(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr(name, "text")
    return path


def test_archives_are_unpacked_and_plain_files_copied(tmp_path: Path) -> None:
    plain = tmp_path / "model.ckpt"
    plain.write_text("text")
    for archive, member in [
        (tar_of(tmp_path / "a.tgz", name="folder/model.ckpt"), "folder/model.ckpt"),
        (zip_of(tmp_path / "a.zip", "folder/model.ckpt"), "folder/model.ckpt"),
        (plain, "model.ckpt"),
    ]:
        folder = tmp_path / "unpacked" / archive.name
        unpack(archive, folder)
        assert [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()] == [member]
        assert (folder / member).read_text() == "text"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "../escaped"},
        {"name": "/escaped"},
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0},
        {"type": tarfile.LNKTYPE, "linkname": "../escaped", "size": 0},
        {"type": tarfile.FIFOTYPE, "size": 0},
    ],
)
def test_a_tar_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    archive = tar_of(tmp_path / "a.tgz", **fields)
    with pytest.raises(StudyError, match=r"a\.tgz: cannot be unpacked.*(outside|link)"):
        unpack(archive, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "folder/../../escaped"])
def test_a_zip_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = zip_of(tmp_path / "a.zip", name)
    with pytest.raises(StudyError, match=r"a\.zip: cannot be unpacked.*outside"):
        unpack(archive, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_truncated_archive_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("member")
        member.size = len(CONTENT)
        tar.addfile(member, io.BytesIO(CONTENT))
    archive.write_bytes(archive.read_bytes()[:200_000])
    with pytest.raises(StudyError, match=r"a\.tgz: cannot be unpacked"):
        unpack(archive, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [archive]
