"""The agent on another machine, over the system's OpenSSH and the user's own configuration of it."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tocompress.devices import SHARED, ConnectionLost, Record, answered, understood
from tocompress.devices.connection import Connection
from tocompress.devices.local import AGENT
from tocompress.errors import StudyError
from tocompress.settings.device import SshDevice

_LOCK = "/tmp/tocompress.lock"  # one for all users of the machine

#: Seconds before each try to connect again; a board takes a minute or two to boot.
_PAUSES = (5.0, 30.0, 90.0)

_OLDEST_PYTHON = (3, 6)
_SECONDS_OF_A_SCRIPT = 60.0
_LARGE = 10_000_000  # bytes of a file whose sending is worth a line

_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "20",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "4",
    "ControlMaster": "auto",
    "ControlPersist": "30",  # long enough for the next command, and no longer where this process is killed
    "RemoteCommand": "none",
    "ClearAllForwardings": "yes",
    "LogLevel": "ERROR",
}

#: What ssh says of a failure that another try does not mend -> what that means.
_REFUSALS = {
    "IDENTIFICATION HAS CHANGED": "shows another host key than before: see that it is the same machine, then remove the"
    " old key with `ssh-keygen -R`",
    "host key is known": "has no known host key: connect once by hand, `ssh {host}`, and compare its fingerprint",
    "Host key verification failed": "shows a host key that is not trusted: connect once by hand, `ssh {host}`",
    "Permission denied": "does not let us in without a password: `ssh -o BatchMode=yes {host} true` must work"
    " (ssh-copy-id, ssh-add)",
    "onfiguration option": "cannot be reached by this configuration of ssh",
    "Can't open user config file": "cannot be reached by this configuration of ssh",
}


class SshAgent:
    """A running agent; a context manager, on whose exit the agent and its worker are gone.

    `name` is what messages call the device. `log` receives what ssh, the agent and the runtime write to stderr
    (appended). Another study that holds the machine is waited for, `patience` seconds at most. Raises StudyError, and
    ConnectionLost where another try may work.
    """

    hello: Record

    def __init__(self, device: SshDevice, *, name: str, log: Path | None = None, patience: float = 0.0) -> None:
        self._device = device
        self._name = name
        self._log = log
        self._patience = patience
        self._folder = _at_home(device.folder)
        self._interpreter = _at_home(device.interpreter)
        self._digest = hashlib.sha256(AGENT.read_bytes()).hexdigest()
        self._agent = f"{self._folder}/agent-{self._digest[:16]}.py"

    def __enter__(self) -> Self:
        self._shell = _Shell(self._name, self._device)
        try:
            self._connect()
        except BaseException:
            self._shell.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close(error)
        with suppress(StudyError):
            self._end_agent()
        self._shell.close()

    def send(self, file: Path, sha256: str) -> None:
        """Copy the file unless it is there, whole."""
        answer = self._answer({"command": "has", "sha256": [sha256]})
        with understood(self._name):
            if sha256 in answer[0]["sha256"]:
                return
        size = file.stat().st_size
        if size > _LARGE:
            print(f"{self._name}: sending {file.name}, {size / 1e6:.0f} MB", flush=True)
        self._answer({"command": "put", "sha256": sha256, "bytes": size}, file)

    def run(self, command: Record) -> Iterator[Record]:
        return self._connection.run(command)

    def reconnect(self) -> None:
        before = self.hello.get("boot_id")
        self._connect_again()
        if self.hello.get("boot_id") != before:
            raise StudyError(
                f"{self._name}: rebooted in the middle of the session; what was measured before and after does not"
                " belong together: see to its power supply and temperature, then run the same command again"
            )

    def clean(self) -> None:
        """Remove from the machine all that was sent there."""
        self._answer({"command": "clean"})
        folder = shlex.quote(self._folder)
        self._shell.run(f"rm -f -- {folder}/agent-*.py; rmdir -- {folder}/files {folder} 2>/dev/null || true")

    def _connect(self) -> None:
        self._check_python()
        self._install()
        arguments = ["--folder", self._folder, "--root", self._device.root, "--lock", _LOCK]
        arguments += ["--patience", str(self._patience), "--heartbeat"]
        command = self._shell.command("exec " + shlex.join([self._interpreter, "-I", self._agent, *arguments]))
        self._connection = Connection(self._name, command, self._log, heartbeat=True)
        self.hello = self._connection.hello

    def _connect_again(self) -> None:
        for pause in _PAUSES:
            self._connection.kill()
            self._shell.hang_up()
            time.sleep(pause)
            try:
                self._end_agent()
                self._connect()
                return
            except ConnectionLost as error:
                print(error, flush=True)
                problem = error
        raise StudyError(f"{problem}; given up after {len(_PAUSES)} tries")

    def _end_agent(self) -> None:
        """End the agent that said hello last, if it is still there: one that hangs does not notice that we are gone."""
        process = self.hello["process"]
        # Its name is looked at, for the number may have become another process's.
        script = f"grep -qF -- {shlex.quote(self._agent)} /proc/{process}/cmdline && kill -KILL {process} && sleep 1"
        self._shell.run(f"{{ {script}; }} 2>/dev/null || true")

    def _answer(self, command: Record, payload: Path | None = None) -> list[Record]:
        """The records of a command but for the closing one."""
        return answered(self._connection.run(command, payload), f"{self._name}: ")[:-1]

    def _check_python(self) -> None:
        program = "import sys; print('%d %d %d' % sys.version_info[:3])"
        where = f"{self._name}: the interpreter {self._interpreter}"
        try:
            answer = self._shell.run(f"exec {shlex.join([self._interpreter, '-c', program])}")
        except _ScriptFailed as failure:
            raise StudyError(
                f"{where} cannot be run ({failure}); name another, devices.{self._name}.interpreter"
            ) from None
        # The last line: a login may have printed others.
        version = re.fullmatch(r"(\d{1,3}) (\d{1,3}) \d{1,3}", answer.strip().rpartition("\n")[2], re.ASCII)
        if version is None or tuple(map(int, version.groups())) < _OLDEST_PYTHON:
            oldest = ".".join(map(str, _OLDEST_PYTHON))
            found = f"Python {version[0].replace(' ', '.')}" if version else "no Python"
            raise StudyError(f"{where} is {found}; name one from {oldest} on, devices.{self._name}.interpreter")

    def _install(self) -> None:
        """Put the agent's file there, whole, unless it is."""
        folder, agent = shlex.quote(self._folder), shlex.quote(self._agent)
        new = f"{agent}.$$"
        if self._shell.succeeds(f"[ -f {agent} ] && {self._is_agent(agent)}"):
            return
        # Without clobbering: never through a link that somebody has put there.
        new_file = f"rm -f -- {new} && set -C && cat > {new}"
        writing = f"mkdir -p -- {folder} && {new_file} && {self._is_agent(new)} && mv -f -- {new} {agent}"
        try:
            self._shell.run(f"{writing} || {{ rm -f -- {new}; exit 1; }}", AGENT)
        except _ScriptFailed as failure:
            raise StudyError(
                f"{self._name}: cannot write to its folder {self._folder} ({failure}); make room, or name another,"
                f" devices.{self._name}.folder"
            ) from None

    def _is_agent(self, path: str) -> str:
        """A condition of sh: the file has the content of our agent."""
        return f'[ "$(sha256sum < {path})" = "{self._digest}  -" ]'


