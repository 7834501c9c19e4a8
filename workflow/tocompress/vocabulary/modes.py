"""The names of devices in their power modes: `orin@15W` is the device `orin` in the mode `15W`."""

from __future__ import annotations

from collections.abc import Iterable

_IN = "@"


def in_mode(device: str, mode: str) -> str:
    """Return the name of a device in a mode."""
    return f"{device}{_IN}{mode}"


def in_modes(device: str, modes: Iterable[str]) -> tuple[str, ...]:
    """Return the name of a device in each of its modes. A device without modes has its own name."""
    return tuple(in_mode(device, mode) for mode in modes) or (device,)


def device_of(name: str) -> str:
    """Return the device without its mode."""
    return name.partition(_IN)[0]


def mode_of(name: str) -> str | None:
    """Return the mode of a device, or None where its name holds none."""
    return name.partition(_IN)[2] or None
