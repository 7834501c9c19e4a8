"""Keep files by their digests."""

import errno
import hashlib
import os
import re
import shutil
from contextlib import suppress
from typing import Any, Iterator

from tocompress.devices.agent.host import AgentError


class Files:
    """The files of one folder, named by the SHA-256 of their content. Nothing else is ever opened for a host."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "files")
        os.makedirs(self._folder, exist_ok=True)

    def path(self, digest: Any) -> str:
        """Return where a file is or would be. Raise AgentError where `digest` is no SHA-256."""
        if not isinstance(digest, str) or not re.match(r"[0-9a-f]{64}\Z", digest):
            raise AgentError(f"malformed command: {digest!r} is not a SHA-256")
        return os.path.join(self._folder, digest)

    def whole(self, digest: str) -> bool:
        """Return whether a file is here with the content of its name. Remove a damaged one."""
        path = self.path(digest)
        if not os.path.isfile(path):  # a link may lead to an endless file
            return False
        if sha256(path) == digest:
            return True
        os.remove(path)
        return False

    def put(self, digest: Any, size: Any, pieces: Iterator[bytes]) -> None:
        """Write a file of `size` bytes whole or not at all."""
        path = self.path(digest)
        temporary = f"{path}.{os.getpid()}"
        found = hashlib.sha256()
        free = shutil.disk_usage(self._folder).free
        try:
            with suppress(FileNotFoundError):
                os.remove(temporary)
            with open(temporary, "xb") as file:  # never writes through a link of somebody else
                for piece in pieces:
                    found.update(piece)
                    file.write(piece)
            if found.hexdigest() != digest:
                raise AgentError(f"a file came with the SHA-256 {found.hexdigest()}, not {digest}")
            os.replace(temporary, path)
        except OSError as error:
            raise AgentError(self._no_room(error, size, free)) from error
        finally:
            with suppress(OSError):
                os.remove(temporary)

    def clean(self) -> None:
        """Remove all files, and partial files of killed agents. Files of somebody else stay."""
        for name in os.listdir(self._folder):
            if re.match(r"[0-9a-f]{64}(\.\d+)?\Z", name):
                os.remove(os.path.join(self._folder, name))

    def _no_room(self, error: OSError, size: int, free: int) -> str:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return f"{self._folder}: cannot write a file ({error.strerror})"
        return (
            f"{self._folder}: no room for a file of {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free;"
            " clean the device, or name another folder in the config's `devices`"
        )


def sha256(path: str) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()
