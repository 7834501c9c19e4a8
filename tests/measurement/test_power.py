"""Which rails count, how well they were read, and the file of an external meter."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tocompress.errors import StudyError
from tocompress.measurement.power import (
    METER,
    check_meter,
    device_rails,
    least_step,
    left_out,
    meter_samples,
    quality,
    read_meter,
    sampling_quality,
    total_rails,
)
from tocompress.schemas.benchmark import RECORDED
from tocompress.settings.device import LocalDevice
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import ONCE

TX2 = [
    *("0-0040/VDD_SYS_GPU", "0-0040/VDD_SYS_SOC", "0-0041/VDD_IN", "0-0041/VDD_SYS_CPU", "0-0041/VDD_SYS_DDR"),
    *("0-0042/VDD_MUX", "0-0042/VDD_5V0_IO_SYS"),
]
NANO = ["6-0040/POM_5V_IN", "6-0040/POM_5V_GPU", "6-0040/POM_5V_CPU"]
XAVIER = ["1-0040/GPU", "1-0040/CPU", "1-0040/SOC", "1-0041/CV", "1-0041/VDDRQ", "1-0041/SYS5V"]
ORIN = ["1-0040/VDD_GPU_SOC", "1-0040/VDD_CPU_CV", "1-0040/VIN_SYS_5V0", "1-0041/VDDQ_VDD2_1V8AO"]
ORIN_AND_MONITOR = [*ORIN, "7-0044/ina226"]
PI_5 = ["pmic/3V3_SYS", "pmic/DDR_VDD2", "pmic/VDD_CORE", "pmic/HDMI"]
EPYC = ["intel-rapl:0/package-0", "intel-rapl:0:0/core", "intel-rapl:1/package-1", "intel-rapl:1:0/core"]
TWO_DIES = [
    "intel-rapl:0/package-0-die-0",
    "intel-rapl:0:0/dram",
    "intel-rapl:1/package-0-die-1",
    "intel-rapl:1:0/dram",
]
SERVER = [
    *("intel-rapl:0/package-0", "intel-rapl:0:0/core", "intel-rapl:0:1/dram", "intel-rapl:1/package-1"),
    *("intel-rapl:1:1/dram", "intel-rapl:2/psys"),
]


@pytest.mark.parametrize(
    ("names", "total"),
    [
        (TX2, ["0-0041/VDD_IN"]),
        (NANO, ["6-0040/POM_5V_IN"]),
        (XAVIER, XAVIER),
        (ORIN, ORIN[:3]),
        (SERVER, ["intel-rapl:0/package-0", "intel-rapl:0:1/dram", "intel-rapl:1/package-1", "intel-rapl:1:1/dram"]),
        (EPYC, ["intel-rapl:0/package-0", "intel-rapl:1/package-1"]),
        (TWO_DIES, TWO_DIES),
        (PI_5, PI_5),
        ([*PI_5, "1-0040/ina219"], PI_5),
        (ORIN_AND_MONITOR, ORIN[:3]),
        (["1-0040/ina238"], ["1-0040/ina238"]),
        ([*TX2, METER], [METER]),
    ],
)
def test_the_rails_of_a_known_board_hold_its_power_once(names: list[str], total: list[str]) -> None:
    found = total_rails(names)
    assert sorted(found) == sorted(total)
    assert total_rails(found) == found  # as from the table of a session, which holds these rails only


@pytest.mark.parametrize(
    ("rails", "outside"),
    [
        (PI_5, ["USB devices", "HATs", "losses of the regulators"]),
        (EPYC, ["mainboard", "memory without a `dram` rail"]),
        (["0-0041/VDD_IN", "0-0042/VDD_MUX"], ["the carrier board"]),
        (["1-0040/ina260"], ["does not pass the shunt"]),
        ([METER], []),
    ],
)
def test_the_power_that_no_rail_holds_is_named(rails: list[str], outside: list[str]) -> None:
    told = left_out(rails)
    assert bool(told) == bool(outside)
    assert all(part in told for part in outside)


@pytest.mark.parametrize(
    "names",
    [
        *(TX2[:2], XAVIER[:5], ["intel-rapl:0/psys"], ["0-0040/VDD_IN", "0-0041/VDD_IN"]),
        *(["1-0040/ina226", "1-0041/ina226"], ["1-0040/VDD_5V"]),
    ],
)
def test_an_unknown_board_is_not_guessed(names: list[str]) -> None:
    with pytest.raises(StudyError, match=rf"{names[0]}.*devices\.<name>\.rails"):
        total_rails(names)


def test_chosen_rails_are_taken_as_they_are() -> None:
    assert total_rails(TX2, ["0-0042/VDD_MUX", "0-0041/VDD_IN"]) == ["0-0042/VDD_MUX", "0-0041/VDD_IN"]


@pytest.mark.parametrize(
    ("names", "chosen", "message"),
    [
        (TX2, ["VDD_IN"], "no VDD_IN among the rails 0-0040/VDD_SYS_GPU"),
        (TX2, ["0-0041/VDD_SYS_CPU", "0-0041/VDD_IN"], "VDD_IN holds the power of 0-0041/VDD_SYS_CPU already"),
        (SERVER, ["intel-rapl:2/psys", "intel-rapl:1/package-1"], "psys holds the power of intel-rapl:1/package-1"),
        (TWO_DIES, [TWO_DIES[2], "intel-rapl:1:1/core"], "no intel-rapl:1:1/core among the rails"),
        ([*EPYC], EPYC[:2], "package-0 holds the power of intel-rapl:0:0/core"),
        ([*NANO, METER], [METER, NANO[0]], "meter holds the power of 6-0040/POM_5V_IN already"),
    ],
)
def test_a_choice_that_is_absent_or_counts_twice_is_refused(names: list[str], chosen: list[str], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        total_rails(names, chosen)


def test_a_sensor_that_only_root_may_read_is_named_where_it_is_missed() -> None:
    hello = {"rails": [], "unreadable": ["/sys/class/powercap/intel-rapl:*/energy_uj"]}
    device = LocalDevice(transport="local", threads=1)
    assert device_rails(hello, device) == []
    with pytest.raises(StudyError, match=r"no intel-rapl:0/package-0 .*; no permission to read /sys/class/powercap/in"):
        device_rails(hello, device.model_copy(update={"rails": ("intel-rapl:0/package-0",)}))


def test_a_rail_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="0-0041/VDD_IN"):
        LocalDevice(transport="local", threads=1, rails=("0-0041/VDD_IN", "0-0041/VDD_IN"))


def published(codes: np.ndarray, millivolt: np.ndarray | int = 19144, milliampere: int = 4) -> np.ndarray:
    """What the driver tells in W: an integer of mW."""
    return np.asarray(millivolt * milliampere * codes // 1000) / 1000


def test_the_step_is_that_of_the_current_though_the_voltage_flickers() -> None:
    random = np.random.default_rng(1)
    codes = 26 + random.binomial(1, 0.1, 3000) + 40 * (np.arange(3000) > 1500)
    voltage = 19144 + 8 * random.binomial(1, 0.3, 3000)
    assert least_step(published(codes)) == pytest.approx(0.0766, abs=0.001)
    assert least_step(published(codes, voltage)) == pytest.approx(0.0766, abs=0.004)


@settings(max_examples=100, deadline=None)
@given(
    codes=st.lists(st.integers(0, 40), min_size=1, max_size=200), step=st.integers(40, 400), offset=st.integers(0, 9)
)
def test_no_step_is_found_that_the_sensor_cannot_make(codes: list[int], step: int, offset: int) -> None:
    watts = (step * np.array(codes) + offset) / 1000
    found = least_step(watts)
    assert found * 1000 / step == pytest.approx(round(found * 1000 / step), abs=0.12)
    assert least_step(watts[::-1]) == found == least_step(watts + 1)


@settings(max_examples=60, deadline=None)
@given(slots=st.lists(st.integers(0, 500), min_size=2, max_size=100, unique=True), seed=st.integers(0, 9))
def test_quality_is_of_distances_in_time_and_shares_stay_below_one(slots: list[int], seed: int) -> None:
    time_s, watt = 0.001 * np.sort(slots), np.random.default_rng(seed).integers(0, 3, len(slots)).astype(float)
    found = sampling_quality(time_s, watt, 0.001)
    assert sampling_quality(time_s + 100, 7 * watt, 0.001) == pytest.approx(found, rel=1e-6)
    assert found.missed == pytest.approx(1 - len(slots) / (max(slots) - min(slots) + 1))
    assert 0 < found.gap_p99_s <= found.gap_longest_s
    assert found.rate_hz <= 1000.001 and 0 <= found.duplicates <= 1


def test_the_step_is_found_where_readings_change_by_several() -> None:
    """The values of a TX2 in public logs: one, two, four and seven steps of 76.5 mW."""
    readings = np.array([0.077, 0.153, 0.306, 0.539] * 20)
    assert least_step(readings) == pytest.approx(0.0766, abs=0.001)


def test_the_step_is_found_where_no_reading_changes_by_one() -> None:
    codes = np.tile([28, 67, 27, 66, 28, 66, 27, 67], 50)
    assert least_step(published(codes)) == pytest.approx(0.0766, abs=0.001)


def test_readings_that_never_change_or_only_as_real_numbers_do_show_no_step() -> None:
    assert least_step(np.full(100, 5.0)) == 0.0
    assert least_step(np.random.default_rng(1).normal(20, 5, 10_000)) == 0.0


def test_sampling_quality_counts_lost_slots_and_repeated_values() -> None:
    slots = np.delete(np.arange(101), [10, 20, 21, 22])
    watt = np.where(slots < 50, 5.0, 6.0)
    found = sampling_quality(slots * 0.001, watt, 0.001)
    assert found.rate_hz == pytest.approx(96 / 0.1)
    assert found.gap_longest_s == pytest.approx(0.004)
    assert found.missed == pytest.approx(4 / 101)
    assert found.duplicates == pytest.approx(95 / 96)


@pytest.mark.parametrize(
    ("rail", "period"), [("0-0041/VDD_IN", 0.001), ("intel-rapl:0/package-0", 0.01), ("pmic/VDD_CORE", 0.05)]
)
def test_a_rail_that_is_read_at_its_own_period_misses_nothing(rail: str, period: float) -> None:
    samples = pd.DataFrame({"variant": "fp32", "arithmetic": ONCE, "rail": rail, "time_s": np.arange(100) * period})
    samples = samples.assign(runtime="tensorflow", process=1, watt=5.0)
    assert quality(samples)[rail]["missed"] == pytest.approx(0, abs=0.011)


def test_quality_is_told_by_rail_of_its_worst_block_and_not_across_blocks() -> None:
    slots = np.arange(100)
    block = pd.DataFrame({"variant": "fp32", "arithmetic": ONCE, "rail": "a", "watt": 5.0 + slots % 2})
    block = block.assign(runtime="tensorflow", process=1)
    power = pd.concat(
        [
            block.assign(time_s=0.001 * slots),
            block.assign(process=2, time_s=60 + 0.002 * slots),
            block.assign(runtime="litert", time_s=120 + 0.001 * slots),
        ]
    )
    (found,) = quality(power).values()
    assert found["rate_hz"] == pytest.approx(500)
    assert found["gap_longest_s"] == pytest.approx(0.002)
    assert found["duplicates"] == 0
    assert found["least_step_w"] == 1.0


# --- external meter ---------------------------------------------------------------------------------------------------


@pytest.fixture
def windows(tmp_path: Path) -> pd.DataFrame:
    phases = [("idle_before", 100.0, 102.0, None), ("block", 102.0, 112.0, 50), ("idle_after", 115.0, 117.0, None)]
    table = pd.DataFrame(phases, columns=["phase", "start_s", "end_s", "runs"]).assign(
        runtime="tensorflow", variant="q8", arithmetic=ONCE, process=1
    )
    table["runs"] = table["runs"].astype("Int64")
    write_table(tmp_path / "windows.parquet", RECORDED["windows"], table[RECORDED["windows"].names])
    return table


def test_a_meters_times_are_unix_seconds_or_iso_8601_with_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("time,watt\n1700000000.25,5\n1700000000.5,6.5\n")
    assert read_meter(path).to_numpy().tolist() == [[1700000000.25, 5.0], [1700000000.5, 6.5]]
    path.write_text("watt, time, note\n5, 2023-11-14T22:13:20.25Z, a\n6.5, 2023-11-14 23:13:20.5+01:00, b\n")
    assert read_meter(path).to_numpy() == pytest.approx(
        np.array([[1700000000.25, 5.0], [1700000000.5, 6.5]]), rel=1e-15
    )


@pytest.mark.parametrize(
    "content",
    [
        "time,watt,volt\n1700000000.25,12.5,5.1,\n1700000000.5,12.6,5.2,\n",
        "time,time_end,watt,volt\n1700000000.25,1700000000.5,12.5,5.1,\n1700000000.5,1700000000.75,12.6,5.2,,\n",
        "time,watt,volt,\n1700000000.25,12.5,5.1\n1700000000.5,12.6,5.2,\n",
        "watt;time;volt\r\n12,5;1700000000,25;5,1;\r\n12,6;1700000000,5;5,2\r\n",
        "\ufefftime\twatt\tnote\n2023-11-14T22:13:20,25Z\t12,5\ta\t\n\n2023-11-14T22:13:20.5Z\t12.6\t\n",
        '"time","watt"\n"1700000000.25","12.5"\n"1700000000.5","12.6"\n',
        "time,volt,ampere,note\n1700000000.25,5,2.5,a\n1700000000.5,5.25,2.4,b\n",
        "ampere;time;volt\n2,5;1700000000,25;5\n2,4;1700000000,5;5,25\n",
        "time,volt,ampere,watt\n1700000000.25,5,2,12.5\n1700000000.5,5,2,12.6\n",
    ],
    ids=[
        *("ends in rows", "two ends in rows", "end in the header", "semicolons", "tabs", "quotes"),
        *("volts and amperes", "volts and amperes with decimal commas", "watts beside them"),
    ],
)
def test_watts_are_those_under_their_name_however_rows_end_and_columns_are_parted(tmp_path: Path, content: str) -> None:
    (tmp_path / "meter.csv").write_text(content, newline="")
    found = read_meter(tmp_path / "meter.csv")
    assert found["watt"].tolist() == pytest.approx([12.5, 12.6])
    assert found["unix_s"].tolist() == pytest.approx([1700000000.25, 1700000000.5], abs=1e-6)


@pytest.mark.parametrize("rest", ["1700000000.5,", "1700000000.5,1", "17", "1700000000.5,13.0,\xb0".encode("latin-1")])
def test_a_line_that_is_still_being_written_is_no_reading(tmp_path: Path, rest: str | bytes) -> None:
    written = b"time,watt\n1700000000.25,12.5\n"
    (tmp_path / "meter.csv").write_bytes(written + (rest if isinstance(rest, bytes) else rest.encode()))
    assert read_meter(tmp_path / "meter.csv").to_numpy().tolist() == [[1700000000.25, 12.5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "meter.csv: not a CSV file of a power meter"),
        ("time,power\n1,2\n", "meter.csv: no column watt"),
        ("time,volt\n1,2\n", "meter.csv: no column ampere, or several"),
        ("time,volt,ampere\n1,5,x\n", "meter.csv: line 2: .* `volt` and `ampere` a number"),
        ("time,watt,watt\n1,2,3\n", "meter.csv: no column watt, or several"),
        ("time,watt\n1,2\n2,two\n", "meter.csv: line 3: .* `watt` a number"),
        ("time,watt\n1,2\n2,5,1\n", "meter.csv: line 3: the header has 2 columns, this line 3"),
        ("time,watt,volt\n1,2,5\n2,1\n", "meter.csv: line 3: the header has 3 columns, this line 2"),
        ('time,watt\n1,"12,5"\n', "meter.csv: line 2: .* `watt` a number"),
        (
            "time,watt\n2023-11-14T22:13:20,2\n",
            "meter.csv: line 2: `time` is UNIX seconds or ISO 8601 with a time zone",
        ),
        ("time,watt\n1,2\n3,2\n3,2\n", "meter.csv: line 4: `time` is not after the line before"),
    ],
)
def test_a_file_that_is_not_a_meters_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "meter.csv").write_text(content)
    with pytest.raises(StudyError, match=message):
        read_meter(tmp_path / "meter.csv")


@pytest.mark.skipif(shutil.which("awk") is None, reason="needs awk")
@pytest.mark.parametrize(
    ("printed", "watts"),
    [
        (
            "\ntimestamp sample_in_packet voltage_V current_A dp_V dn_V temp_C_ema energy_Ws capacity_As\n"
            "1700000000.775 0 5.00000 0.50000 1.184 1.031 30.500 0.0 0.000001\n"
            "1700000000.805 3 5.00000 0.90000 1.184 1.032 30.500 0.0 0.000002\n"
            "1700000000.784 0 5.00000 0.60000 1.185 1.032 30.500 0.0 0.000003\n",
            [2.5, 3.0],
        ),
        ("time,watt\n1700000000.1 7675000\n1700000000.2 8000000\n", [7.675, 8.0]),
    ],
    ids=["FNIRSI", "INA2xx"],
)
def test_the_documented_lines_turn_a_meters_output_into_its_file(
    tmp_path: Path, printed: str, watts: list[float]
) -> None:
    page = Path(__file__).parents[2].joinpath("docs/devices.md").read_text(encoding="utf-8")
    programs = re.findall(r"awk '(.+?)'", page)
    (program,) = [program for program in programs if ("sample_in_packet" in printed) == ("$4" in program)]
    filtered = subprocess.run(["awk", program], input=printed, capture_output=True, text=True, check=True)
    (tmp_path / "power.csv").write_text(filtered.stdout)
    assert read_meter(tmp_path / "power.csv")["watt"].tolist() == pytest.approx(watts)


def test_an_absent_meters_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"absent\.csv: the power meter's file is not readable"):
        read_meter(tmp_path / "absent.csv")


def test_a_meters_readings_are_moved_to_the_devices_clock_and_cut_to_blocks(
    tmp_path: Path, windows: pd.DataFrame
) -> None:
    unix = 1_700_000_000 + np.arange(95, 125, 0.5)
    meter = pd.DataFrame({"unix_s": unix, "watt": unix - 1_700_000_000})
    samples = meter_samples(meter, windows, offset_s=1_700_000_000.25)
    write_table(tmp_path / "power.parquet", RECORDED["power"], samples)
    assert set(samples["rail"]) == {METER}
    assert samples["time_s"].iloc[[0, -1]].tolist() == [99.75, 117.25]
    assert (samples["watt"] - samples["time_s"]).to_numpy() == pytest.approx(0.25)


def test_a_meter_gives_what_it_covers_of_a_block_and_is_refused_where_that_is_nothing(windows: pd.DataFrame) -> None:
    meter = pd.DataFrame({"unix_s": 1_700_000_000 + np.arange(101.0, 114.0), "watt": 5.0})
    found = meter_samples(meter, windows, offset_s=1_700_000_000)
    assert found["time_s"].tolist() == list(range(101, 114))
    with pytest.raises(StudyError, match=r"not cover any block.* from 2023-11-14 22:15:00 to 2023-11-14 22:15:17"):
        meter_samples(meter.assign(unix_s=meter["unix_s"] - 20), windows, offset_s=1_700_000_000)


def test_a_meters_readings_are_parted_by_runtime_where_blocks_have_the_same_name(windows: pd.DataFrame) -> None:
    later = windows.assign(runtime="litert", start_s=windows["start_s"] + 20, end_s=windows["end_s"] + 20)
    meter = pd.DataFrame({"unix_s": np.arange(90.0, 150.0), "watt": 5.0})
    found = meter_samples(meter, pd.concat([windows, later]), offset_s=0).groupby("runtime")["time_s"]
    assert found.agg(["min", "max"]).to_numpy().tolist() == [[120.0, 137.0], [100.0, 117.0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("time,watt\n", "has written no reading yet"),
        ("time,watt\n1700000000000,5\n1700000000500,5\n", "are they seconds"),
        ("time,watt\n0.0,5\n0.5,5\n", "not about now, 1700000000; is it running"),
        ("time,watt\n1699990000,5\n1700003600,5\n", "is their time zone right"),
        ("time,watt\n1699990000,5\n1699997000,5\n", "not about now, 1700000000; is it running"),
    ],
    ids=["nothing yet", "milliseconds", "seconds since its start", "an hour ahead", "fifty minutes old"],
)
def test_a_meter_that_tells_of_another_time_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(content)
    with pytest.raises(StudyError, match=message):
        check_meter(path, 1_700_000_000)
    path.write_text("time,watt\n1699990000,5\n1699999500,5\n")
    check_meter(path, 1_700_000_000)


def test_a_block_without_all_its_phases_is_told(windows: pd.DataFrame) -> None:
    meter = pd.DataFrame({"unix_s": [0.0, 200.0], "watt": 5.0})
    with pytest.raises(StudyError, match="windows: q8, float, dequantized once, process 1 lacks 'idle_after'"):
        meter_samples(meter, windows[:2], offset_s=0)
