"""The lock that keeps two studies from measuring on one machine at the same time."""

import fcntl
import getpass
import os
import socket
import time
from contextlib import suppress

from tocompress.devices.agent.host import AgentError, Host


def take_lock(path: str, patience: float, host: Host) -> int:
    """Hold the machine against other agents while this process or one of its workers lives.

    Return the descriptor that holds the lock. Tell the host the holder's name while waiting. Raise AgentError after
    `patience` seconds.
    """
    descriptor = opened(path)
    deadline = time.monotonic() + patience
    while not _taken(descriptor):
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        if time.monotonic() >= deadline:
            raise AgentError(f"{socket.gethostname()} is in use by {holder}; try again when that has ended")
        host.send({"record": "busy", "holder": holder})
        time.sleep(1)
        host.listen()
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S %z")
        os.pwrite(descriptor, f"{_user()} (process {os.getpid()}, since {since})\n".encode(), 0)
    return descriptor


def opened(path: str) -> int:
    """Open a file that all users of the machine write, or create it. Raise AgentError where it is a link."""
    if os.path.islink(path):
        raise AgentError(f"{path} is a link, and what it leads to would be written over; remove it")
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        os.fchmod(descriptor, 0o666)
        return descriptor
    except PermissionError:  # some systems protect the files of other users in shared folders
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _taken(descriptor: int) -> bool:
    """Take the lock unless another process holds it. Return whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user of a container may have no name
        return f"user {os.getuid()}"
