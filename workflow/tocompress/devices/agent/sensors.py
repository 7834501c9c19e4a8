"""Find and read the power sensors of a machine."""

import glob
import os
import re
import time
from contextlib import suppress
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from tocompress.devices.agent.sysfs import printed_by, read, readable

ToWatt = Callable[..., float]

#: Files with the mode of a power monitor, under the drivers of L4T R28 to R32, and of hwmon.
_IIO_STATE = ("running_mode", "polling_delay_[0-2]", "crit_current_limit_[0-2]", "warn_current_limit_[0-2]")
_HWMON_STATE = (
    *("update_interval", "samples", "shunt_resistor", "shunt?_resistor", "power?_average_interval"),
    *("in[1-3]_enable", "curr[1-3]_crit", "curr[1-3]_max"),
)

#: Files with a power, and the door to the firmware of a Raspberry Pi. Only root reads some, or a group does.
_DOORS = (
    "sys/bus/i2c/drivers/ina3221x/*-00*/iio:device*/in_power*_input",
    "sys/class/hwmon/hwmon*/power*_input",
    "sys/class/hwmon/hwmon*/power*_average",
    "sys/class/powercap/intel-rapl:*/energy_uj",
    "dev/vcio",
)

#: The reading of an I2C bus without an answer, and the highest mV of an INA3221: 12 bits of 8 mV.
_ALL_ONES, _HIGHEST_MILLIVOLT = 0xFFFF, 32760

