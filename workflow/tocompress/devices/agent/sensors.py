"""Find and read the power sensors of a machine."""

import glob
import os
import time
from contextlib import suppress
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from tocompress.devices.agent.sysfs import read, readable

#: Files with the mode of an INA3221, under the drivers of L4T R28 to R32, and of R34 and newer.
_IIO_STATE = ("running_mode", "polling_delay_[0-2]", "crit_current_limit_[0-2]", "warn_current_limit_[0-2]")
_HWMON_STATE = ("update_interval", "samples", "shunt?_resistor", "in[1-3]_enable", "curr[1-3]_crit", "curr[1-3]_max")

#: The reading of an I2C bus without an answer, and the highest mV of an INA3221: 12 bits of 8 mV.
_ALL_ONES, _HIGHEST_MILLIVOLT = 0xFFFF, 32760


class Rail:
    """A place of power measurement. Its files stay open, because opening takes ten times as long as reading.

    It raises OSError where a file cannot be opened.
    """

    def __init__(self, name: str, paths: List[str], to_watt: Callable[..., float]) -> None:
        self.name = name
        self._to_watt = to_watt
        self._files = [open(path, "rb", buffering=0) for path in paths]  # noqa: SIM115

    def watt(self) -> Optional[float]:
        """Return the power now in watts, or None when the sensor is busy, fails or gives no number."""
        try:
            return self._to_watt(*[int(os.pread(file.fileno(), 32, 0)) for file in self._files])
        except (OSError, ValueError, ArithmeticError):
            return None


class EnergyCounter:
    """The mean watts since the previous reading, from a counter of microjoules that restarts at `wrap`.

    A step backwards without a wrap gives nearly the whole range: megawatts, which the host rejects.
    """

    def __init__(self, microjoule: int, wrap: int) -> None:
        self._wrap = wrap
        self._before = (time.monotonic(), microjoule)

    def __call__(self, microjoule: int) -> float:
        now, (then, last) = time.monotonic(), self._before
        self._before = (now, microjoule)
        return 1e-6 * ((microjoule - last) % self._wrap) / (now - then)


def find_rails(root: str) -> List[Rail]:
    """Find all rails that can be read, each `<I2C address or zone>/<name>`. A second of a name ends in `#2`."""
    rails = [rail for find in (_iio_rails, _hwmon_rails, _rapl_rails) for rail in find(root)]
    seen: Dict[str, int] = {}
    for rail in rails:
        seen[rail.name] = seen.get(rail.name, 0) + 1
        if seen[rail.name] > 1:
            rail.name += "#" + str(seen[rail.name])
    return rails


def sensor_state(root: str) -> Dict[str, str]:
    """Return `<I2C address>/<file>` -> content of all files with the averaging and mode of the sensors."""
    return {
        address + "/" + os.path.basename(path): content.strip()
        for chips, patterns in ((_iio_chips, _IIO_STATE), (_hwmon_chips, _HWMON_STATE))
        for address, folder in chips(root)
        for path, content in readable(folder, *patterns).items()
    }


def _iio_chips(root: str) -> List[Tuple[str, str]]:
    """Return the I2C address and folder of each INA3221 (L4T R28 to R32). The device's own number is not stable."""
    folders = sorted(glob.glob(os.path.join(root, "sys/bus/i2c/drivers/ina3221x/*-00*/iio:device*")))
    return [(os.path.basename(os.path.dirname(folder)), folder) for folder in folders]


def _hwmon_chips(root: str) -> List[Tuple[str, str]]:
    """Return the I2C address and folder of each INA3221 (L4T R34 and newer)."""
    folders = sorted(glob.glob(os.path.join(root, "sys/class/hwmon/hwmon*")))
    return [
        (os.path.basename(os.path.realpath(os.path.join(folder, "device"))), folder)
        for folder in folders
        if read(os.path.join(folder, "name")) == "ina3221"
    ]


def _iio_rails(root: str) -> Iterator[Rail]:
    for address, folder in _iio_chips(root):
        for channel in "012":
            label = read(os.path.join(folder, "rail_name_" + channel))
            if label and label != "NC":
                power = os.path.join(folder, "in_power" + channel + "_input")
                with suppress(OSError):
                    yield Rail(address + "/" + label, [power], _milliwatt)


def _hwmon_rails(root: str) -> Iterator[Rail]:
    for address, folder in _hwmon_chips(root):
        for channel in "123":  # the higher ones are shunt voltages and sums
            label = read(os.path.join(folder, "in" + channel + "_label"))
            if label and label != "NC":
                paths = [os.path.join(folder, kind + channel + "_input") for kind in ("in", "curr")]
                with suppress(OSError):
                    yield Rail(address + "/" + label, paths, _millivolt_milliampere)


def _rapl_rails(root: str) -> Iterator[Rail]:
    for folder in sorted(glob.glob(os.path.join(root, "sys/class/powercap/intel-rapl:*"))):
        label, energy, wrap = (
            read(os.path.join(folder, name)) for name in ("name", "energy_uj", "max_energy_range_uj")
        )
        if label and energy and wrap:
            with suppress(OSError, ValueError):
                counter = EnergyCounter(int(energy), int(wrap))
                yield Rail(os.path.basename(folder) + "/" + label, [os.path.join(folder, "energy_uj")], counter)


def _milliwatt(power: int) -> float:
    if power == _ALL_ONES:
        raise ValueError("nobody answers on the bus")
    return power / 1000


def _millivolt_milliampere(voltage: int, current: int) -> float:
    if not 0 <= voltage <= _HIGHEST_MILLIVOLT or current == _ALL_ONES:
        raise ValueError("more than an INA3221 tells")
    return 1e-6 * voltage * current
