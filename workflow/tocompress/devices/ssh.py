"""Run the agent on another machine, over the system's OpenSSH with the user's own configuration."""

from __future__ import annotations

import hashlib
import os
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
from tocompress.devices.program import AGENT
from tocompress.errors import StudyError
from tocompress.settings.device import SshDevice
from tocompress.vocabulary.runtimes import TENSORFLOW

_LOCK = "/tmp/tocompress.lock"  # one for all users of the machine

#: Seconds before each try to connect again. A board takes a minute or two to boot.
_PAUSES = (5.0, 30.0, 90.0)

_OLDEST_PYTHON = (3, 6)
_SECONDS_OF_A_SCRIPT = 60.0
_LARGE = 10_000_000  # bytes of a file that is announced before it is sent

_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "20",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "4",
    "ControlMaster": "auto",
    "ControlPersist": "30",  # seconds: enough for the next command, and short after a kill of this process
    "RemoteCommand": "none",
    "ClearAllForwardings": "yes",
    "LogLevel": "ERROR",
}

#: Pattern in ssh's message where nothing on the way answered it. Which line comes is a matter of timing.
_NO_BANNER = r"exchange_identification: |banner exchange: "

#: Pattern in a line of ssh about a permanent failure -> its meaning.
_REFUSALS = {
    r"^[^:]+ line \d+: |onfiguration option|Can't open user config file|Bad owner or permissions": "cannot be reached"
    " by this configuration of ssh",
    "has changed and you have requested strict": "shows another host key than before: see that it is the same machine,"
    " then remove the old key with `ssh-keygen -R`",
    "marked as revoked": "shows a host key that known_hosts calls revoked: do not connect before you know why",
    "host key is known": "has no known host key: connect once by hand, `ssh {host}`, and compare its fingerprint",
    "Host key verification failed": "shows a host key that is not known: connect once by hand, `ssh {host}`, and"
    " compare its fingerprint",
    "no matching host key type|Bad server host key|Invalid key length": "shows no kind of host key that this ssh takes:"
    " give it one (`ssh-keygen -A` there), or allow its kind in ~/.ssh/config (HostKeyAlgorithms)",
    "no matching |Unable to negotiate": "and this ssh have no algorithm in common: allow one of its offer in"
    " ~/.ssh/config",
    "bad permissions": "does not let us in, as ssh takes no private key that others may read: chmod 600",
    "Too many authentication failures": "does not let us in, as ssh tries too many keys: name its own in ~/.ssh/config"
    " (IdentityFile, IdentitiesOnly)",
    r"Permission denied \(": "does not let us in without a password: `ssh -o BatchMode=yes {host} true` must work"
    " (ssh-copy-id, ssh-add)",
    "administratively prohibited": "does not pass connections on: allow it there (AllowTcpForwarding, PermitOpen)",
}

#: Lines of ssh about a lost connection without a reason.
_NO_REASON = re.compile("exchange_identification: |UNKNOWN port|stdio forwarding failed")

#: Lines of ssh about its configuration that are only warnings.
_WARNING = re.compile("Unsupported option|Deprecated option|is deprecated")


