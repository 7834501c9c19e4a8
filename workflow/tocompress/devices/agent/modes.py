"""The power modes of a machine: those of nvpmodel on a Jetson, and elsewhere the governors of the processors' clocks.

A session leaves the mode that it found. A note tells this mode until it is set again. The agent sets it again at the
host's word. A guardian does so when the agent ends in another way, and the next agent does so when the guardian was
ended too, as by a loss of power.
"""

import json
import os
import re
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Tuple

from tocompress.devices.agent.host import AgentError, Host, Record
from tocompress.devices.agent.lock import opened
from tocompress.devices.agent.sysfs import first_line, read, readable

#: Knob -> value: the program nvpmodel and the number of a mode, or the path of a governor's file and its name.
Knobs = Dict[str, str]

_NVPMODEL = "nvpmodel"
_POLICIES = "sys/devices/system/cpu/cpufreq/policy*/"

#: The line that begins a mode in nvpmodel's configuration.
_MODEL = re.compile(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", re.MULTILINE)

#: The note lies where a loss of power and other users leave it. An empty one tells of no mode.
_NOTE = "var/tmp/tocompress.mode"

_SECONDS = 60


class Modes:
    """The modes of the machine under `root`. The first change starts the guardian of the mode that was found."""

    def __init__(self, host: Host, root: str) -> None:
        self._host = host
        self._root = root
        self._guardian: Optional[int] = None
        self._held = -1

    def set(self, name: Any) -> Record:
        """Change to a mode. Return it with the processors that it leaves. Raise AgentError."""
        modes = find_modes(self._root)
        if name not in modes:
            raise AgentError("no power mode {!r} here; there is {}".format(name, ", ".join(modes) or "none"))
        if self._guardian is None:
            _write_note(self._root, json.dumps(current(self._root)))
            self._watch()
        _change(self._root, modes[name])
        online = first_line(self._root, "sys/devices/system/cpu/online")
        return {"mode": name, "cores": len(os.sched_getaffinity(0)), "cores_online": online}

    def restore(self) -> Record:
        """Change to the mode that was found, and end the guardian. Return the mode. Raise AgentError."""
        if self._guardian is not None:
            restore_found(self._root)
            os.close(self._held)
            os.waitpid(self._guardian, 0)
            self._guardian = None
        return {"mode": name_of(self._root, current(self._root))}

    def _watch(self) -> None:
        """Start the guardian. It holds the machine's lock too, so the next agent waits for it."""
        watched, self._held = os.pipe()
        self._guardian = os.fork()
        if self._guardian == 0:
            os.close(self._held)
            _be_guardian(self._root, watched, self._host.output.fileno())
        os.close(watched)


def _be_guardian(root: str, watched: int, output: int) -> None:
    """Restore the mode when the agent and its workers have ended, which hold the other end of the pipe."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2, output):  # an open copy would keep the host waiting for a dead agent
            os.dup2(nothing, descriptor)
        os.read(watched, 1)
        restore_found(root)
    finally:
        os._exit(0)


def restore_found(root: str) -> None:
    """Change to the mode that a note tells, if there is one, and empty the note. Raise AgentError."""
    found = _noted(root)
    if found is None:
        return
    if current(root) != found:
        try:
            _change(root, found)
        except AgentError as error:
            raise AgentError(f"an earlier session was cut off: {error}; set it by hand") from error
    _write_note(root, "")


def find_modes(root: str) -> Dict[str, Knobs]:
    """Return the knobs of each mode by its name."""
    models = _models(root)
    if models:
        return {name: {_NVPMODEL: number} for number, name in models.items()}
    available = readable(root, _POLICIES + "scaling_available_governors").values()
    common = set.intersection(*(set(names.split()) for names in available)) if available else set()
    return {name: dict.fromkeys(readable(root, _POLICIES + "scaling_governor"), name) for name in sorted(common)}


def current(root: str) -> Knobs:
    """Return the knobs as they are. Raise AgentError where nvpmodel does not tell its mode."""
    if not _models(root):
        return readable(root, _POLICIES + "scaling_governor")
    _, answer = _run([_program(_NVPMODEL), "-q"])
    numbers = re.findall(r"^\s*(\d+)\s*$", answer, re.MULTILINE)
    if not numbers:
        raise AgentError("nvpmodel does not tell its mode: " + _last(answer))
    return {_NVPMODEL: numbers[-1]}


def name_of(root: str, knobs: Knobs) -> str:
    """Return the name of a mode, or the values of its knobs where they make none."""
    names = [name for name, own in find_modes(root).items() if own == knobs]
    return names[0] if names else ", ".join(sorted(set(knobs.values())))


def refusal(root: str) -> Optional[str]:
    """Return why modes may not be set, or None where they may. Nothing is changed."""
    for knob, value in current(root).items():
        command = _command(root, knob, value)
        if command[0] == "sudo":
            allowed, said = _run(["sudo", "-n", "-l", *command[2:]])
            if not allowed:
                return "only root sets them: " + _last(said)
    return None


def _models(root: str) -> Dict[str, str]:
    """Return the names of nvpmodel's modes by their numbers. There are none where the program is absent."""
    if not shutil.which(_program(_NVPMODEL)):
        return {}
    return dict(_MODEL.findall(read(os.path.join(root, "etc/nvpmodel.conf")) or ""))


def _program(name: str) -> str:
    """Return the path of a program, which may lie in a folder that a user's PATH lacks."""
    return shutil.which(name) or os.path.join("/usr/sbin", name)


def _change(root: str, knobs: Knobs) -> None:
    """Set the knobs. Raise AgentError where one does not take its value."""
    for knob, value in knobs.items():
        # nvpmodel asks whether to reboot. The end of its input means no.
        _, said = _run(_command(root, knob, value), "" if knob == _NVPMODEL else value)
        if current(root).get(knob) != value:
            why = "the board would have to reboot" if "reboot" in said.lower() else _last(said)
            raise AgentError(f"the power mode {name_of(root, knobs)} cannot be set: {why}")


def _command(root: str, knob: str, value: str) -> List[str]:
    """Return the command that sets a knob, as root where only root may. `tee` takes the value from its input."""
    if knob == _NVPMODEL:
        command, ours = [_program(_NVPMODEL), "-m", value], False
    else:
        path = os.path.join(root, knob)
        command, ours = ["tee", path], os.access(path, os.W_OK)
    return command if ours or os.geteuid() == 0 else ["sudo", "-n", *command]


def _run(command: List[str], text: str = "") -> Tuple[bool, str]:
    """Return whether a program ends well, and all that it says."""
    try:
        finished = subprocess.run(
            command, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return finished.returncode == 0, finished.stdout.decode(errors="replace")


def _last(text: str) -> str:
    lines = text.split("\n")
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), "it says nothing")


def _noted(root: str) -> Optional[Knobs]:
    """Return the knobs that the note tells. Anybody can write a note, so only knobs of this machine count."""
    try:
        found = json.loads(read(os.path.join(root, _NOTE)) or "")
        words = [re.match(r"\w+\Z", value) for value in found.values()]
    except (ValueError, TypeError, AttributeError):  # none, or one that a loss of power cut short before any change
        return None
    return found if all(words) and found.keys() == current(root).keys() else None


def _write_note(root: str, text: str) -> None:
    """Write the note through to the disk, before the mode changes."""
    path = os.path.join(root, _NOTE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = opened(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
