"""Compute rows of the study's table, power and energy of inference, from samples of power.

The sensors average. An INA3221, as its driver sets it up, has a time constant of 0.4 s. So the mean of its readings in
a block of 1 s misses 38 % of the power above idle. The integral over the block and its tail, less idle power, misses
nothing, whatever the sensor's linear filter is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tocompress.measurement.estimate import REFERENCE, Condition
from tocompress.measurement.power import Block, Key, blocks, least_step, possible_watts
from tocompress.measurement.rows import frame, measured, ratio_to_baseline, unavailable
from tocompress.measurement.statistics import Interval, mean_interval
from tocompress.vocabulary.levels import LEVEL, TARGET

#: Power in a gap between readings is a guess. A block is refused if a gap is a larger part of its inference.
LONGEST_GAP = 1 / 20

#: The peak lies above this share of the block's running means over so many seconds.
PEAK_SHARE, PEAK_SECONDS = 0.99, 0.1

#: Seconds between two running means, and the most that rounding takes from a duration, in such steps.
_STEP, _ROUNDING = 0.001, 1e-6

#: Seconds over which the mean power must be possible.
_POSSIBLE_SECONDS = 0.01


class Trace(NamedTuple):
    """Samples of a rail in the order of time (s of the monotonic clock, W)."""

    time_s: np.ndarray
    watt: np.ndarray


class Figures(NamedTuple):
    """Power (W) and energy (J per inference) of a block, above idle."""

    power_mean: float
    power_peak: float
    energy: float


def cumulative_energy(trace: Trace, times: np.ndarray) -> np.ndarray:
    """Return the energy in J from times[0] to each of the ascending `times`, by trapezoids between samples.

    Before the first and after the last sample, power is constant.
    """
    within = (trace.time_s > times[0]) & (trace.time_s < times[-1])
    moments = np.union1d(times, trace.time_s[within])
    watt = np.interp(moments, trace.time_s, trace.watt)
    joule = np.concatenate([[0.0], np.cumsum(np.diff(moments) * (watt[1:] + watt[:-1]) / 2)])
    return np.asarray(joule[np.searchsorted(moments, times)])


def longest_gap(trace: Trace, start: float, end: float) -> float:
    """Return the longest time in s from `start` to `end` without a sample."""
    within = trace.time_s[(trace.time_s > start) & (trace.time_s < end)]
    return float(np.diff(np.concatenate([[start], within, [end]])).max())


def means_over_10_ms(trace: Trace, start: float, end: float) -> np.ndarray:
    """Return the mean power in W over windows of 10 ms from `start` to `end`. One window begins every ms.

    Single readings would mislead: a step of an energy counter may fall into a time that is short by chance.
    """
    joule = cumulative_energy(trace, np.arange(start, max(end, start + _POSSIBLE_SECONDS) + _STEP, _STEP))
    window = round(_POSSIBLE_SECONDS / _STEP)
    return np.asarray((joule[window:] - joule[:-window]) / _POSSIBLE_SECONDS)


def block_figures(traces: Sequence[Trace], block: Block) -> Figures:
    """Return the power and energy of inference above idle, summed over rails.

    Energy is integrated from the start of inference to the idling afterwards. Idle power is interpolated between the
    means of both idlings, at their centres. Mean power is this energy over the duration of inference. Peak power is the
    99th percentile of the running mean over 100 ms during inference, less idle power.
    """

    def energies(times: np.ndarray) -> np.ndarray:
        return np.asarray(sum(cumulative_energy(trace, times) for trace in traces))

    idlings = np.array([block.idle_before, block.idle_after])
    idle_watts = [energies(idling)[-1] / (idling[1] - idling[0]) for idling in idlings]

    def idle(times: np.ndarray) -> np.ndarray:
        (first, last), (before, after) = idlings.mean(axis=1), idle_watts
        return np.asarray(before + (after - before) * (times - first) / (last - first))

    whole = np.array([block.busy[0], block.idle_after[0]])
    energy = float(energies(whole)[-1] - idle(whole).mean() * (whole[1] - whole[0]))

    window = round(PEAK_SECONDS / _STEP)
    steps = int(block.duration / _STEP + _ROUNDING)
    grid = block.busy[0] + _STEP * np.arange(max(window, steps) + 1)
    joule = energies(grid)
    running_mean = (joule[window:] - joule[:-window]) / PEAK_SECONDS
    peak = float(np.quantile(running_mean - idle(grid[:-window] + PEAK_SECONDS / 2), PEAK_SHARE))
    return Figures(energy / block.duration, peak, energy / block.runs)


def power_rows(
    power: pd.DataFrame,
    windows: pd.DataFrame,
    rails: Sequence[str],
    level: float = LEVEL,
    target: float = TARGET,
) -> pd.DataFrame:
    """Return `power_mean` (W), `power_peak` (W) and `energy` (J per inference) above idle, for the sum of `rails`.

    The value is the mean over fresh processes, each with one block of the table `windows`. `ratio` is to fp32, paired
    by process. Student's intervals of both are widened by the uncertainty from the sensors' steps. This uncertainty
    does not average out over blocks that rest on the same readings.

    A block with a gap, or with power that no device takes, is left out. The row's reason says how many were. If no
    block is left, the values are unavailable.
    """
    chosen = power[power["rail"].isin(rails)]
    traces, found = _traces(chosen), blocks(windows)
    refusals = {key: _refusal(traces, key, rails, block) for key, block in found.items()}
    accepted = {key: block for key, block in found.items() if refusals[key] is None}
    figures = _figures(traces, accepted, rails)
    noise = _quantization(chosen)
    return frame(
        row
        for condition in dict.fromkeys((variant, arithmetic) for variant, arithmetic, _ in found)
        for row in _rows(
            condition,
            {key: block for key, block in accepted.items() if key[:2] == condition},
            _refused([refusal for key, refusal in refusals.items() if key[:2] == condition]),
            figures,
            noise,
            level,
            target,
        )
    )


def figures_of_processes(power: pd.DataFrame, windows: pd.DataFrame, rails: Sequence[str]) -> pd.DataFrame:
    """Return the `Figures` of each variant, arithmetic and process whose block is good."""
    traces = _traces(power[power["rail"].isin(rails)])
    found = blocks(windows).items()
    return _figures(traces, {key: block for key, block in found if not _refusal(traces, key, rails, block)}, rails)


def _figures(
    traces: Mapping[tuple[Key, str], Trace], accepted: Mapping[Key, Block], rails: Sequence[str]
) -> pd.DataFrame:
    return pd.DataFrame(
        [block_figures([traces[key, rail] for rail in rails], block) for key, block in accepted.items()],
        index=pd.MultiIndex.from_tuples(list(accepted), names=["variant", "arithmetic", "process"]),
        columns=Figures._fields,
    ).sort_index()


def _rows(
    condition: Condition,
    accepted: Mapping[Key, Block],
    refused: str | None,
    figures: pd.DataFrame,
    noise: float,
    level: float,
    target: float,
) -> Iterator[dict[str, Any]]:
    if not accepted:
        yield from (unavailable(condition, metric, refused or "") for metric in Figures._fields)
        return
    seconds = float(np.mean([block.duration / block.runs for block in accepted.values()]))
    for metric in Figures._fields:
        values = figures[metric]
        interval = mean_interval(values[condition].to_numpy(), level)
        interval = widened(interval, noise * (seconds if metric == "energy" else 1), level)
        row = measured(
            condition,
            metric,
            interval,
            level,
            target,
            label=None,
            n=len(accepted),
            processes=len(accepted),
            ratio=_ratio(figures, metric, condition, noise, level),
        )
        yield row | {"reason": refused}


def widened(interval: Interval, deviation: float, level: float) -> Interval:
    """Return the interval with a normal uncertainty of this standard deviation added in quadrature."""
    if interval.low is None or interval.high is None:
        return interval
    half_width = float(np.hypot((interval.high - interval.low) / 2, stats.norm.ppf((1 + level) / 2) * deviation))
    return Interval(interval.value, interval.value - half_width, interval.value + half_width)


def _ratio(figures: pd.DataFrame, metric: str, condition: Condition, noise: float, level: float) -> Interval:
    """Return the ratio to fp32. The logarithm's interval is widened by the relative noise of both sides."""
    ratio = ratio_to_baseline(figures[metric], condition, level)
    if ratio.low is None or ratio.high is None or condition == REFERENCE:
        return ratio
    watts = figures["power_mean" if metric == "energy" else metric]  # energy is the mean power times a known duration
    pairs = pd.concat([watts[condition], watts[REFERENCE]], axis=1, join="inner")
    logarithms = Interval(*(math.log(bound) for bound in (ratio.value, ratio.low, ratio.high)))
    _, low, high = widened(logarithms, float(np.hypot(*(noise / pairs.mean()))), level)
    return Interval(ratio.value, *np.exp(np.array([low, high], dtype=float)).tolist())


