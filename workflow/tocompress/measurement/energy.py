"""Power and energy of inference from samples of power: the columns of the study's table.

The sensors average: an INA3221 as its driver sets it up forgets with a time constant of 0.4 s, so that the mean of what
it reads within a block of 1 s misses 38 % of the power above idle. The integral over the block and the tail that
follows, less idle power, misses nothing, whatever the sensor's linear filter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tocompress.measurement.power import Block, Key, blocks, least_step, possible_watts
from tocompress.measurement.rows import frame, measured, ratio_to_baseline, unavailable
from tocompress.measurement.statistics import Interval, mean_interval
from tocompress.measurement.stopping import Condition
from tocompress.vocabulary.levels import LEVEL, TARGET
from tocompress.vocabulary.variants import BASELINE

#: A block is refused when a rail was not read for a larger part of it: what happened meanwhile is a guess.
LONGEST_GAP = 1 / 20

#: What counts as a peak: this share of the block's running means over so many seconds lies below it.
PEAK_SHARE, PEAK_SECONDS = 0.99, 0.1

#: Seconds between two running means; of such a step, what the difference of two times is off by at most.
_STEP, _ROUNDING = 0.001, 1e-6

#: Seconds whose mean power must be possible.
_POSSIBLE_SECONDS = 0.01


class Trace(NamedTuple):
    """Samples of a rail in the order of time: s of the monotonic clock, W."""

    time_s: np.ndarray
    watt: np.ndarray


class Figures(NamedTuple):
    """What a block took above idle: W, W, and J an inference."""

    power_mean: float
    power_peak: float
    energy: float


def cumulative_energy(trace: Trace, times: np.ndarray) -> np.ndarray:
    """Energy in J from times[0] to each of the ascending `times`: trapezoids over the true times of the samples.

    Before the first and after the last sample power is theirs.
    """
    within = (trace.time_s > times[0]) & (trace.time_s < times[-1])
    moments = np.union1d(times, trace.time_s[within])
    watt = np.interp(moments, trace.time_s, trace.watt)
    joule = np.concatenate([[0.0], np.cumsum(np.diff(moments) * (watt[1:] + watt[:-1]) / 2)])
    return np.asarray(joule[np.searchsorted(moments, times)])


def longest_gap(trace: Trace, start: float, end: float) -> float:
    """The longest time in s from `start` to `end` without a sample."""
    within = trace.time_s[(trace.time_s > start) & (trace.time_s < end)]
    return float(np.diff(np.concatenate([[start], within, [end]])).max())


def means_over_10_ms(trace: Trace, start: float, end: float) -> np.ndarray:
    """Mean power in W over every 10 ms that begin at a millisecond from `start` on, until `end`.

    Not single readings: an energy counter's are its steps over times that may be short by chance.
    """
    joule = cumulative_energy(trace, np.arange(start, max(end, start + _POSSIBLE_SECONDS) + _STEP, _STEP))
    window = round(_POSSIBLE_SECONDS / _STEP)
    return np.asarray((joule[window:] - joule[:-window]) / _POSSIBLE_SECONDS)


def block_figures(traces: Sequence[Trace], block: Block) -> Figures:
    """What inference took above idle, summed over rails.

    Energy is integrated from the start of inference to the idling afterwards; idle power is interpolated between the
    means of both idlings at their centres. The mean is this energy over the duration of inference; the peak is the
    99th percentile of the running mean over 100 ms, less idle power, while inferring.
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
    """`power_mean` (W), `power_peak` (W) and `energy` (J an inference) above idle, of the sum of `rails`.

    The value is the mean over fresh processes, each of one block of the table `windows`; `ratio` is to fp32 under the
    same arithmetic, paired by process. Student's intervals of both are widened by what the steps of the sensors
    leave open: it does not average out over blocks that rest on the same readings.

    A block with a gap, or with power that no device takes, is left out; the row's reason says how many. Without any
    other the values are unavailable.
    """
    chosen = power[power["rail"].isin(rails)]
    traces = _traces(chosen)
    found = blocks(windows)
    refusals = {key: _refusal(traces, key, rails, block) for key, block in found.items()}
    accepted = {key: block for key, block in found.items() if refusals[key] is None}
    figures = pd.DataFrame(
        [block_figures([traces[key, rail] for rail in rails], block) for key, block in accepted.items()],
        index=pd.MultiIndex.from_tuples(list(accepted), names=["variant", "arithmetic", "process"]),
        columns=Figures._fields,
    ).sort_index()
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
    """The interval with a normal uncertainty of that standard deviation added in quadrature."""
    if interval.low is None or interval.high is None:
        return interval
    half_width = float(np.hypot((interval.high - interval.low) / 2, stats.norm.ppf((1 + level) / 2) * deviation))
    return Interval(interval.value, interval.value - half_width, interval.value + half_width)


def _ratio(figures: pd.DataFrame, metric: str, condition: Condition, noise: float, level: float) -> Interval:
    """To fp32, the logarithm's interval widened by the relative noise of both sides."""
    ratio = ratio_to_baseline(figures[metric], condition, level)
    baseline = (BASELINE, condition[1])
    if ratio.low is None or ratio.high is None or condition == baseline:
        return ratio
    watts = figures["power_mean" if metric == "energy" else metric]  # energy is the mean power times a known duration
    pairs = pd.concat([watts[condition], watts[baseline]], axis=1, join="inner")
    logarithms = Interval(*(math.log(bound) for bound in (ratio.value, ratio.low, ratio.high)))
    _, low, high = widened(logarithms, float(np.hypot(*(noise / pairs.mean()))), level)
    return Interval(ratio.value, *np.exp(np.array([low, high], dtype=float)).tolist())


def _quantization(chosen: pd.DataFrame) -> float:
    """Standard deviation in W of a difference, inference less idle, that the steps of all rails leave open."""
    steps = [least_step(samples.to_numpy()) for _, samples in chosen.groupby("rail")["watt"]]
    return float(np.sqrt(2 * np.sum(np.square(steps)) / 12))


def _traces(chosen: pd.DataFrame) -> dict[tuple[Key, str], Trace]:
    groups = chosen.groupby(["variant", "arithmetic", "process", "rail"], sort=False)
    return {
        ((variant, arithmetic, process), rail): Trace(rows["time_s"].to_numpy(), rows["watt"].to_numpy())
        for (variant, arithmetic, process, rail), rows in groups
    }


def _refusal(traces: Mapping[tuple[Key, str], Trace], key: Key, rails: Sequence[str], block: Block) -> str | None:
    """Why the block cannot be integrated; None when it can."""
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
    """How many blocks were left out, and why the first of them was."""
    reasons = [refusal for refusal in refusals if refusal is not None]
    return f"{len(reasons)} of {len(refusals)} blocks left out: {reasons[0]}" if reasons else None
