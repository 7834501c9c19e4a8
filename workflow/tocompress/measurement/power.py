"""Read power from sensors: the rails of a device's power, the quality of readings, and an external meter's file.

The agent names rails `<I2C address or zone>/<name>`, such as `0-0041/VDD_IN`, `intel-rapl:0/package-0` and
`pmic/VDD_CORE`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tocompress.devices import Record
from tocompress.errors import StudyError
from tocompress.schemas.benchmark import RECORDED
from tocompress.settings.device import Device

#: The rail of an external meter, which sees the whole device.
METER = "meter"

#: Rails that add up to a known board's power. The first complete row counts. Rows: modules that measure their own input
#: (TX1, TX2, TX2 NX, Xavier NX, Orin NX and Nano), Nano, AGX Orin, AGX Xavier.
_TOTALS = (
    ("VDD_IN",),
    ("POM_5V_IN",),
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
)

#: The place of the rails of a Raspberry Pi 5.
_PMIC = "pmic"

#: Chips with one shunt, as their driver names them. One that is a device's only sensor was put into its supply.
_MONITORS = {
    *("ina219", "ina220", "ina226", "ina228", "ina230", "ina231", "ina232", "ina237", "ina238", "ina260"),
}

#: Rail -> rails behind it, whose power it includes (device trees tegra186-p3310 and p2771, and RAPL).
_PARTS = {
    "VDD_IN": (
        *("VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_4V0_WIFI", "VDD_3V8_WIFI", "VDD_SYS_CPU", "VDD_SYS_DDR", "VDD_5V0_DDR"),
        *("VDD_GPU", "VDD_CPU", "VDD_CPU_GPU", "VDD_CPU_GPU_CV", "VDD_SOC"),
    ),
    "VDD_MUX": ("VDD_5V0_IO_SYS", "VDD_3V3_SYS", "VDD_3V3_IO_SLP", "VDD_1V8_IO", "VDD_3V3_SYS_M2"),
    "POM_5V_IN": ("POM_5V_GPU", "POM_5V_CPU"),
    "VIN_SYS_5V0": ("VDDQ_VDD2_1V8AO",),
    "package": ("core", "uncore"),
    "psys": ("package", "core", "uncore", "dram"),
}

_CARRIER = "the carrier board"

#: Kind of rail -> the power of a device that no such rail holds.
_LEFT_OUT = {
    _PMIC: "USB devices, HATs and the fan at 5 V, and the losses of the regulators",
    "package": "mainboard, disks and power supply, and memory without a `dram` rail",
    **dict.fromkeys(("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0", "SYS5V"), _CARRIER),
    **dict.fromkeys(_MONITORS, "the power that does not pass the shunt"),
}

#: A meter's last reading may be so many seconds old, because its file is not flushed at once. A wrong time zone is off
#: by a quarter of an hour at least.
_METER_AWAY_S = 600.0

#: Seconds between two readings, as the agent's sampler intends, and of the kinds of rails that it reads less often.
_PERIOD = 0.001
_PERIODS = {_PMIC: 0.05, **dict.fromkeys(("package", "core", "uncore", "dram", "psys"), 0.01)}

_ZONE = re.compile(r"(?:Z|[+-]\d\d(?::?\d\d)?)$")

#: Variant, arithmetic, process.
Key = tuple[str, str, int]

#: The columns that tell a block of a session.
_BLOCK = ["runtime", "variant", "arithmetic", "process"]


@dataclass(frozen=True)
class Block:
    """When a worker idled, inferred `runs` times and idled again, as (start, end) in s of the monotonic clock."""

    idle_before: tuple[float, float]
    busy: tuple[float, float]
    idle_after: tuple[float, float]
    runs: int

    @property
    def span(self) -> tuple[float, float]:
        """Return the start of the first idling and the end of the last."""
        return self.idle_before[0], self.idle_after[1]

    @property
    def duration(self) -> float:
        """Return the seconds of inference."""
        return self.busy[1] - self.busy[0]


class Quality(NamedTuple):
    """The quality of a rail's readings: rate (Hz), gaps (s), share of missed slots, share of repeated readings."""

    rate_hz: float
    gap_p99_s: float
    gap_longest_s: float
    missed: float
    duplicates: float


def device_rails(hello: Record, device: Device) -> list[str]:
    """Return the rails whose sum is the device's power, or none where it has no sensor that this user may read.

    Raise StudyError for a choice that is absent or counts power twice, and for an unknown board.
    """
    names = [*map(str, hello.get("rails", [])), *([METER] if device.meter else [])]
    if not names and device.rails is None:
        return []
    try:
        return total_rails(names, device.rails)
    except StudyError as error:
        raise StudyError("; ".join(filter(None, (str(error), forbidden(hello))))) from error


