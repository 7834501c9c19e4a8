"""Whether a device's clocks stand still."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

#: Files of the lowest and the highest frequency that a processor may take: those of CPUs, and of GPUs and the like.
_BOUNDS = {"scaling_min_freq": "scaling_max_freq", "min_freq": "max_freq"}


def unlocked(clock: Mapping[str, str]) -> list[str]:
    """The processors whose lowest frequency is not their highest, from the `clock` of the agent's `state`.

    Nobody can vouch for a machine that tells the bounds of no frequency: `all processors`.
    """
    bounds = {PurePosixPath(path): value for path, value in clock.items() if PurePosixPath(path).name in _BOUNDS}
    if not bounds:
        return ["all processors"]
    moving = [path for path, lowest in bounds.items() if clock.get(str(path.with_name(_BOUNDS[path.name]))) != lowest]
    return sorted(path.parent.parent.name if path.parent.name == "cpufreq" else path.parent.name for path in moving)
