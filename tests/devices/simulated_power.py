"""Sensors of all kinds but the INA3221, made of files that a process keeps up to date with one power.

    with SimulatedPower(root, lambda time_s: 5.0):
        ...  # each kind of sensor under root tells 5 W, and so does the `vcgencmd` in root/bin

The power is any function of the monotonic clock (s -> W), which the forked process calls.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sensor_trees import PMIC, hwmon, monitor, overwrite, pmic_text, program, zone

#: Seconds between two states of the files.
PERIOD = 0.001

#: Kind of sensor -> rails that add up to the power.
RAILS = {
    "a power": ["1-0040/ina226"],
    "a voltage and a current": ["1-006f/ltc4151"],
    "two energy counters": ["intel-rapl:0/package-0-die-0", "intel-rapl:1/package-0-die-1"],
    "a program": ["pmic/" + name for name in PMIC],
}

_MILLIVOLT = 12000
_WRAP = 5_000_000  # uJ, so that a counter restarts every second


class SimulatedPower:
    def __init__(self, root: Path, watt: Callable[[float], float]) -> None:
        self._watt = watt
        self._monitor = monitor(root, "ina226", power1_input="000000000") / "power1_input"
        ltc = {"name": "ltc4151", "in1_input": _MILLIVOLT, "curr1_input": "000000"}
        self._current = hwmon(root, 5, "i2c-1/1-006f", ltc) / "curr1_input"
        self._dies = [zone(root, str(die), f"package-0-die-{die}", 0, _WRAP) for die in (0, 1)]
        self._printed = program(root / "bin", pmic_text())
        self._process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        gc.disable()  # objects of TensorFlow from other tests would wait for threads that the fork does not have
        try:
            self._process.start()
        finally:
            gc.enable()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.join()

    def _run(self) -> None:
        with suppress(OSError):  # a real counter does not wait for a processor either
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
        before, joule = time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            joule += self._watt((before + now) / 2) * (now - before)
            before = now
            self._show(self._watt(now), joule)
            time.sleep(PERIOD)

    def _show(self, watt: float, joule: float) -> None:
        overwrite(self._monitor, f"{round(1e6 * watt):09d}")
        overwrite(self._current, f"{round(1e6 * watt / _MILLIVOLT):06d}")
        for counter, share in zip(self._dies, (0.6, 0.4), strict=True):
            overwrite(counter, f"{round(1e6 * share * joule) % _WRAP:012d}")
        text = self._printed.with_suffix(".new")
        text.write_text(pmic_text(watt / sum(ampere * volt for ampere, volt, _, _ in PMIC.values())))
        os.replace(text, self._printed)
