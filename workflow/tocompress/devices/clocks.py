"""Check whether a device's clocks are locked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

#: Files of a processor's lowest frequency -> its highest frequency: first for CPUs, then for GPUs and others.
_BOUNDS = {"scaling_min_freq": "scaling_max_freq", "min_freq": "max_freq"}


def unlocked(clock: Mapping[str, str]) -> list[str]:
    """Return the processors whose lowest frequency is not their highest, from the `clock` of the agent's `state`.

    Return `all processors` for a machine that gives no bounds.
    """
    bounds = {PurePosixPath(path): value for path, value in clock.items() if PurePosixPath(path).name in _BOUNDS}
    if not bounds:
        return ["all processors"]
    moving = [path for path, lowest in bounds.items() if clock.get(str(path.with_name(_BOUNDS[path.name]))) != lowest]
    return sorted(path.parent.parent.name if path.parent.name == "cpufreq" else path.parent.name for path in moving)
