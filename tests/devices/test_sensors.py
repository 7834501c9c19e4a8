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
from sensor_trees import (
    PMIC,
    hwmon,
    laptop,
    monitor,
    overwrite,
    pmic_text,
    program,
    raspberry_pi_5,
    zone,
)
from simulated_ina3221 import STEP_W, Chip, SimulatedIna3221

from tocompress.devices.agent.host import AgentError
from tocompress.devices.agent.sampler import Sampler
from tocompress.devices.agent.sensors import Sensor, find_sensors, sensor_state, unreadable
from tocompress.measurement.power import possible_watts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sysfs is Linux's")


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")
    return path


def sensor(root: Path, name: str) -> Sensor:
    return {sensor.names[0]: sensor for sensor in find_sensors(str(root))}[name]


def watts(root: Path) -> dict[str, float]:
    return {
        name: watt
        for sensor in find_sensors(str(root))
        for name, watt in zip(sensor.names, sensor.watts() or [], strict=True)
    }


def test_rails_of_the_old_driver_are_named_by_address_and_read_in_watt(tmp_path: Path) -> None:
    """The number of an iio device says nothing: here the first address has the second number."""
    simulated = [
        Chip("0-0041", {"VDD_IN": lambda _: 8.0, "NC": lambda _: 1.0, "VDD_SYS_DDR": lambda _: 2.0}),
        Chip("0-0040", {"VDD_SYS_GPU": lambda _: 4.0}),
    ]
    SimulatedIna3221(tmp_path, simulated, "iio")
    found = watts(tmp_path)
    assert list(found) == ["0-0040/VDD_SYS_GPU", "0-0041/VDD_IN", "0-0041/VDD_SYS_DDR"]
    assert list(found.values()) == pytest.approx([4.0, 8.0, 2.0], abs=STEP_W / 2 + 0.001)


def test_rails_of_the_new_driver_are_voltage_times_current_of_three_channels(tmp_path: Path) -> None:
    SimulatedIna3221(tmp_path, [Chip("1-0040", {"VDD_IN": lambda _: 8.0, "NC": lambda _: 1.0})], "hwmon")
    for name, content in {"in7_label": "sum of shunt voltages", "in4_input": "7", "curr4_input": "40"}.items():
        write(tmp_path / "sys/class/hwmon/hwmon0" / name, content)
    write(tmp_path / "sys/class/hwmon/hwmon1/name", "nct1008")
    write(tmp_path / "sys/class/hwmon/hwmon1/in1_label", "not a power monitor's")
    assert watts(tmp_path) == {"1-0040/VDD_IN": pytest.approx(8.0, abs=STEP_W / 2)}


@pytest.mark.parametrize("chip", ["ina219", "ina226", "ina228", "ina238", "ina260"])
def test_a_monitor_tells_its_power_itself_and_its_mode(chip: str, tmp_path: Path) -> None:
    """Its shunt's voltage is no rail, nor is the product of the two others a second one."""
    monitor(tmp_path, chip)
    assert watts(tmp_path) == {f"1-0040/{chip}": 7.675}
    assert sensor_state(str(tmp_path)) == {"1-0040/shunt_resistor": "10000", "1-0040/update_interval": "2"}


def test_a_monitor_has_the_name_that_the_device_tree_gives_it(tmp_path: Path) -> None:
    monitor(tmp_path, "ina226", label="VDD_5V")
    pmbus = {"name": "ltc2978", "power1_input": 9_000_000, "power1_label": "pin"}
    hwmon(tmp_path, 3, "i2c-1/1-0041", pmbus | {"power2_input": 8_000_000, "power2_label": "pout1"})
    assert watts(tmp_path) == {"1-0040/VDD_5V": 7.675, "1-0041/pin": 9.0, "1-0041/pout1": 8.0}


def test_a_chip_without_power_gives_the_products_of_equal_numbers(tmp_path: Path) -> None:
    """As an LTC4151: here the second voltage has no current."""
    files = {"name": "ltc4151", "in1_input": 12000, "curr1_input": 250, "in2_input": 300}
    hwmon(tmp_path, 0, "i2c-1/1-006f", files)
    assert watts(tmp_path) == {"1-006f/ltc4151": 3.0}