def forbidden(hello: Record) -> str:
    """Return which power files the agent's user may not read, or an empty text."""
    files = ", ".join(map(str, hello.get("unreadable", [])))
    return f"no permission to read {files} (docs/devices.md: sensors)" if files else ""


def left_out(rails: Iterable[str]) -> str:
    """Return the power of a device that no rail of its total holds, or an empty text where nothing is known."""
    return "; ".join(dict.fromkeys(_LEFT_OUT[kind] for kind in map(_kind, rails) if kind in _LEFT_OUT))


def total_rails(names: Iterable[str], chosen: Collection[str] | None = None) -> list[str]:
    """Return the rails whose sum is the device's power: `chosen`, else an external meter, else a known board's.

    Raises StudyError for a choice that is absent or counts power twice, and for an unknown board.
    """
    available = list(names)
    if chosen is not None:
        return _checked(list(chosen), available)
    if METER in available:
        return [METER]
    by_kind: dict[str, list[str]] = {}
    for name in available:
        by_kind.setdefault(_kind(name), []).append(name)
    for kinds in _TOTALS:
        if all(len(by_kind.get(kind, [])) == 1 for kind in kinds):
            return [by_kind[kind][0] for kind in kinds]
    if "package" in by_kind:
        return sorted([*by_kind["package"], *by_kind.get("dram", [])])
    if _PMIC in by_kind:
        return by_kind[_PMIC]
    if len(available) == 1 and _MONITORS & by_kind.keys():
        return available
    raise StudyError(
        f"no known total among the power rails {', '.join(available)}; name those that add up to the device's power in "
        "devices.<name>.rails"
    )


def _checked(chosen: list[str], available: list[str]) -> list[str]:
    if absent := [name for name in chosen if name not in available]:
        raise StudyError(f"devices.<name>.rails: no {', '.join(absent)} among the rails {', '.join(available)}")
    for total in chosen:
        for part in chosen:
            if _kind(part) in _PARTS.get(_kind(total), ()) or (total == METER and part != METER):
                raise StudyError(f"devices.<name>.rails: {total} holds the power of {part} already; name one of them")
    return chosen


def _kind(rail: str) -> str:
    """Return a rail's name without its place and number, as `package` of `package-0-die-1`. A Pi's rails are alike."""
    place, _, name = rail.rpartition("/")
    return _PMIC if place == _PMIC else re.sub(r"(-\d+(-die-\d+)?)?(#\d+)?$", "", name)


def possible_watts(rail: str) -> tuple[float, float]:
    """Return the lowest and highest possible mean of a rail over 10 ms, in W. Beyond, the sensor was disturbed.

    No device gives power back, and an INA3221 is off by 0.8 W at most (80 uV at 2 milliohm, the smallest shunt of a
    Jetson, and 19 V). It shows 5.4 kW at most (32.76 V, and 163.8 mV at 1 milliohm), a processor 0.6 kW. An outlet of
    three phases and 32 A gives a meter 22 kW. A counter that runs backwards shows its whole range, in megawatts.
    """
    return -1.0, 20_000.0 if rail == METER else 5_000.0


def least_step(watts: np.ndarray) -> float:
    """Return the sensor's resolution in W, as its readings show it, or 0 where they show none.

    It is the largest step that divides all usual changes, or else the differences of neighbouring sizes of change. For
    a rarely read sensor may never change by a single step. Usual changes are at least a hundredth of all changes.
    """
    changes = np.round(np.abs(np.diff(watts)), 3)
    sizes, counts = np.unique(changes[changes > 0], return_counts=True)
    usual = sizes[counts >= max(2, 0.01 * counts.sum())]
    return _common_step(usual) or _common_step(np.unique(np.diff(usual)))


def _common_step(sizes: np.ndarray) -> float:
    """Return the largest of the ascending sizes that divides all sizes up to four times as large, or 0 for none.

    The step is fitted to these sizes. They may be off by 5 mW, because power is current, which has the coarse step,
    times a voltage that flickers. Larger multiples are off by more.
    """
    for step in sizes[::-1]:
        small = sizes[sizes < 4.5 * step]
        multiples = np.round(small / step)
        fitted = small @ multiples / (multiples @ multiples)
        if (np.abs(small - fitted * multiples) <= min(0.005, step / 8)).all():
            return float(fitted)
    return 0.0