class _ScriptFailed(Exception):
    """What a script on the other machine wrote last."""


class _Shell:
    """The shell of a machine; its scripts share one connection of OpenSSH, until `close`."""

    def __init__(self, name: str, device: SshDevice) -> None:
        self._name = name
        self._host = device.host
        # Short, whatever TMPDIR is: the path of a socket has about 100 characters.
        self._place = tempfile.TemporaryDirectory(prefix="ssh-", dir=SHARED)
        self._socket = Path(self._place.name, "s")
        options = _OPTIONS | {"ControlPath": str(self._socket)}
        configuration = ["-F", str(Path(device.ssh_config).expanduser())] if device.ssh_config else []
        self._ssh = ["ssh", "-T", "-a", "-x", *configuration]
        self._ssh += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]

    def command(self, script: str) -> list[str]:
        """The command here that runs a script of sh there, whatever shell the user has there."""
        return [*self._ssh, "--", self._host, f"exec sh -c {shlex.quote(script)}"]

    def run(self, script: str, stdin: Path = Path("/dev/null")) -> str:
        """What a script prints; raises _ScriptFailed when it fails, StudyError or ConnectionLost when ssh does."""
        # A file: the process that holds the connection may keep the end of a pipe open.
        with stdin.open("rb") as source, tempfile.TemporaryFile() as errors:
            try:
                finished = subprocess.run(
                    self.command(script),
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    timeout=_SECONDS_OF_A_SCRIPT,
                    check=False,
                )
            except FileNotFoundError:
                raise StudyError(f"{self._name}: there is no `ssh` on this machine; install OpenSSH's client") from None
            except subprocess.TimeoutExpired:
                raise ConnectionLost(f"{self._name}: no answer for {_SECONDS_OF_A_SCRIPT:.0f} s") from None
            errors.seek(0)
            complaint = errors.read().decode(errors="replace").strip()
        if finished.returncode == 255:
            raise self._failure(complaint)
        if finished.returncode:
            raise _ScriptFailed(_last_line(complaint) or f"exit code {finished.returncode}")
        return finished.stdout.decode(errors="replace")

    def succeeds(self, script: str) -> bool:
        """Whether a script exits with 0."""
        try:
            self.run(script)
        except _ScriptFailed:
            return False
        return True

    def hang_up(self) -> None:
        """End the shared connection; the next script opens another."""
        leave = [*self._ssh, "-O", "exit", "--", self._host]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(leave, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
        self._socket.unlink(missing_ok=True)  # of one that does not answer any more

    def close(self) -> None:
        """End the shared connection for good."""
        self.hang_up()
        self._place.cleanup()

    def _failure(self, complaint: str) -> StudyError:
        last = _last_line(complaint)
        for sign, meaning in _REFUSALS.items():
            if sign in complaint:
                return StudyError(f"{self._name}: {self._host} {meaning.format(host=self._host)} (ssh: {last})")
        return ConnectionLost(
            f"{self._name}: {self._host} cannot be reached; is it on, and its address right? (ssh: {last})"
        )


def _at_home(path: str) -> str:
    """A path for a shell that starts in the home folder and does not expand `~`; without `./` it might be an option."""
    return f"./{path[2:]}" if path.startswith("~/") else path


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip()[:200] if text else ""
