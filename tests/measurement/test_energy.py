"""Energy above idle from samples of a sensor that averages, against the power that was put in."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import stats
from simulated_ina3221 import CYCLE, Chip, SimulatedIna3221
from simulated_power import RAILS, SimulatedPower

from tocompress.devices.agent.sampler import Sampler
from tocompress.measurement.energy import Trace, block_figures, cumulative_energy, longest_gap, power_rows, widened
from tocompress.measurement.power import Block
from tocompress.measurement.statistics import Interval
from tocompress.schemas.benchmark import RECORDED
from tocompress.schemas.study import METRICS
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import FLOAT, ONCE

#: s -> W
Power = Callable[[np.ndarray], np.ndarray]

#: As the driver of L4T sets the chip up: it averages 64 cycles, hence 0.42 s.
DRIVER_DEFAULT = 64


def block_of(seconds: float, tail: float = 3.0) -> Block:
    start = 10.0
    end = start + seconds
    return Block((start - 2, start), (start, end), (end + tail, end + tail + 2), runs=100)


def sensor(power: Power, block: Block, averaging: int) -> Trace:
    """What a sensor tells that updates its average in every cycle."""
    times = np.arange(0.0, block.span[1] + 1, CYCLE)
    watt = power(times)
    for index in range(1, len(watt)):
        watt[index] = watt[index - 1] + (watt[index] - watt[index - 1]) / averaging
    return Trace(times, watt)


def busy(block: Block, above: float = 4.0, drift: float = 0.0) -> Power:
    """2 W plus `drift` (W/s) when idle, and more while inferring."""

    def power(times: np.ndarray) -> np.ndarray:
        return 2.0 + drift * times + above * ((times >= block.busy[0]) & (times < block.busy[1]))

    return power


def test_energy_is_that_of_trapezoids_on_the_true_times() -> None:
    trace = Trace(np.array([0.0, 1.0, 1.5, 4.0]), np.array([0.0, 2.0, 2.0, 7.0]))
    assert cumulative_energy(trace, np.array([0.5, 1.0, 1.5, 4.0, 5.0])) == pytest.approx([0.0, 0.75, 1.75, 13.0, 20.0])


MOMENTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=40, unique=True).map(lambda ms: np.sort(ms) / 1000)


@settings(max_examples=60, deadline=None)
@given(sampled=MOMENTS, asked=MOMENTS, watt=st.floats(0, 1e4))
def test_energy_of_constant_power_is_power_times_time_however_it_was_sampled(
    sampled: np.ndarray, asked: np.ndarray, watt: float
) -> None:
    trace = Trace(sampled, np.full(len(sampled), watt))
    assert cumulative_energy(trace, asked) == pytest.approx(watt * (asked - asked[0]))


@settings(max_examples=100, deadline=None)
@given(sampled=MOMENTS, asked=MOMENTS, seed=st.integers(0, 9))
def test_energies_of_adjoining_windows_add_up(sampled: np.ndarray, asked: np.ndarray, seed: int) -> None:
    trace = Trace(sampled, np.random.default_rng(seed).uniform(0, 10, len(sampled)))
    windows = [cumulative_energy(trace, window)[-1] for window in sliding_window_view(asked, 2)]
    together = cumulative_energy(trace, asked)
    assert np.diff(together) == pytest.approx(np.array(windows))
    assert together[-1] == pytest.approx(cumulative_energy(trace, asked[[0, -1]])[-1])


@settings(max_examples=30, deadline=None)
@given(
    readings=st.lists(st.floats(0, 20), min_size=100, max_size=100),
    seconds=st.floats(0.2, 5),
    factor=st.floats(0.1, 10),
    offset=st.floats(0, 10),
    later=st.floats(-9, 1e4),
)
@example(readings=[float(number == 39) for number in range(100)], seconds=1.2, factor=1, offset=0, later=501)
def test_what_inference_takes_is_above_idle_in_any_unit_at_any_time(
    readings: list[float], seconds: float, factor: float, offset: float, later: float
) -> None:
    block = block_of(seconds)
    times, watt = np.linspace(8, block.span[1], 100), np.array(readings)
    found = block_figures([Trace(times, watt)], block)
    assert found.energy * block.runs == pytest.approx(found.power_mean * block.duration)
    assert np.isfinite(found).all()
    moved = Block(
        *((start + later, end + later) for start, end in (block.idle_before, block.busy, block.idle_after)), block.runs
    )
    again = block_figures([Trace(times + later, factor * watt + offset)], moved)
    assert again == pytest.approx(factor * np.array(found), rel=1e-3, abs=1e-3 * factor)
    assert block_figures([Trace(times, np.full(100, offset))], block) == pytest.approx((0, 0, 0), abs=1e-9)


def test_energy_of_a_burst_is_whole_whatever_the_averaging() -> None:
    for seconds in (1.0, 5.0):
        block = block_of(seconds)
        for averaging in (1, 4, DRIVER_DEFAULT):
            found = block_figures([sensor(busy(block), block, averaging)], block)
            assert found.energy == pytest.approx(4.0 * seconds / 100, rel=0.01)
            assert found.power_mean == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize(("seconds", "published"), [(1.0, -0.379), (5.0, -0.082)])
def test_the_mean_within_the_block_is_wrong(seconds: float, published: float) -> None:
    """The simulation's table in our notes: what most tools report with the driver's averaging."""
    block = block_of(seconds)
    trace = sensor(busy(block), block, DRIVER_DEFAULT)
    inside = (trace.time_s >= block.busy[0]) & (trace.time_s < block.busy[1])
    naive = trace.watt[inside].mean() - 2.0
    assert naive / 4.0 - 1 == pytest.approx(published, abs=0.01)
    assert block_figures([trace], block).power_mean / 4.0 - 1 == pytest.approx(0, abs=0.01)


def test_idle_power_that_drifts_is_not_the_inferences() -> None:
    block = block_of(10.0)
    assert block_figures([sensor(busy(block, drift=0.1), block, 1)], block).power_mean == pytest.approx(4.0, rel=0.005)


def test_a_peak_is_no_single_reading_but_lasts() -> None:
    block = block_of(10.0)
    times = np.arange(0.0, block.span[1] + 1, 0.001)

    def with_peak(seconds: float) -> float:
        watt = busy(block)(times)
        watt[(times >= 15.0) & (times < 15.0 + seconds)] += 6.0
        return block_figures([Trace(times, watt)], block).power_peak

    assert with_peak(0.001) == pytest.approx(4.0, abs=0.07)
    assert with_peak(0.5) == pytest.approx(10.0, abs=0.01)


def test_rails_read_at_different_times_add_up() -> None:
    block = block_of(10.0)
    first, second = sensor(busy(block), block, 1), sensor(busy(block, above=1.0), block, 4)
    shifted = Trace(second.time_s + 0.003, second.watt)
    apart = [block_figures([trace], block) for trace in (first, shifted)]
    together = block_figures([first, shifted], block)
    assert together.energy == pytest.approx(apart[0].energy + apart[1].energy)
    assert together.energy == pytest.approx(0.5, rel=0.01)


def test_a_gap_is_also_one_at_either_end() -> None:
    trace = Trace(np.array([1.0, 2.0, 2.5, 4.0]), np.zeros(4))
    assert longest_gap(trace, 0.9, 4.1) == pytest.approx(1.5)
    assert longest_gap(trace, -1.0, 4.1) == pytest.approx(2.0)
    assert longest_gap(trace, 0.9, 9.0) == pytest.approx(5.0)


# --- rows of the study's table ----------------------------------------------------------------------------------------


def session(levels: dict[str, list[float]], averaging: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables `power` and `windows`: per variant the power above idle in each process; the rail `part` is no total."""
    block = block_of(5.0)
    power, windows = [], []
    for variant, watts in levels.items():
        for process, above in enumerate(watts, 1):
            key = {"variant": variant, "arithmetic": FLOAT if variant == "fp32" else ONCE, "process": process}
            trace = sensor(busy(block, above), block, averaging)
            for rail, share in (("total", 1.0), ("part", 0.5)):
                power.append(
                    pd.DataFrame({"time_s": trace.time_s, "watt": share * trace.watt}).assign(**key, rail=rail)
                )
            for phase, (start, end) in zip(
                ("idle_before", "block", "idle_after"), (block.idle_before, block.busy, block.idle_after), strict=True
            ):
                runs = block.runs if phase == "block" else None
                windows.append({**key, "phase": phase, "start_s": start, "end_s": end, "runs": runs})
    return pd.concat(power, ignore_index=True), pd.DataFrame(windows).astype({"runs": "Int64"})


