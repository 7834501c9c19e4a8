"""Read the power sensors at a steady rate in a process of its own."""

import gc
import json
import os
import select
import signal
import time
from array import array
from contextlib import suppress
from typing import Dict, List

from tocompress.devices.agent.host import AgentError, Record, one_line
from tocompress.devices.agent.sensors import Sensor, find_sensors

#: Seconds between two readings of a rail, if its sensor keeps up.
_PERIOD = 0.001

#: Seconds that the sampler may take to hand over its readings.
_HANDOVER = 60.0


class Sampler:
    """A process that reads the rails with these names under `root` every millisecond until `stop`.

    Only a process can have its own real-time priority. If the system allows it, the sampler keeps its rate under any
    load. It always ends with this process.
    """

    def __init__(self, root: str, names: List[str]) -> None:
        control, self._control = os.pipe()
        self._answer, answer = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._control)
            os.close(self._answer)
            _be_sampler(root, names, control, answer)
        os.close(control)
        os.close(answer)

    def stop(self) -> Record:
        """End the process and return its readings. Raise AgentError if it has ended before."""
        with suppress(BrokenPipeError):
            os.write(self._control, b".")
        try:
            text = _all_of(self._answer, time.monotonic() + _HANDOVER)
        except AgentError:
            self.kill()
            raise
        status = self._wait()
        if os.WIFSIGNALED(status):
            raise AgentError(f"the power sampler was ended by signal {os.WTERMSIG(status)}")
        if status != 0:
            raise AgentError(f"the power sampler ended with exit code {os.WEXITSTATUS(status)}: {text.decode()}")
        record: Record = json.loads(text.decode())
        return record

    def kill(self) -> None:
        """End the process. Its readings are lost."""
        os.kill(self._process, signal.SIGKILL)
        self._wait()

    def _wait(self) -> int:
        os.close(self._control)
        os.close(self._answer)
        return os.waitpid(self._process, 0)[1]


class Readings:
    """The readings of a sensor and their times. They are arrays, because lists of objects would grow the process."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._due = 0.0
        self.time_s = array("d")
        self.watts = [array("d") for _ in sensor.names]
        self.failed = 0

    def take(self) -> None:
        """Read once if a reading is due. Its time is the middle of it, when a slow sensor converts."""
        before = time.monotonic()
        if before < self._due:
            return
        self._due = before + self._sensor.period
        watts = self._sensor.watts()
        if watts is None:
            self.failed += 1
            return
        self.time_s.append((before + time.monotonic()) / 2)
        for place, watt in enumerate(watts):
            self.watts[place].append(watt)

    def records(self) -> Dict[str, Record]:
        """Return rail -> readings to the microsecond and microwatt. More digits mean nothing and double the text."""
        times = [round(value, 6) for value in self.time_s]
        return {
            name: {"time_s": times, "watt": [round(value, 6) for value in self.watts[place]], "failed": self.failed}
            for place, name in enumerate(self._sensor.names)
        }


def _be_sampler(root: str, names: List[str], control: int, answer: int) -> None:
    """Sample until the order to stop, and hand over the readings. End the process in any case."""
    status = 1
    try:
        with os.fdopen(answer, "w") as channel:
            try:
                gc.disable()
                realtime = _take_realtime_priority()
                # A reading takes a millisecond or more, so readings of other rails would slow these down.
                readings = [Readings(sensor) for sensor in find_sensors(root) if set(sensor.names) & set(names)]
                _sample(readings, control)
                if os.read(control, 1):  # a dead parent sends nothing
                    rails = {name: rail for reading in readings for name, rail in reading.records().items()}
                    chosen = {name: rails[name] for name in names if name in rails}
                    record = {"record": "power", "period_s": _PERIOD, "realtime": realtime, "rails": chosen}
                    channel.write(json.dumps(record))
                status = 0
            except Exception as error:
                channel.write(one_line(error))
    finally:
        os._exit(status)


def _take_realtime_priority() -> bool:
    """Take real-time priority if the system allows it. Return whether it did."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        return False
    return True


def _sample(readings: List[Readings], control: int) -> None:
    """Read the sensors at multiples of the period until `control` has data or ends.

    A missed multiple is left out, because faster reading afterwards would not bring it back.
    """
    begin, slot = time.monotonic(), 0
    while not select.select([control], [], [], max(0.0, begin + slot * _PERIOD - time.monotonic()))[0]:
        for reading in readings:
            reading.take()
        slot = int((time.monotonic() - begin) / _PERIOD) + 1


def _all_of(descriptor: int, deadline: float) -> bytes:
    """Read everything up to the end of a pipe. Raise AgentError when the deadline has passed."""
    chunks: List[bytes] = []
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
    raise AgentError("the power sampler does not answer")
