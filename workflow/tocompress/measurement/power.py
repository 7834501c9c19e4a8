"""Power as sensors tell it: which rails are the device's power, how well they were read, and an external meter's file.

Names of rails are the agent's: `<I2C address or zone>/<name>`, such as `0-0041/VDD_IN` and `intel-rapl:0/package-0`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.schemas.benchmark import POWER

#: The rail of an external meter: it sees the whole device.
METER = "meter"

#: Rails that add up to a known board's power, the first that are all there: modules that measure their own input
#: (TX1, TX2, TX2 NX, Xavier NX, Orin NX and Nano), Nano, AGX Orin, AGX Xavier.
_TOTALS = (
    ("VDD_IN",),
    ("POM_5V_IN",),
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
)

#: Rail -> rails behind it, whose power it holds already (tegra186-p3310 and p2771 device trees; Intel's RAPL).
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

#: Seconds between two readings that the agent's sampler aims at.
_PERIOD = 0.001

_ZONE = re.compile(r"(?:Z|[+-]\d\d(?::?\d\d)?)$")

#: Variant, dequantization, process.
Key = tuple[str, str, int]


@dataclass(frozen=True)
class Block:
    """When a worker idled, inferred `runs` times and idled again: (start, end) in s of the device's monotonic clock."""

    idle_before: tuple[float, float]
    busy: tuple[float, float]
    idle_after: tuple[float, float]
    runs: int

    @property
    def span(self) -> tuple[float, float]:
        """From the first idling to the end of the last."""
        return self.idle_before[0], self.idle_after[1]

    @property
    def duration(self) -> float:
        """Seconds of inference."""
        return self.busy[1] - self.busy[0]


class Quality(NamedTuple):
    """How a rail was read: rate in Hz, gaps in s, share of slots missed, and of readings equal to the one before."""

    rate_hz: float
    gap_p99_s: float
    gap_longest_s: float
    missed: float
    duplicates: float


def total_rails(names: Iterable[str], chosen: Collection[str] | None = None) -> list[str]:
    """The rails whose sum is the device's power: those `chosen`, else an external meter, else a known board's.

    Raises StudyError for a choice that is not there or counts power twice, and for a board that is not known.
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
    """A rail's name without its place and number."""
    return re.sub(r"(-\d+)?(#\d+)?$", "", rail.rpartition("/")[2])


def least_step(watts: np.ndarray) -> float:
    """The sensor's resolution in watt, as its readings show it; 0 where they show none.

    The largest step of which all usual changes are multiples, or else the differences of neighbouring sizes of change:
    a sensor that is read rarely may never change by a single step. Changes are usual from a hundredth of all on.
    """
    changes = np.round(np.abs(np.diff(watts)), 3)
    sizes, counts = np.unique(changes[changes > 0], return_counts=True)
    usual = sizes[counts >= max(2, 0.01 * counts.sum())]
    return _common_step(usual) or _common_step(np.unique(np.diff(usual)))


def _common_step(sizes: np.ndarray) -> float:
    """The largest of the ascending sizes that divides all up to four times as large, fitted to these; 0 for none.

    They may be off by 5 mW: power is current, whose step is the coarse one, times a voltage that flickers. Larger
    multiples are off by more.
    """
    for step in sizes[::-1]:
        small = sizes[sizes < 4.5 * step]
        multiples = np.round(small / step)
        fitted = small @ multiples / (multiples @ multiples)
        if (np.abs(small - fitted * multiples) <= min(0.005, step / 8)).all():
            return float(fitted)
    return 0.0


