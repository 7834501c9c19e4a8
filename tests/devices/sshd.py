"""An OpenSSH server on this machine, with keys of its own, that stands for a board's."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import children

_SERVER = Path("/usr/sbin/sshd")
_KEY = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f")


@dataclass(frozen=True)
class Server:
    """A running server; `folder` holds its keys, `known_hosts` and the user's `config`, whose alias is `board`."""

    folder: Path
    port: int
    process: int

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def sessions(self) -> list[int]:
        """The server's processes of one connection each."""
        return children(self.process)

    def trust(self, public_key: Path) -> None:
        """Make a key the one that the user knows the server by."""
        kind, key, *_ = public_key.read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Start a server that lets this user in by key; skips the test where there is none."""
    if not _SERVER.exists() or not shutil.which("ssh"):
        pytest.skip("needs OpenSSH's server (apt-get install openssh-server) and client")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd drops its privileges in there
    for name in ("host_key", "other_host_key", "user_key"):
        subprocess.run([*_KEY, folder / name], check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    port = _free_port()
    (folder / "sshd_config").write_text(f"""\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
MaxStartups 100
""")
    (folder / "config").write_text(f"""\
Host board
  HostName 127.0.0.1
  Port {port}
  User {getpass.getuser()}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
""")
    command = [str(_SERVER), "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
    process = subprocess.Popen(command)
    try:
        running = Server(folder, port, process.pid)
        running.trust(folder / "host_key.pub")
        _wait_for(port)
        yield running
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