class SshAgent:
    """A running agent as a context manager. Its exit ends the agent and its worker.

    `name` is the device in messages. The stderr of ssh, the agent and the runtime is appended to `log`. With
    `lock` the agent keeps other studies off the machine, and waits for one that measures there, at most `patience`
    seconds. It raises StudyError, or ConnectionLost where another
    try may work.
    """

    hello: Record

    def __init__(
        self,
        device: SshDevice,
        *,
        name: str,
        log: Path | None = None,
        lock: bool = True,
        patience: float = 0.0,
        runtime: str = TENSORFLOW,
    ) -> None:
        self._device = device
        self._name = name
        self._log = log
        self._arguments = ["--root", device.root, "--runtime", runtime, "--heartbeat"]
        if lock:
            self._arguments += ["--lock", _LOCK, "--patience", str(patience)]
        self._folder = _at_home(device.folder)
        self._interpreter = _at_home(device.interpreter_of(runtime))
        self._digest = hashlib.sha256(AGENT).hexdigest()
        self._agent = f"{self._folder}/agent-{self._digest[:16]}.zip"

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
        """Copy the file to the machine unless it is already there, whole."""
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

    def order(self, order: Record) -> None:
        self._connection.order(order)

    def reconnect(self) -> None:
        before = self.hello.get("boot_id")
        self._connect_again()
        if self.hello.get("boot_id") != before:
            raise StudyError(
                f"{self._name}: rebooted in the middle of the session; what was measured before and after does not"
                " belong together: see to its power supply and temperature, then run the same command again"
            )

    def clean(self) -> None:
        """Remove all sent files from the machine."""
        self._answer({"command": "clean"})
        folder = shlex.quote(self._folder)
        self._shell.run(
            f"rm -f -- {folder}/agent-*.zip {folder}/agent-*.py; rmdir -- {folder}/files {folder} 2>/dev/null || true"
        )

    def _connect(self) -> None:
        self._check_python()
        self._install()
        program = [self._interpreter, "-I", self._agent, "--folder", self._folder, *self._arguments]
        command = self._shell.command("exec " + shlex.join(program))
        self._connection = Connection(self._name, command, self._log, heartbeat=True, environment=_never_asking())
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
        """End the last agent if it is still there, because an agent that hangs does not notice a lost host."""
        process = self.hello["process"]
        # Another process may have the number now, so its command line is checked.
        script = f"grep -qF -- {shlex.quote(self._agent)} /proc/{process}/cmdline && kill -KILL {process} && sleep 1"
        self._shell.run(f"{{ {script}; }} 2>/dev/null || true")

    def _answer(self, command: Record, payload: Path | None = None) -> list[Record]:
        """Return the records of a command without the closing one."""
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
        # A login may print lines before the answer, so only the last line counts.
        version = re.fullmatch(r"(\d{1,3}) (\d{1,3}) \d{1,3}", answer.strip().rpartition("\n")[2], re.ASCII)
        if version is None or tuple(map(int, version.groups())) < _OLDEST_PYTHON:
            oldest = ".".join(map(str, _OLDEST_PYTHON))
            found = f"Python {version[0].replace(' ', '.')}" if version else "no Python"
            raise StudyError(f"{where} is {found}; name one from {oldest} on, devices.{self._name}.interpreter")

    def _install(self) -> None:
        """Copy the agent's file to the machine unless it is already there, whole."""
        folder, agent = shlex.quote(self._folder), shlex.quote(self._agent)
        new = f"{agent}.$$"
        if self._shell.succeeds(f"[ -f {agent} ] && {self._is_agent(agent)}"):
            return
        # Somebody may have put a link there, so `set -C` forbids writing through it.
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
        """Return a condition of sh: the file has the content of our agent."""
        return f'[ "$(sha256sum < {path})" = "{self._digest}  -" ]'


class _ScriptFailed(Exception):
    """A script on the other machine failed. The text is its last line."""


