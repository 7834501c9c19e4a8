"""Devices: which job takes which board, and on request a check of a device, and the removal of all files sent there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tocompress.devices.program import MODULES
from tocompress.plan.base import Parameters, Stage, Wildcards, canonical
from tocompress.settings.device import SshDevice
from tocompress.vocabulary.modes import device_of

#: The number of each board that a job takes. A job that takes none of a board has None.
Boards = dict[str, Callable[[Wildcards], int | None]]


class Devices(Stage):
    """The rules of rules/devices.smk, and the boards that all rules share."""

    # Boards: each measures one thing at a time

    @property
    def boards(self) -> dict[str, str]:
        """Return the resource that stands for the board of each device. Devices of one host are one board."""
        boards: dict[str, str] = {}
        first: dict[tuple[str, str | None], str] = {}
        for name, device in self.study.devices.items():
            if isinstance(device, SshDevice):
                boards[name] = f"board_{first.setdefault(device.board, name)}"
        return boards

    @property
    def board_of_device(self) -> Boards:
        """Return the boards that a job on the wildcard `device` takes."""
        return self._boards(lambda wildcards: [wildcards.device])

    @property
    def board_of_search(self) -> Boards:
        """Return the boards that a search takes."""
        return self._boards(lambda wildcards: [device_of(self.study.search[wildcards.model].device)])

    @property
    def boards_of_study(self) -> Boards:
        """Return the boards that a job on all devices of the study takes."""
        return self._boards(lambda _: self.study.study.devices)

    def _boards(self, devices: Callable[[Wildcards], Iterable[str]]) -> Boards:
        def taken(board: str) -> Callable[[Wildcards], int | None]:
            return lambda wildcards: 1 if board in map(self.boards.get, devices(wildcards)) else None

        return {board: taken(board) for board in self.boards.values()}

    # Rule check_device

    @property
    def check_device(self) -> Parameters:
        return self.parameters("check_device.py", self._device, MODULES)

    def _device(self, wildcards: Wildcards) -> str:
        return self.study.devices[wildcards.device].canonical()

    # Rule clean_devices

    @property
    def ssh_devices(self) -> str:
        """Return the settings of the devices of the study that are reached by ssh."""
        return canonical(**{name: self.study.devices[name] for name in self.study.study.devices if name in self.boards})
