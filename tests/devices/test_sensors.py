"""Power sensors as the agent finds and samples them, in made-up trees of files."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from simulated_ina3221 import STEP_W, Chip, SimulatedIna3221

from tocompress.devices.agent.host import AgentError
from tocompress.devices.agent.sampler import Sampler
from tocompress.devices.agent.sensors import Rail, find_rails, sensor_state
from tocompress.measurement.power import possible_watts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sysfs is Linux's")


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")
    return path


def zone(root: Path, number: str, name: str, microjoule: int, wrap: int = 1_000_000) -> Path:
    folder = root / f"sys/class/powercap/intel-rapl:{number}"
    write(folder / "name", name)
    write(folder / "max_energy_range_uj", str(wrap))
    return write(folder / "energy_uj", f"{microjoule:07d}")


def rail(root: Path, name: str) -> Rail:
    return {rail.name: rail for rail in find_rails(root=str(root))}[name]


def test_rails_of_the_old_driver_are_named_by_address_and_read_in_watt(tmp_path: Path) -> None:
    """The number of an iio device says nothing: here the first address has the second number."""
    simulated = [
        Chip("0-0041", {"VDD_IN": lambda _: 8.0, "NC": lambda _: 1.0, "VDD_SYS_DDR": lambda _: 2.0}),
        Chip("0-0040", {"VDD_SYS_GPU": lambda _: 4.0}),
    ]
    SimulatedIna3221(tmp_path, simulated, "iio")
    found = {rail.name: rail.watt() for rail in find_rails(str(tmp_path))}
    assert list(found) == ["0-0040/VDD_SYS_GPU", "0-0041/VDD_IN", "0-0041/VDD_SYS_DDR"]
    assert list(found.values()) == pytest.approx([4.0, 8.0, 2.0], abs=STEP_W / 2 + 0.001)


def test_rails_of_the_new_driver_are_voltage_times_current_of_three_channels(tmp_path: Path) -> None:
    SimulatedIna3221(tmp_path, [Chip("1-0040", {"VDD_IN": lambda _: 8.0, "NC": lambda _: 1.0})], "hwmon")
    write(tmp_path / "sys/class/hwmon/hwmon0/in7_label", "sum of shunt voltages")
    write(tmp_path / "sys/class/hwmon/hwmon1/name", "nct1008")
    write(tmp_path / "sys/class/hwmon/hwmon1/in1_label", "not a power monitor's")
    (found,) = find_rails(str(tmp_path))
    assert found.name == "1-0040/VDD_IN"
    assert found.watt() == pytest.approx(8.0, abs=STEP_W / 2)


def test_energy_counters_give_the_mean_power_since_the_reading_before_across_their_wrap(tmp_path: Path) -> None:
    counter = zone(tmp_path, "0", "package-0", 900_000)
    before = time.monotonic()
    package = rail(tmp_path, "intel-rapl:0/package-0")
    time.sleep(0.05)
    counter.write_text("0400000\n")
    watt = package.watt()
    after = time.monotonic()
    assert watt is not None
    assert 0.5 / (after - before) <= watt <= 0.5 / 0.05
    assert package.watt() == 0.0


def test_a_step_backwards_is_power_that_no_device_takes_and_a_wrap_is_not(tmp_path: Path) -> None:
    """Of the range of many processors; a jump of 700 J and back, as an AMD 7840HS showed."""
    counter = zone(tmp_path, "0", "package-0", 1_000_000_000, wrap=65_532_610_987)
    package = rail(tmp_path, "intel-rapl:0/package-0")
    highest = possible_watts(package.name)[1]
    watts = []
    for microjoule in (1_000_006_000, 1_700_012_000, 1_000_018_000, 65_532_600_000, 5_000):
        time.sleep(0.001)
        counter.write_text(f"{microjoule}\n")
        watts.append(package.watt())
    assert [watt is not None and watt > highest for watt in watts[:4]] == [False, True, True, True]
    assert watts[4] is not None and 0 < watts[4] < 0.016 / 0.001


def test_a_file_that_may_not_be_read_is_no_rail() -> None:
    """As of Linux 5.10, energy counters are root's alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        zone(Path(folder), "0", "package-0", 1).chmod(0)
        zone(Path(folder), "0:0", "core", 1).chmod(0o444)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            assert [rail.name for rail in find_rails(folder)] == ["intel-rapl:0:0/core"]
        finally:
            os.seteuid(user)


def test_a_second_rail_of_the_same_name_is_kept_apart(tmp_path: Path) -> None:
    SimulatedIna3221(tmp_path, [Chip("0-0040", {"SUM": lambda _: 1.0}), Chip("0-0040", {"SUM": lambda _: 2.0})])
    assert [rail.name for rail in find_rails(str(tmp_path))] == ["0-0040/SUM", "0-0040/SUM#2"]


