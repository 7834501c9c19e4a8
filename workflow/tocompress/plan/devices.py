"""Devices: on request, check whether a device is fit to be measured, and remove all files that were sent there."""

from __future__ import annotations

from tocompress.devices.program import MODULES
from tocompress.plan.base import Parameters, Stage, Wildcards, canonical


class Devices(Stage):
    """The rules of rules/devices.smk."""

    # Rule check_device

    @property
    def check_device(self) -> Parameters:
        return self.parameters("check_device.py", self._device, MODULES)

    def _device(self, wildcards: Wildcards) -> str:
        return self.study.devices[wildcards.device].canonical()

    # Rule clean_devices

    @property
    def boards(self) -> str:
        """Return the settings of the devices of the study that are reached by ssh."""
        devices = {name: self.study.devices[name] for name in self.study.study.devices}
        return canonical(**{name: device for name, device in devices.items() if device.transport == "ssh"})