def sampling_quality(time_s: np.ndarray, watt: np.ndarray, period: float) -> Quality:
    """How well a rail was read that should have been every `period` seconds; null for fewer than two readings.

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
    """Rail -> the sampling quality of its worst block in each respect, and its `least_step_w` (schema `power`)."""
    return {str(rail): _rail_quality(str(rail), samples) for rail, samples in power.groupby("rail", sort=False)}


def _rail_quality(rail: str, samples: pd.DataFrame) -> dict[str, float]:
    blocks = samples.groupby(["variant", "dequantization", "process"], sort=False)
    times_and_watts = [(block["time_s"].to_numpy(), block["watt"].to_numpy()) for _, block in blocks]
    found = pd.DataFrame(
        sampling_quality(time_s, watt, float(np.median(np.diff(time_s))) if rail == METER else _PERIOD)
        for time_s, watt in times_and_watts
    )
    worst = {str(name): float(values.min() if name == "rate_hz" else values.max()) for name, values in found.items()}
    return worst | {"least_step_w": least_step(samples["watt"].to_numpy())}


def blocks(windows: pd.DataFrame) -> dict[Key, Block]:
    """The power blocks of the table `windows`, in its order; raises StudyError where a phase is missing."""
    found: dict[Key, Block] = {}
    for (variant, dequantization, process), rows in windows.groupby(
        ["variant", "dequantization", "process"], sort=False
    ):
        phases = rows.set_index("phase")
        try:
            idle_before, busy, idle_after = (
                (float(phases.at[phase, "start_s"]), float(phases.at[phase, "end_s"]))
                for phase in ("idle_before", "block", "idle_after")
            )
        except KeyError as error:
            raise StudyError(f"windows: {variant}, {dequantization}, process {process} lacks {error}") from error
        runs = int(phases.at["block", "runs"])
        found[str(variant), str(dequantization), int(process)] = Block(idle_before, busy, idle_after, runs)
    return found


def read_meter(path: str | Path) -> pd.DataFrame:
    """`unix_s` (s) and `watt` (W) from an external meter's CSV file.

    Its columns are `time`, in UNIX seconds or ISO 8601 with a time zone, ascending, and `watt`. Raises StudyError.
    """
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True)
    except OSError as error:
        raise StudyError(f"{path}: the power meter's file is not readable ({error.strerror})") from error
    except ValueError as error:  # pandas' own errors and those of decoding
        raise StudyError(f"{path}: not a CSV file of a power meter: {error}") from error
    if absent := [name for name in ("time", "watt") if name not in table]:
        raise StudyError(f"{path}: no column {' and '.join(absent)}; a power meter's file has `time` and `watt`")
    try:
        times = _unix_seconds(table["time"])
    except pd.errors.OutOfBoundsDatetime as error:  # in spite of "coerce"
        raise StudyError(
            f"{path}: `time` is UNIX seconds or ISO 8601 with a time zone, of these years: {error}"
        ) from error
    meter = pd.DataFrame({"unix_s": times, "watt": pd.to_numeric(table["watt"], "coerce")})
    good = np.isfinite(meter.to_numpy(dtype=float)).all(axis=1)
    if not good.all():
        line = int(np.argmin(good)) + 2
        raise StudyError(f"{path}: line {line}: `time` is UNIX seconds or ISO 8601 with a time zone, `watt` a number")
    backwards = np.flatnonzero(np.diff(meter["unix_s"]) <= 0)
    if len(backwards):
        raise StudyError(f"{path}: line {backwards[0] + 3}: `time` is not after the line before")
    return meter


def _unix_seconds(text: pd.Series[Any]) -> pd.Series[Any]:
    """NaN where it is no time, or one of an unknown zone."""
    zoned = text.where(text.str.contains(_ZONE, na=False))
    moments = pd.to_datetime(zoned, format="ISO8601", utc=True, errors="coerce")
    seconds = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return pd.to_numeric(text, "coerce").fillna(seconds)


def meter_samples(meter: pd.DataFrame, windows: pd.DataFrame, offset_s: float) -> pd.DataFrame:
    """The meter's readings in each block of `windows` as rows of the table `power`, with one before and one after.

    UNIX time is the device's monotonic clock plus `offset_s`. Raises StudyError where the meter does not cover a block.
    """
    times, watts = meter["unix_s"].to_numpy() - offset_s, meter["watt"].to_numpy()
    parts = []
    for (variant, dequantization, process), block in blocks(windows).items():
        start, end = block.span
        first, last = np.searchsorted(times, start, "right") - 1, np.searchsorted(times, end, "left")
        if first < 0 or last >= len(times):
            begin, finish = (pd.Timestamp(moment + offset_s, unit="s", tz="UTC") for moment in block.span)
            raise StudyError(
                f"the power meter's file does not cover {variant}, {dequantization}, process {process}, which ran from "
                f"{begin:%Y-%m-%d %H:%M:%S} to {finish:%H:%M:%S} UTC; it must record the whole session"
            )
        readings = {"time_s": times[first : last + 1], "watt": watts[first : last + 1], "rail": METER}
        parts.append(pd.DataFrame(readings).assign(variant=variant, dequantization=dequantization, process=process))
    return pd.concat(parts, ignore_index=True)[POWER.names]