def sampling_quality(time_s: np.ndarray, watt: np.ndarray, period: float) -> Quality:
    """Return the quality of readings due every `period` seconds. It is NaN for fewer than two readings.

    A gap of more than 1.5 periods counts as the slots lost in it.
    """
    if len(time_s) < 2:
        return Quality(*[float("nan")] * 5)
    gaps = np.diff(time_s)
    lost = (np.round(gaps[gaps > 1.5 * period] / period) - 1).sum()
    return Quality(
        rate_hz=float(1 / gaps.mean()),
        gap_p99_s=float(np.quantile(gaps, 0.99)),
        gap_longest_s=float(gaps.max()),
        missed=float(lost / (lost + len(time_s))),
        duplicates=float((np.diff(watt) == 0).mean()),
    )


def quality(power: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return rail -> the worst sampling quality of its blocks in each respect, and `least_step_w` (schema `power`)."""
    return {str(rail): _rail_quality(str(rail), samples) for rail, samples in power.groupby("rail", sort=False)}


def _rail_quality(rail: str, samples: pd.DataFrame) -> dict[str, float]:
    blocks = samples.groupby(_BLOCK, sort=False)
    times_and_watts = [(block["time_s"].to_numpy(), block["watt"].to_numpy()) for _, block in blocks]
    found = pd.DataFrame(
        sampling_quality(time_s, watt, float(np.median(np.diff(time_s))) if rail == METER else _period(rail))
        for time_s, watt in times_and_watts
    )
    worst = {str(name): float(values.min() if name == "rate_hz" else values.max()) for name, values in found.items()}
    return worst | {"least_step_w": least_step(samples["watt"].to_numpy())}


def _period(rail: str) -> float:
    return _PERIODS.get(_kind(rail), _PERIOD)


def blocks(windows: pd.DataFrame) -> dict[Key, Block]:
    """Return the power blocks of a runtime's table `windows`, in its order. Raise StudyError if a phase is missing."""
    found: dict[Key, Block] = {}
    for (variant, arithmetic, process), rows in windows.groupby(["variant", "arithmetic", "process"], sort=False):
        phases = rows.set_index("phase")
        try:
            idle_before, busy, idle_after = (
                (float(phases.at[phase, "start_s"]), float(phases.at[phase, "end_s"]))
                for phase in ("idle_before", "block", "idle_after")
            )
        except KeyError as error:
            raise StudyError(f"windows: {variant}, {arithmetic}, process {process} lacks {error}") from error
        runs = int(phases.at["block", "runs"])
        found[str(variant), str(arithmetic), int(process)] = Block(idle_before, busy, idle_after, runs)
    return found


def read_meter(path: str | Path) -> pd.DataFrame:
    """Return `unix_s` (s) and `watt` (W) from an external meter's CSV file. Raises StudyError.

    Its columns are `time` (UNIX seconds or ISO 8601 with a time zone, ascending), `watt` or else `volt` and `ampere`,
    and any others. The delimiter is a comma, or a semicolon or tab, which allow decimal commas. Rows may end in a
    delimiter. A last line without its end is still being written, so it is no reading.
    """
    lines = _finished_lines(Path(path))
    numbers, text, decimal_commas = _times_and_factors(path, lines)
    if decimal_commas:
        text = text.apply(lambda column: column.str.replace(",", "."))
    try:
        times = _unix_seconds(text["time"])
    except pd.errors.OutOfBoundsDatetime as error:  # in spite of "coerce"
        raise StudyError(
            f"{path}: `time` is UNIX seconds or ISO 8601 with a time zone, of these years: {error}"
        ) from error
    watts = np.prod([pd.to_numeric(text[name], "coerce") for name in text.columns[1:]], axis=0)
    meter = pd.DataFrame({"unix_s": times, "watt": watts}, dtype=float)
    good = np.isfinite(meter.to_numpy()).all(axis=1)
    if not good.all():
        line = numbers[int(np.argmin(good))]
        others = " and ".join(f"`{name}`" for name in text.columns[1:])
        raise StudyError(f"{path}: line {line}: `time` is UNIX seconds or ISO 8601 with a time zone, {others} a number")
    backwards = np.flatnonzero(np.diff(meter["unix_s"]) <= 0)
    if len(backwards):
        raise StudyError(f"{path}: line {numbers[backwards[0] + 1]}: `time` is not after the line before")
    return meter


def _finished_lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(f"{path}: the power meter's file is not readable ({error.strerror})") from error
    # Units of other columns may be in any encoding.
    text = content[: content.rfind(b"\n") + 1].decode("utf-8-sig", errors="replace")
    lines = text.replace("\r", "").split("\n")[:-1]
    if not any(lines):
        raise StudyError(
            f"{path}: not a CSV file of a power meter: it has no whole line; is the meter running, and does it write"
            " each reading at once?"
        )
    return lines


def _times_and_factors(path: str | Path, lines: Sequence[str]) -> tuple[list[int], pd.DataFrame, bool]:
    """Return the line numbers of readings, their texts, and whether commas may be decimal ones.

    The texts are `time` and the columns whose product is the power.
    """
    delimiter = next((character for character in ";\t" if character in lines[0]), ",")
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    numbers, fields = [], []
    try:
        header = _without_empty_end([name.strip() for name in next(rows)], 0)
        columns = ["time", *_factors(path, header)]
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(header) and len(row := _without_empty_end(row, len(header))) != len(header):
                raise StudyError(
                    f"{path}: line {rows.line_num}: the header has {len(header)} columns, this line {len(row)}; a"
                    " decimal comma needs semicolons between the columns"
                )
            numbers.append(rows.line_num)
            fields.append([row[header.index(name)] for name in columns])
    except csv.Error as error:
        raise StudyError(f"{path}: not a CSV file of a power meter: line {rows.line_num}: {error}") from error
    return numbers, pd.DataFrame(fields, columns=columns, dtype=str), delimiter != ","


def _factors(path: str | Path, header: list[str]) -> tuple[str, ...]:
    """Return the columns whose product is the power: `watt`, or else `volt` and `ampere`."""
    factors = ("volt", "ampere") if "watt" not in header and {"volt", "ampere"} & set(header) else ("watt",)
    if absent := [name for name in ("time", *factors) if header.count(name) != 1]:
        raise StudyError(
            f"{path}: no column {' and '.join(absent)}, or several; a power meter's file has one `time` and one"
            " `watt`, or one `time`, one `volt` and one `ampere`"
        )
    return factors


def _without_empty_end(row: list[str], width: int) -> list[str]:
    """Return the row without the empty fields at its end beyond `width` fields."""
    while len(row) > width and not row[-1].strip():
        row = row[:-1]
    return row


def check_meter(path: str | Path, unix_s: float) -> None:
    """Raise StudyError unless the file is a meter's (`read_meter`) and its times are about now, `unix_s`."""
    times = read_meter(path)["unix_s"]
    if times.empty:
        raise StudyError(
            f"{path}: the power meter has written no reading yet; is it running, and does it write each at once?"
        )
    if abs(times.iloc[-1] - unix_s) > _METER_AWAY_S:
        raise StudyError(
            f"{path}: the power meter's times, {times.iloc[0]:.0f} to {times.iloc[-1]:.0f} in UNIX seconds, are not"
            f" about now, {unix_s:.0f}; is it running, are they seconds, and is their time zone right?"
        )


def _unix_seconds(text: pd.Series[Any]) -> pd.Series[Any]:
    """Return UNIX seconds, or NaN for a text that is no time or lacks a time zone."""
    numbers = pd.to_numeric(text, "coerce").astype(float)
    seconds = numbers.where(numbers >= 0)
    others = text[seconds.isna()]
    zoned = others.where(others.str.contains(_ZONE, na=False))
    moments = pd.to_datetime(zoned, format="ISO8601", utc=True, errors="coerce")
    return seconds.fillna((moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1))


def meter_samples(meter: pd.DataFrame, windows: pd.DataFrame, offset_s: float) -> pd.DataFrame:
    """Return rows of the table `power`: the meter's readings in each block of `windows`, and one before and after.

    UNIX time is the device's monotonic clock plus `offset_s`. A block that the meter covers in part has the readings
    that exist. Raises StudyError where no block has any.
    """
    times, watts = meter["unix_s"].to_numpy() - offset_s, meter["watt"].to_numpy()
    spans = {
        (runtime, *key): block.span
        for runtime, of_runtime in windows.groupby("runtime", sort=False)
        for key, block in blocks(of_runtime).items()
    }
    parts = []
    for key, (start, end) in spans.items():
        if not ((times > start) & (times < end)).any():
            continue
        first, last = max(np.searchsorted(times, start, "right") - 1, 0), np.searchsorted(times, end, "left")
        readings = {"time_s": times[first : last + 1], "watt": watts[first : last + 1], "rail": METER}
        parts.append(pd.DataFrame(readings).assign(**dict(zip(_BLOCK, key, strict=True))))
    if not parts:
        ends = min(start for start, _ in spans.values()), max(end for _, end in spans.values())
        begin, finish = (pd.Timestamp(moment + offset_s, unit="s", tz="UTC") for moment in ends)
        raise StudyError(
            f"the power meter's file does not cover any block, which ran from {begin:%Y-%m-%d %H:%M:%S} to"
            f" {finish:%Y-%m-%d %H:%M:%S} UTC; it must record the whole session"
        )
    return pd.concat(parts, ignore_index=True)[RECORDED["power"].names]