def test_the_mode_of_a_sensor_is_told_by_address(tmp_path: Path) -> None:
    SimulatedIna3221(tmp_path / "old", [Chip("0-0041", {"VDD_IN": lambda _: 1.0})], "iio")
    SimulatedIna3221(tmp_path / "new", [Chip("1-0040", {"VDD_IN": lambda _: 1.0}, averaging=64)], "hwmon")
    assert sensor_state(str(tmp_path / "old")) == {
        "0-0041/running_mode": "1",
        "0-0041/polling_delay_0": "0 ms",
        "0-0041/crit_current_limit_0": "32760 ma",
    }
    assert sensor_state(str(tmp_path / "new")) == {
        "1-0040/update_interval": "422",
        "1-0040/samples": "64",
        "1-0040/shunt1_resistor": "10000",
        "1-0040/in1_enable": "1",
    }


@pytest.fixture
def sampler(tmp_path: Path) -> Iterator[Sampler]:
    SimulatedIna3221(tmp_path, [Chip("0-0041", {"VDD_IN": lambda _: 8.0, "VDD_SYS_CPU": lambda _: 4.0})])
    sampler = Sampler(str(tmp_path), ["0-0041/VDD_IN", "0-0041/VDD_SYS_CPU"])
    yield sampler
    with pytest.raises(ChildProcessError):  # whatever a test did, it is not left running
        os.waitpid(sampler._process, os.WNOHANG)


def test_rails_are_sampled_in_time_until_stopped_and_failed_reads_are_counted(sampler: Sampler, tmp_path: Path) -> None:
    start = time.monotonic()
    time.sleep(0.3)
    (tmp_path / "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device0/in_power1_input").write_text("garbage")
    time.sleep(0.3)
    record = sampler.stop()
    end = time.monotonic()
    assert (record["record"], record["period_s"]) == ("power", 0.001)
    whole, broken = record["rails"]["0-0041/VDD_IN"], record["rails"]["0-0041/VDD_SYS_CPU"]
    assert set(whole["watt"]) == {7.963} and set(broken["watt"]) == {3.981}
    times = np.array(whole["time_s"])
    assert (np.diff(times) > 0).all() and start - 0.1 < times[0] < times[-1] < end
    # A busy machine may take slots, but never adds any.
    assert 200 < len(times) <= 1 + (end - start + 0.1) / 0.001
    assert whole["failed"] == 0
    assert broken["failed"] > 50 and len(broken["watt"]) + broken["failed"] == len(times)


def test_no_other_rail_is_read_than_those_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TX2 has four chips; in triggered mode its driver takes some 1.2 ms for a reading."""
    chips = [Chip(f"0-004{chip}", {f"RAIL_{chip}{rail}": lambda _: 8.0 for rail in "abc"}) for chip in range(4)]
    SimulatedIna3221(tmp_path, chips)
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    watt = Rail.watt

    def slow(rail: Rail) -> float | None:
        os.write(log, rail.name.encode() + b"\n")
        time.sleep(0.0012)
        return watt(rail)

    monkeypatch.setattr(Rail, "watt", slow)
    sampler = Sampler(str(tmp_path), ["0-0041/RAIL_1a"])
    time.sleep(0.5)
    rails = sampler.stop()["rails"]
    os.close(log)
    assert set((tmp_path / "log").read_text().split()) == set(rails) == {"0-0041/RAIL_1a"}
    # Alone it is read some 490 times a second; with all twelve, 66 times.
    assert len(rails["0-0041/RAIL_1a"]["watt"]) > 60


def test_a_sampler_that_died_is_told(sampler: Sampler) -> None:
    os.kill(sampler._process, signal.SIGKILL)
    with pytest.raises(AgentError, match="the power sampler was ended by signal 9"):
        sampler.stop()


def test_a_sampler_can_be_ended_without_a_word(sampler: Sampler) -> None:
    sampler.kill()


def test_a_sampler_ends_with_its_parent(tmp_path: Path) -> None:
    SimulatedIna3221(tmp_path, [Chip("0-0041", {"VDD_IN": lambda _: 8.0})])
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            os.write(writer, str(Sampler(str(tmp_path), ["0-0041/VDD_IN"])._process).encode())
            time.sleep(0.1)
        finally:
            os._exit(0)
    os.close(writer)
    process = int(os.read(reader, 20))
    os.waitpid(parent, 0)
    # The sampler holds the last copy of the pipe's other end.
    assert os.read(reader, 1) == b""
    os.close(reader)
    end = time.monotonic() + 10
    while is_alive(process) and time.monotonic() < end:  # its files are closed a moment before it has ended
        time.sleep(0.01)
    assert not is_alive(process)


def is_alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().split()
    except FileNotFoundError:
        return False