#: The program of a Raspberry Pi 5 that reads its power management chip, and its lines: `VDD_CORE_A current(7)=0.56A`.
_PMIC = ("vcgencmd", "pmic_read_adc")
_PMIC_LINE = re.compile(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([0-9.]+)[AV]\s*$", re.MULTILINE)

#: Seconds between two starts of the program. It keeps a core busy for milliseconds, and the firmware for twenty.
_PMIC_PERIOD = 0.05

#: Seconds between two readings of an energy counter. It moves about every millisecond, so the mean power of a shorter
#: time would be off by as much as itself.
_COUNTER_PERIOD = 0.01


class Sensor:
    """Rails that are read together, so that their readings are of one moment.

    `period` is the least time in s between two readings.
    """

    def __init__(self, names: List[str], read_watts: Callable[[], List[float]], period: float = 0.0) -> None:
        self.names = names
        self.period = period
        self._read_watts = read_watts

    def watts(self) -> Optional[List[float]]:
        """Return the power of each rail in W, or None when the sensor is busy, fails or gives no number."""
        try:
            return self._read_watts()
        except (OSError, ValueError, ArithmeticError, KeyError):
            return None


class Channel(NamedTuple):
    """A rail of a chip under hwmon: its label, and the files that give its power."""

    label: str
    files: List[str]
    to_watt: ToWatt


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


def find_sensors(root: str) -> List[Sensor]:
    """Return all sensors that can be read.

    A rail's name is `<I2C address or zone>/<label>`. A second rail of the same name ends in `#2`.
    """
    found = [sensor for find in (_iio, _hwmon, _rapl, _pmic) for sensor in find(root)]
    seen: Dict[str, int] = {}
    for sensor in found:
        for place, name in enumerate(sensor.names):
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                sensor.names[place] += "#" + str(seen[name])
    return found


def unreadable(root: str) -> List[str]:
    """Return the patterns of power files of which this user may not read all."""
    return [
        "/" + door
        for door in _DOORS
        if not all(os.access(path, os.R_OK, effective_ids=True) for path in glob.glob(os.path.join(root, door)))
    ]


def sensor_state(root: str) -> Dict[str, str]:
    """Return `<I2C address>/<file>` -> content of all files with the averaging and mode of the sensors."""
    return {
        address + "/" + os.path.basename(path): content.strip()
        for chips, patterns in ((_iio_chips, _IIO_STATE), (_hwmon_chips, _HWMON_STATE))
        for address, folder in chips(root)
        for path, content in readable(folder, *patterns).items()
    }


def _of_files(name: str, paths: List[str], to_watt: ToWatt, period: float = 0.0) -> Sensor:
    """Return the sensor of a rail. Its files stay open, because opening takes ten times as long as reading.

    Raise OSError where a file cannot be opened.
    """
    files = [open(path, "rb", buffering=0) for path in paths]  # noqa: SIM115
    return Sensor([name], lambda: [to_watt(*[int(os.pread(file.fileno(), 32, 0)) for file in files])], period)


def _iio_chips(root: str) -> List[Tuple[str, str]]:
    """Return the I2C address and folder of each INA3221 (L4T R28 to R32). The device's own number is not stable."""
    folders = sorted(glob.glob(os.path.join(root, "sys/bus/i2c/drivers/ina3221x/*-00*/iio:device*")))
    return [(os.path.basename(os.path.dirname(folder)), folder) for folder in folders]


def _hwmon_chips(root: str) -> List[Tuple[str, str]]:
    """Return the address and folder of each chip that measures a current or a power.

    A battery and a graphics card are left out, since they tell their own power and nothing of the device's.
    """
    chips = []
    for folder in sorted(glob.glob(os.path.join(root, "sys/class/hwmon/hwmon*"))):
        device = os.path.realpath(os.path.join(folder, "device"))
        measures = _numbers(folder, "curr") or _numbers(folder, "power")
        if measures and "/power_supply/" not in device and not os.path.exists(os.path.join(device, "drm")):
            chips.append((os.path.basename(device), folder))
    return chips


def _iio(root: str) -> Iterator[Sensor]:
    for address, folder in _iio_chips(root):
        for channel in "012":
            label = read(os.path.join(folder, "rail_name_" + channel))
            if label and label != "NC":
                power = os.path.join(folder, "in_power" + channel + "_input")
                with suppress(OSError):
                    yield _of_files(address + "/" + label, [power], _milliwatt)


def _hwmon(root: str) -> Iterator[Sensor]:
    for address, folder in _hwmon_chips(root):
        for channel in _channels(folder):
            if channel.label != "NC":
                paths = [os.path.join(folder, file) for file in channel.files]
                with suppress(OSError):
                    yield _of_files(address + "/" + channel.label, paths, channel.to_watt)


def _channels(folder: str) -> Iterator[Channel]:
    """Yield the rails of a chip: its powers, or else its products of a voltage and the current of the same number."""
    chip = read(os.path.join(folder, "name")) or "unnamed"
    powers, currents = _numbers(folder, "power"), _numbers(folder, "curr")
    if chip == "ina3221":  # its higher numbers are shunt voltages and sums
        for number in "123":
            label = read(os.path.join(folder, "in" + number + "_label"))
            yield Channel(label or "NC", _voltage_and_current(number), _of_ina3221)
    elif powers:
        for number, kind in sorted(powers.items()):
            yield Channel(_label(folder, number) or chip, ["power" + number + "_" + kind], _microwatt)
    else:
        for number in sorted(set(currents) & set(_numbers(folder, "in"))):
            yield Channel(_label(folder, number) or chip, _voltage_and_current(number), _millivolt_milliampere)


def _numbers(folder: str, quantity: str) -> Dict[str, str]:
    """Return the number of each channel of `in`, `curr` or `power` -> `input`, or `average` where it has no other."""
    kinds = {}
    for kind in ("average", "input"):
        for path in glob.glob(os.path.join(folder, quantity + "[0-9]*_" + kind)):
            kinds[os.path.basename(path)[len(quantity) : -len(kind) - 1]] = kind
    return kinds


def _label(folder: str, number: str) -> Optional[str]:
    """Return the name of a channel, or of a chip that has a name, or None."""
    files = [quantity + number + "_label" for quantity in ("power", "in", "curr")] + ["label"]
    return next(filter(None, (read(os.path.join(folder, file)) for file in files)), None)


def _voltage_and_current(number: str) -> List[str]:
    return ["in" + number + "_input", "curr" + number + "_input"]


def _rapl(root: str) -> Iterator[Sensor]:
    """Yield the energy counters of Intel's and AMD's processors. Both have zones of this name."""
    for folder in sorted(glob.glob(os.path.join(root, "sys/class/powercap/intel-rapl:*"))):
        label, energy, wrap = (
            read(os.path.join(folder, name)) for name in ("name", "energy_uj", "max_energy_range_uj")
        )
        if label and energy and wrap:
            with suppress(OSError, ValueError):
                counter = EnergyCounter(int(energy), int(wrap))
                path = os.path.join(folder, "energy_uj")
                yield _of_files(os.path.basename(folder) + "/" + label, [path], counter, _COUNTER_PERIOD)


def _pmic(_: str) -> Iterator[Sensor]:
    """Yield the power management chip of a Raspberry Pi 5, whose rails have a voltage and a current each."""
    names = list(pmic_watts(printed_by(*_PMIC)))
    if names:
        yield Sensor(["pmic/" + name for name in names], lambda: _read_pmic(names), _PMIC_PERIOD)


def _read_pmic(names: List[str]) -> List[float]:
    watts = pmic_watts(printed_by(*_PMIC))
    return [watts[name] for name in names]


def pmic_watts(text: str) -> Dict[str, float]:
    """Return the power in W of each rail of which the program's lines tell a current and a voltage."""
    values = {(name, unit): float(value) for name, unit, value in _PMIC_LINE.findall(text)}
    return {
        name: ampere * values[name, "V"]
        for (name, unit), ampere in values.items()
        if unit == "A" and (name, "V") in values
    }


def _milliwatt(power: int) -> float:
    if power == _ALL_ONES:
        raise ValueError("nobody answers on the bus")
    return power / 1000


def _microwatt(power: int) -> float:
    return power / 1e6


def _of_ina3221(voltage: int, current: int) -> float:
    if not 0 <= voltage <= _HIGHEST_MILLIVOLT or current == _ALL_ONES:
        raise ValueError("more than an INA3221 tells")
    return _millivolt_milliampere(voltage, current)


def _millivolt_milliampere(voltage: int, current: int) -> float:
    return 1e-6 * voltage * current