def row(rows: pd.DataFrame, variant: str, metric: str) -> pd.Series:
    return rows[(rows["variant"] == variant) & (rows["metric"] == metric)].iloc[0]


def test_values_are_means_over_processes_and_ratios_are_paired(tmp_path: Path) -> None:
    power, windows = session({"fp32": [3.0, 4.0, 5.0], "q8": [6.0, 8.0, 10.0]})
    for name, table in (("power", power), ("windows", windows)):
        write_table(tmp_path / f"{name}.parquet", RECORDED[name], table.assign(runtime="tensorflow"))
    rows = power_rows(power, windows, ["total"])
    write_table(
        tmp_path / "metrics.parquet",
        METRICS,
        rows.drop(columns="arithmetic").assign(model="vgg", runtime="tensorflow"),
    )
    energy = row(rows, "q8", "energy")
    assert energy["value"] == pytest.approx(8.0 * 5 / 100, rel=0.01)
    assert (energy["unit"], energy["n"], energy["processes"], energy["basis"]) == ("J", 3, 3, "measured")
    assert energy[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([2.0] * 3, rel=0.01)
    assert energy["low"] == pytest.approx(0.4 - 4.302653 * 0.1 / np.sqrt(3), rel=0.02)
    mean, peak = row(rows, "fp32", "power_mean"), row(rows, "fp32", "power_peak")
    assert (mean["unit"], peak["unit"]) == ("W", "W")
    assert [mean["value"], peak["value"]] == pytest.approx([4.0, 4.0], rel=0.01)
    assert rows["reason"].isna().all()


def test_the_steps_of_the_sensor_widen_the_interval() -> None:
    assert widened(Interval(10, 7, 13), 4 / stats.norm.ppf(0.975), 0.95) == pytest.approx((10, 5, 15))
    assert widened(Interval(10, None, None), 4.0, 0.95) == (10, None, None)
    power, windows = session({"fp32": [4.0] * 5})
    power["watt"] = 0.5 * np.round((power["watt"] + np.random.default_rng(1).normal(0, 0.2, len(power))) / 0.5)
    mean, energy = (row(power_rows(power, windows, ["total"]), "fp32", metric) for metric in ("power_mean", "energy"))
    quantization = 1.96 * np.sqrt(2) * 0.5 / np.sqrt(12)
    assert (mean["high"] - mean["low"]) / 2 == pytest.approx(quantization, rel=0.05)
    assert (energy["high"] - energy["low"]) / 2 == pytest.approx(quantization * 5 / 100, rel=0.05)


@pytest.mark.parametrize("step", [0.153, 0.076])
def test_the_steps_of_the_sensor_widen_the_ratio_too(step: float) -> None:
    """Power that flickers less than a step is off by the same in every round: the rounds agree on a wrong ratio."""
    random = np.random.default_rng(3)
    held = []
    for _ in range(12):
        ratio = random.uniform(1.0, 1.3)
        power, windows = session({"fp32": [1.5] * 3, "q8": [1.5 * ratio] * 3}, averaging=1)
        true = power["watt"] + random.uniform(0, step) + random.normal(0, 0.01, len(power))
        rows = power_rows(power.assign(watt=step * np.round(true / step)), windows, ["total"])
        found = [row(rows, "q8", metric) for metric in ("energy", "power_mean")]
        held += [energy["ratio_low"] <= ratio <= energy["ratio_high"] for energy in found]
        itself = row(rows, "fp32", "energy")
        assert itself[["ratio", "ratio_low", "ratio_high"]].tolist() == [1.0] * 3
    assert np.mean(held) >= 0.93  # without the steps 0.1


def test_a_value_that_is_not_above_idle_has_no_ratio() -> None:
    power, windows = session({"fp32": [4.0, 4.0], "q8": [4.0, -0.5]})
    rows = power_rows(power, windows, ["total"])
    assert row(rows, "q8", "energy")[["ratio", "ratio_low", "ratio_high"]].isna().all()
    assert row(rows, "q8", "energy")["basis"] == "measured"


def test_a_block_with_a_gap_is_left_out_and_told_and_without_another_nothing_is_measured() -> None:
    power, windows = session({"fp32": [4.0, 4.0, 40.0], "q8": [4.0]})
    gap = power["time_s"].between(12.0, 12.4)
    last = (power["process"] == 3) | (power["variant"] == "q8")
    rows = power_rows(power[~(gap & last)], windows, ["total"])
    kept = row(rows, "fp32", "power_mean")
    assert (kept["value"], kept["n"]) == (pytest.approx(4.0, rel=0.01), 2)
    assert kept["reason"] == "1 of 3 blocks left out: rail total was not read for 0.4 s, with inference for 5 s"
    refused = rows[rows["variant"] == "q8"]
    assert set(refused["basis"]) == {"unavailable"} and refused["value"].isna().all()
    assert refused["reason"].str.startswith("1 of 1 blocks left out").all()


def test_a_sensor_that_is_stuck_measures_nothing() -> None:
    power, windows = session({"fp32": [4.0, 4.0, 4.0]})
    stuck = power["process"] == 2
    power.loc[stuck, "watt"] = 2.0
    assert row(power_rows(power, windows, ["total", "part"]), "fp32", "energy")["reason"] == (
        "1 of 3 blocks left out: total and part read the same from before inference to after it: stuck, or too coarse"
    )
    power.loc[stuck & power["rail"].eq("total"), "watt"] += power["time_s"]  # one rail alone may well be constant
    assert row(power_rows(power, windows, ["total", "part"]), "fp32", "energy")["n"] == 3


@pytest.mark.parametrize(
    ("jumps", "told"),
    [
        ({12.0: 700 / CYCLE}, 7e4),  # as an energy counter tells a jump of 700 J from one reading to the next
        ({12.0: 700 / CYCLE, 12.0 + CYCLE: (65532.6 - 700) / CYCLE}, 6.5e6),  # and back
        ({9.0: 9.9e37}, 9.9e37 * CYCLE / 0.01),  # as a multimeter tells an overload
        ({16.0: -4000.0}, -2600),
        ({12.0: np.nan}, np.nan),
    ],
    ids=["jump", "backwards", "overload", "negative", "no number"],
)
def test_a_block_with_power_that_no_device_takes_is_left_out(jumps: dict[float, float], told: float) -> None:
    power, windows = session({"fp32": [4.0, 4.0, 4.0]})
    for moment, watt in jumps.items():
        at = (power["time_s"] - moment).abs().where((power["process"] == 2) & (power["rail"] == "total"))
        power.loc[at.idxmin(), "watt"] = watt
    energy = row(power_rows(power, windows, ["total"]), "fp32", "energy")
    assert (energy["value"], energy["n"]) == (pytest.approx(4.0 * 5 / 100, rel=0.01), 2)
    left_out = re.fullmatch(
        r"1 of 3 blocks left out: rail total tells (\S+) W, which no device takes: .*", energy["reason"]
    )
    assert left_out
    assert float(left_out[1].replace(",", "")) == pytest.approx(told, rel=0.1, nan_ok=True)


def test_steps_of_a_counter_read_at_uneven_times_are_possible() -> None:
    """A processor at 500 W, whose counter counts every 0.976 ms, read every millisecond, or up to 1 ms later."""
    _, windows = session({"fp32": [4.0]})
    random = np.random.default_rng(1)
    slots = np.arange(7.0, 21.0, 0.001)
    times = slots + np.where(random.random(len(slots)) < 0.1, random.uniform(0, 0.00099, len(slots)), 0)
    watt = np.diff(500 * 0.000976 * np.floor(times / 0.000976)) / np.diff(times)
    assert watt.max() > 5_000
    counter = pd.DataFrame({"time_s": times[1:], "watt": watt}).assign(
        variant="fp32", arithmetic=FLOAT, process=1, rail="total"
    )
    assert row(power_rows(counter, windows, ["total"]), "fp32", "power_mean")["basis"] == "measured"


def test_a_rail_that_gave_no_reading_leaves_nothing_to_integrate() -> None:
    rows = power_rows(*session({"fp32": [4.0]}), ["total", "absent"])
    assert set(rows["reason"]) == {"1 of 1 blocks left out: rail absent was not read"}


# --- in real time -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="the sampler is Linux's")
@pytest.mark.long
def test_energy_of_ten_seconds_is_within_two_percent_at_any_averaging(tmp_path: Path) -> None:
    """Three chips side by side: inferences of 23 ms that take 8 W for two thirds of it and 5 W for the rest."""
    start = time.monotonic() + 2.5
    block = Block((start - 2, start), (start, start + 10), (start + 12.5, start + 14.5), runs=435)

    def watt(moment: float) -> float:
        idle = 2.0 + 0.02 * (moment - start)
        if not block.busy[0] <= moment < block.busy[1]:
            return idle
        return idle + (6.0 if (moment - start) % 0.023 < 0.023 * 2 / 3 else 3.0)

    chips = [Chip(f"0-004{averaging % 7}", {f"N{averaging}": watt}, averaging) for averaging in (1, 4, 64)]
    with SimulatedIna3221(tmp_path, chips):
        sampler = Sampler(str(tmp_path), [f"{chip.address}/{rail}" for chip in chips for rail in chip.rails])
        time.sleep(block.span[1] - time.monotonic() + 0.1)
        rails = sampler.stop()["rails"]
    for averaging in (1, 4, 64):
        samples = rails[f"0-004{averaging % 7}/N{averaging}"]
        trace = Trace(np.array(samples["time_s"]), np.array(samples["watt"]))
        assert longest_gap(trace, *block.span) < 0.5
        found = block_figures([trace], block)
        assert found.energy == pytest.approx(50.0 / 435, rel=0.02)
        assert found.power_mean == pytest.approx(5.0, rel=0.02)
        assert found.power_peak == pytest.approx(5.0, abs=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="the sampler is Linux's")
@pytest.mark.long
def test_energy_of_ten_seconds_is_within_one_percent_by_each_kind_of_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 W that swing by a quarter in two seconds, above 2 W that rise."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    start = time.monotonic() + 2.5
    block = Block((start - 2, start), (start, start + 10), (start + 10.5, start + 12.5), runs=43)

    def watt(moment: float) -> float:
        idle = 2.0 + 0.02 * (moment - start)
        if not block.busy[0] <= moment < block.busy[1]:
            return idle
        return idle + 4.0 + math.sin(math.pi * (moment - start))

    with SimulatedPower(tmp_path, watt):
        sampler = Sampler(str(tmp_path), [name for names in RAILS.values() for name in names])
        time.sleep(block.span[1] - time.monotonic() + 0.1)
        rails = sampler.stop()["rails"]
    found = {
        kind: block_figures([Trace(np.array(rails[n]["time_s"]), np.array(rails[n]["watt"])) for n in names], block)
        for kind, names in RAILS.items()
    }
    energies = {kind: figures.energy for kind, figures in found.items()}
    assert energies == pytest.approx(dict.fromkeys(RAILS, 40.0 / 43), rel=0.01)
    calls = rails["pmic/VDD_CORE"]["time_s"]
    assert all(rails[name]["time_s"] == calls for name in RAILS["a program"])
    assert len(calls) / (calls[-1] - calls[0]) <= 20.1