class _Shell:
    """The shell of a machine. Its scripts share one connection of OpenSSH until `close`."""

    def __init__(self, name: str, device: SshDevice) -> None:
        self._name = name
        self._host = device.host
        # The path of a socket has at most about 100 characters, so TMPDIR is not used.
        self._place = tempfile.TemporaryDirectory(prefix="ssh-", dir=SHARED)
        self._socket = Path(self._place.name, "s")
        options = _OPTIONS | {"ControlPath": str(self._socket)}
        configuration = ["-F", str(Path(device.ssh_config).expanduser())] if device.ssh_config else []
        self._ssh = ["ssh", "-T", "-a", "-x", *configuration]
        self._ssh += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]

    def command(self, script: str) -> list[str]:
        """Return the local command that runs a script of sh there, with any login shell of the user."""
        return [*self._ssh, "--", self._host, f"exec sh -c {shlex.quote(script)}"]

    def run(self, script: str, stdin: bytes = b"") -> str:
        """Return the output of a script. Raise _ScriptFailed if it fails, StudyError or ConnectionLost if ssh fails."""
        status, output, complaint = self._finished(self.command(script), stdin)
        if status == 255:
            raise self._failure(complaint)
        if status:
            raise _ScriptFailed(_last_line(complaint) or f"exit code {status}")
        return output

    def _finished(self, command: list[str], stdin: bytes = b"") -> tuple[int, str, str]:
        """Return the exit status of a command, its stdout and its stderr."""
        # The process of the shared connection may keep a pipe open, so stderr goes to a file.
        with tempfile.TemporaryFile() as errors:
            try:
                finished = subprocess.run(
                    command,
                    input=stdin,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    timeout=_SECONDS_OF_A_SCRIPT,
                    check=False,
                    env=_never_asking(),
                    start_new_session=True,  # without a terminal to ask at
                )
            except FileNotFoundError:
                raise StudyError(f"{self._name}: there is no `ssh` on this machine; install OpenSSH's client") from None
            except subprocess.TimeoutExpired:
                raise ConnectionLost(f"{self._name}: no answer for {_SECONDS_OF_A_SCRIPT:.0f} s") from None
            errors.seek(0)
            complaint = errors.read().decode(errors="replace").strip()
        return finished.returncode, finished.stdout.decode(errors="replace"), complaint

    def succeeds(self, script: str) -> bool:
        """Return whether a script exits with 0."""
        try:
            self.run(script)
        except _ScriptFailed:
            return False
        return True

    def hang_up(self) -> None:
        """End the shared connection. The next script opens another."""
        leave = [*self._ssh, "-O", "exit", "--", self._host]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(leave, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
        self._socket.unlink(missing_ok=True)  # a dead connection leaves its socket

    def close(self) -> None:
        """End the shared connection for good."""
        self.hang_up()
        self._place.cleanup()

    def _failure(self, complaint: str) -> StudyError:
        """Return the error of a failed ssh. It names the machine itself, or the jump host before it."""
        where, way = self._host, self._way()
        complaint = _without_warnings(complaint)
        if not _reason(complaint):
            complaint = _without_warnings(self._complaint_alone()) or complaint
            if way and re.search(_NO_BANNER, complaint) and "open failed: connect" not in complaint:
                where = f"{self._host}'s {way}"
        for sign, meaning in _REFUSALS.items():
            if line := next((line for line in complaint.splitlines() if re.search(sign, line)), None):
                return StudyError(f"{self._name}: {where} {meaning.format(host=self._host)} (ssh: {_said(line)})")
        through = f" through its {way}" if way and where == self._host else ""
        told = _said(_reason(complaint) or _last_line(complaint))
        return ConnectionLost(
            f"{self._name}: {where} cannot be reached{through}; is it on, and its address right? (ssh: {told})"
        )

    def _complaint_alone(self) -> str:
        """Return ssh's message without a shared connection. A shared one hides the message of a jump host's ssh, and
        LogLevel ERROR hides that no algorithm is in common."""
        alone = {"ControlMaster": "no", "ControlPath": "none", "LogLevel": "INFO"}  # the first of an option counts
        options = [part for key, value in alone.items() for part in ("-o", f"{key}={value}")]
        return self._finished([self._ssh[0], *options, *self._ssh[1:], "--", self._host, "true"])[2]

    def _way(self) -> str | None:
        """Return the jump host or proxy on the way to the machine, by the user's configuration."""
        settings = self._finished([*self._ssh, "-G", "--", self._host])[1]
        found = re.search(r"^proxy(jump|command) (.+)$", settings, re.MULTILINE)
        if found is None or found[2] == "none":
            return None
        return f"jump host {found[2]}" if found[1] == "jump" else f"ProxyCommand `{found[2][:80]}`"


def _never_asking() -> dict[str, str]:
    """Return an environment in which neither ssh nor a jump host's ssh can open a window to ask.

    BatchMode does not reach the ssh of a jump host. Without a terminal and a window it cannot ask.
    """
    windows = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS")
    return {key: value for key, value in os.environ.items() if key not in windows} | {"SSH_ASKPASS_REQUIRE": "never"}


def _without_warnings(complaint: str) -> str:
    return "\n".join(line for line in complaint.splitlines() if not _WARNING.search(line))


def _reason(complaint: str) -> str | None:
    """Return the last line that gives a reason, or None."""
    lines = [line for line in complaint.splitlines() if line.strip() and not _NO_REASON.search(line)]
    return lines[-1] if lines else None


def _said(line: str) -> str:
    return line.strip().removeprefix("ssh: ")[:200]


def _at_home(path: str) -> str:
    """Return a path from the home folder, for a shell that does not expand `~`. `./` keeps it from being an option."""
    return f"./{path[2:]}" if path.startswith("~/") else path


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip()[:200] if text else ""
