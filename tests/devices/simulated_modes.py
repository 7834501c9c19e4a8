"""A machine with power modes: a program `nvpmodel` that keeps its mode in a file, or governors under /sys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

#: The mode that a board refuses without a reboot, and the one that nobody may set.
REBOOT, FORBIDDEN = "MAXN_SUPER", "FORBIDDEN"
MODES = ("MAXN", "15W", "25W", REBOOT, FORBIDDEN)

_PROGRAM = """\
#!/bin/sh
name() {{ sed -n "s/^< POWER_MODEL ID=$1 NAME=\\(.*\\) >$/\\1/p" {root}/etc/nvpmodel.conf; }}
case "$1" in
-q) echo "NV Power Mode: $(name $(cat {state}))"; cat {state};;
-m) case $(name "$2") in
    {reboot}) echo "NVPM WARN: Reboot required. DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:"; read answer;;
    {forbidden}) echo "NVPM ERROR: Permission denied" >&2; exit 1;;
    *) sleep 0.2; echo "$2" > {state}.new; mv {state}.new {state}; echo "$2" >> {log};;
    esac;;
esac
"""


@dataclass(frozen=True)
class Jetson:
    """The folder of a simulated board, which is in the mode `15W`."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def mode(self) -> str:
        return MODES[int(self.state.read_text())]

    @property
    def changes(self) -> list[str]:
        """Return the modes that were set, in their order."""
        log = self.folder / "log"
        return [MODES[int(number)] for number in log.read_text().split()] if log.exists() else []


def jetson(folder: Path) -> Jetson:
    board = Jetson(folder)
    for path in (board.root / "etc", board.programs):
        path.mkdir(parents=True)
    lines = [f"< POWER_MODEL ID={number} NAME={name} >\nCPU_ONLINE CORE_0 1\n" for number, name in enumerate(MODES)]
    (board.root / "etc/nvpmodel.conf").write_text(f"# < POWER_MODEL ID=9 NAME=OLD >\n{''.join(lines)}")
    board.state.write_text("1\n")
    facts = {"root": board.root, "state": board.state, "log": folder / "log"}
    program = board.programs / "nvpmodel"
    program.write_text(_PROGRAM.format(**facts, reboot=REBOOT, forbidden=FORBIDDEN))
    program.chmod(0o755)
    return board


def on_path(board: Jetson, monkeypatch: pytest.MonkeyPatch) -> Jetson:
    """Let this process and its children find the board's programs."""
    monkeypatch.setenv("PATH", f"{board.programs}{os.pathsep}{os.environ['PATH']}")
    return board


def governors(root: Path, found: Iterable[str]) -> list[Path]:
    """Return the files of the governors of a machine. Each policy of its processors has one of these governors."""
    files = []
    for number, governor in enumerate(found):
        policy = root / f"sys/devices/system/cpu/cpufreq/policy{number}"
        policy.mkdir(parents=True)
        (policy / "scaling_available_governors").write_text("performance powersave schedutil\n")
        (policy / "scaling_governor").write_text(f"{governor}\n")
        files.append(policy / "scaling_governor")
    return files