def _quantization(chosen: pd.DataFrame) -> float:
    """Return the standard deviation in W of inference less idle power that comes from the steps of all rails."""
    steps = [least_step(samples.to_numpy()) for _, samples in chosen.groupby("rail")["watt"]]
    return float(np.sqrt(2 * np.sum(np.square(steps)) / 12))


def _traces(chosen: pd.DataFrame) -> dict[tuple[Key, str], Trace]:
    groups = chosen.groupby(["variant", "arithmetic", "process", "rail"], sort=False)
    return {
        ((variant, arithmetic, process), rail): Trace(rows["time_s"].to_numpy(), rows["watt"].to_numpy())
        for (variant, arithmetic, process, rail), rows in groups
    }


def _refusal(traces: Mapping[tuple[Key, str], Trace], key: Key, rails: Sequence[str], block: Block) -> str | None:
    """Return why the block cannot be integrated, or None when it can."""
    for rail in rails:
        if (key, rail) not in traces:
            return f"rail {rail} was not read"
        gap = longest_gap(traces[key, rail], *block.span)
        if gap > LONGEST_GAP * block.duration:
            return f"rail {rail} was not read for {gap:.2g} s, with inference for {block.duration:.2g} s"
        means = means_over_10_ms(traces[key, rail], *block.span)
        lowest, highest = possible_watts(rail)
        if not (lowest <= means.min() and means.max() <= highest):
            impossible = means.max() if means.max() > highest else means.min()
            return f"rail {rail} tells {impossible:,.0f} W, which no device takes: its sensor or counter was disturbed"
    if all(_is_constant(traces[key, rail], *block.span) for rail in rails):
        return f"{' and '.join(rails)} read the same from before inference to after it: stuck, or too coarse"
    return None


def _is_constant(trace: Trace, start: float, end: float) -> bool:
    return bool(np.ptp(trace.watt[(trace.time_s >= start) & (trace.time_s <= end)]) == 0)


def _refused(refusals: Sequence[str | None]) -> str | None:
    """Return how many blocks were left out, and why the first of them was."""
    reasons = [refusal for refusal in refusals if refusal is not None]
    return f"{len(reasons)} of {len(refusals)} blocks left out: {reasons[0]}" if reasons else None
