"""How often the intervals of energy and its ratio to fp32 hold the truth, by the sensor's step and the noise of power.

    PYTHONPATH=workflow python benchmarks/power_ratios.py [sessions]

Sessions of two variants: five rounds of blocks of 10 s, inferences take 1 to 2 W above idle under fp32 and 1.0 to 1.3
times as much under q8. The power flickers by the noise and is read 100 times a second, rounded to whole steps, as an
INA3221 of a Jetson tells it.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from tocompress.measurement.energy import power_rows
from tocompress.vocabulary.arithmetic import ONCE

ROUNDS, RUNS, HERTZ = 5, 100, 100
PHASES = {"idle_before": (0.0, 2.0), "block": (2.0, 12.0), "idle_after": (13.0, 15.0)}

#: Steps and noise in W.
CASES = ((0.153, 0.010), (0.076, 0.010), (0.153, 0.050), (0.076, 0.030), (0.038, 0.010))


def session(random: np.random.Generator, above: dict[str, float], step: float, noise: float) -> list[pd.DataFrame]:
    """The tables `power` and `windows` for what each variant takes above idle, in W."""
    time_s = np.arange(0, PHASES["idle_after"][1], 1 / HERTZ)
    start, end = PHASES["block"]
    idle = random.uniform(2, 4)
    power, windows = [], []
    for variant, watt in above.items():
        for process in range(1, ROUNDS + 1):
            true = idle + watt * ((time_s >= start) & (time_s < end)) + random.normal(0, noise, len(time_s))
            key = {"variant": variant, "arithmetic": ONCE, "process": process}
            power.append(pd.DataFrame({"time_s": time_s, "rail": "total", "watt": step * np.round(true / step)} | key))
            phases = {"phase": list(PHASES), "runs": [None, RUNS, None]}
            moments = dict(zip(("start_s", "end_s"), zip(*PHASES.values(), strict=True), strict=True))
            windows.append(pd.DataFrame(phases | moments | key))
    return [pd.concat(tables, ignore_index=True) for tables in (power, windows)]


def coverage(step: float, noise: float, sessions: int) -> tuple[float, float]:
    """The shares of sessions in which q8's energy and its ratio lie in their intervals."""
    random = np.random.default_rng(7)
    seconds = (PHASES["block"][1] - PHASES["block"][0]) / RUNS
    held = []
    for _ in range(sessions):
        fp32, ratio = random.uniform(1, 2), random.uniform(1, 1.3)
        rows = power_rows(*session(random, {"fp32": fp32, "q8": fp32 * ratio}, step, noise), ["total"])
        row = rows[(rows["variant"] == "q8") & (rows["metric"] == "energy")].iloc[0]
        value_held = row["low"] <= seconds * fp32 * ratio <= row["high"]
        held.append((value_held, row["ratio_low"] <= ratio <= row["ratio_high"]))
    of_value, of_ratio = np.mean(held, axis=0)
    return float(of_value), float(of_ratio)


def main(sessions: int) -> None:
    print(f"{'step mW':>8}{'noise mW':>10}{'energy held':>13}{'ratio held':>12}   ({sessions} sessions each)")
    for step, noise in CASES:
        of_value, of_ratio = coverage(step, noise, sessions)
        print(f"{1e3 * step:8.0f}{1e3 * noise:10.0f}{of_value:13.3f}{of_ratio:12.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
