"""INA3221 power sensors made of files that a process keeps up to date, as their drivers would show them.

    with SimulatedIna3221(root, [Chip("0-0041", {"VDD_IN": lambda time_s: 5.0}, averaging=64)]):
        ...  # root/sys now reads 5 W

What a rail takes is any function of the monotonic clock (s -> W); it is called in the process that is forked.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Watt = Callable[[float], float]
Layout = Literal["iio", "hwmon"]

#: Three channels, each a bus and a shunt voltage, of 1.1 ms.
CYCLE = 3 * 2 * 0.0011

#: The supply of a TX2 in mV, a multiple of the bus voltage's step of 8 mV.
MILLIVOLT = 19144

#: A step of 40 uV over a shunt of 10 mOhm, in mA.
MILLIAMPERE_STEP = 4

#: What a step of the current is in power.
STEP_W = 1e-6 * MILLIVOLT * MILLIAMPERE_STEP

_CHANNELS = {"iio": (0, 1, 2), "hwmon": (1, 2, 3)}


@dataclass(frozen=True)
class Chip:
    """At `address` (`<bus>-00<I2C address>`), with up to three rails, free running with an averaging of 1 to 1024."""

    address: str
    rails: Mapping[str, Watt]
    averaging: int = 1


class SimulatedIna3221:
    """Chips under `root`/sys in the layout of L4T R28 to R32 (`iio`) or of R34 and newer (`hwmon`)."""

    def __init__(self, root: Path, chips: Sequence[Chip], layout: Layout = "iio") -> None:
        self.registers = [
            register
            for number, chip in enumerate(chips)
            for register in (_iio_chip if layout == "iio" else _hwmon_chip)(root, number, chip)
        ]
        self._process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)

    def start(self) -> None:
        gc.disable()  # what TensorFlow left in other tests would wait for threads that the fork does not have
        try:
            self._process.start()
        finally:
            gc.enable()

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        """Convert in every cycle; when the process was held up, the cycles missed are made up for."""
        begin, cycle = time.monotonic(), 0
        while True:
            cycle += 1
            moment = begin + cycle * CYCLE
            for register in self.registers:
                register.convert(moment)
            time.sleep(max(0.0, moment - time.monotonic()))
            for register in self.registers:
                register.show()


class Register:
    """A channel: forgets by 1/averaging in every cycle, and shows the average in steps of the current."""

    def __init__(self, watt: Watt, averaging: int, show: Callable[[int, int], None]) -> None:
        self._watt = watt
        self._averaging = averaging
        self._show = show
        self._average = watt(time.monotonic())
        self.show()

    def convert(self, moment: float) -> None:
        self._average += (self._watt(moment) - self._average) / self._averaging

    def show(self) -> None:
        current = self._average / MILLIVOLT * 1e6
        self._show(MILLIVOLT, MILLIAMPERE_STEP * round(current / MILLIAMPERE_STEP))


def _iio_chip(root: Path, number: int, chip: Chip) -> list[Register]:
    folder = root / f"sys/bus/i2c/drivers/ina3221x/{chip.address}/iio:device{number}"
    _write(folder / "running_mode", "1")
    registers = []
    for channel, (name, watt) in zip(_CHANNELS["iio"], chip.rails.items(), strict=False):
        _write(folder / f"rail_name_{channel}", name)
        _write(folder / f"polling_delay_{channel}", "0 ms")
        _write(folder / f"crit_current_limit_{channel}", "32760 ma")
        power = _Number(folder / f"in_power{channel}_input")
        registers.append(Register(watt, chip.averaging, lambda mv, ma, power=power: power.write(mv * ma // 1000)))
    return registers


def _hwmon_chip(root: Path, number: int, chip: Chip) -> list[Register]:
    device = root / f"sys/bus/i2c/drivers/ina3221/{chip.address}"
    folder = device / f"hwmon/hwmon{number}"
    _write(folder / "name", "ina3221")
    _write(folder / "update_interval", str(round(1000 * CYCLE * chip.averaging)))
    _write(folder / "samples", str(chip.averaging))
    (folder / "device").symlink_to("../..")
    (root / "sys/class/hwmon").mkdir(parents=True, exist_ok=True)
    (root / f"sys/class/hwmon/hwmon{number}").symlink_to(folder)
    registers = []
    for channel, (name, watt) in zip(_CHANNELS["hwmon"], chip.rails.items(), strict=False):
        _write(folder / f"in{channel}_label", name)
        _write(folder / f"in{channel}_enable", "1")
        _write(folder / f"shunt{channel}_resistor", "10000")
        voltage, current = _Number(folder / f"in{channel}_input"), _Number(folder / f"curr{channel}_input")

        def show(mv: int, ma: int, voltage: _Number = voltage, current: _Number = current) -> None:
            voltage.write(mv)
            current.write(ma)

        registers.append(Register(watt, chip.averaging, show))
    return registers


class _Number:
    """A file that is overwritten in place, for its readers keep it open; always as long, for they are not stopped."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)

    def write(self, value: int) -> None:
        os.pwrite(self._descriptor, b"%07d\n" % value, 0)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")