def test_an_average_counts_only_where_there_is_no_power_of_now(tmp_path: Path) -> None:
    meter = {"name": "power_meter", "power1_average": 213_000_000, "power1_average_interval": 1000}
    hwmon(tmp_path, 0, "LNXSYSTM:00/ACPI000D:00", meter)
    both = {"name": "fam15h_power", "power1_average": 1_000_000, "power1_input": 2_000_000}
    hwmon(tmp_path, 1, "pci0000:00/0000:00:18.4", both)
    assert watts(tmp_path) == {"ACPI000D:00/power_meter": 213.0, "0000:00:18.4/fam15h_power": 2.0}
    assert sensor_state(str(tmp_path)) == {"ACPI000D:00/power1_average_interval": "1000"}


def test_what_tells_of_itself_only_is_no_rail(tmp_path: Path) -> None:
    laptop(tmp_path)
    assert watts(tmp_path) == {}


def test_a_raspberry_pi_5_has_a_rail_for_each_current_read_by_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raspberry_pi_5(tmp_path)
    printed = program(tmp_path / "bin", pmic_text())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (pmic,) = find_sensors(str(tmp_path))
    assert pmic.names == ["pmic/" + name for name in PMIC]
    assert pmic.watts() == pytest.approx([ampere * volt for ampere, volt, _, _ in PMIC.values()])
    printed.write_text('error=1 error_msg="Command not registered"\n')
    assert pmic.watts() is None
    assert find_sensors(str(tmp_path)) == []


def test_energy_counters_give_the_mean_power_since_the_reading_before_across_their_wrap(tmp_path: Path) -> None:
    counter = zone(tmp_path, "0", "package-0", 900_000)
    before = time.monotonic()
    package = sensor(tmp_path, "intel-rapl:0/package-0")
    time.sleep(0.05)
    overwrite(counter, f"{400_000:012d}")
    (watt,) = package.watts() or []
    after = time.monotonic()
    assert 0.5 / (after - before) <= watt <= 0.5 / 0.05
    assert package.watts() == [0.0]


def test_a_step_backwards_is_power_that_no_device_takes_and_a_wrap_is_not(tmp_path: Path) -> None:
    """Of the range of many processors; a jump of 700 J and back, as an AMD 7840HS showed."""
    counter = zone(tmp_path, "0", "package-0", 1_000_000_000, wrap=65_532_610_987)
    package = sensor(tmp_path, "intel-rapl:0/package-0")
    highest = possible_watts(package.names[0])[1]
    watts: list[float] = []
    for microjoule in (1_000_006_000, 1_700_012_000, 1_000_018_000, 65_532_600_000, 5_000):
        time.sleep(0.001)
        overwrite(counter, f"{microjoule:012d}")
        watts += package.watts() or []
    assert [watt > highest for watt in watts] == [False, True, True, True, False]
    assert 0 < watts[4] < 0.016 / 0.001


def test_a_file_that_may_not_be_read_is_no_rail_and_is_told() -> None:
    """As of Linux 5.10, energy counters are root's alone. The firmware's door is open to a group."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        zone(Path(folder), "0", "package-0", 1).chmod(0)
        zone(Path(folder), "0:0", "core", 1).chmod(0o444)
        raspberry_pi_5(Path(folder))
        (Path(folder) / "dev/vcio").chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            assert [sensor.names for sensor in find_sensors(folder)] == [["intel-rapl:0:0/core"]]
            assert unreadable(folder) == ["/sys/class/powercap/intel-rapl:*/energy_uj", "/dev/vcio"]
        finally:
            os.seteuid(user)


def test_a_second_rail_of_the_same_name_is_kept_apart(tmp_path: Path) -> None:
    SimulatedIna3221(tmp_path, [Chip("0-0040", {"SUM": lambda _: 1.0}), Chip("0-0040", {"SUM": lambda _: 2.0})])
    assert list(watts(tmp_path)) == ["0-0040/SUM", "0-0040/SUM#2"]


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
    read = Sensor.watts

    def slow(sensor: Sensor) -> list[float] | None:
        os.write(log, sensor.names[0].encode() + b"\n")
        time.sleep(0.0012)
        return read(sensor)

    monkeypatch.setattr(Sensor, "watts", slow)
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
