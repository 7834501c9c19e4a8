"""How often the intervals of settled values hold the truth, by the spread between fresh processes.

    PYTHONPATH=workflow python benchmarks/settled.py [sessions]

Simulated sessions of 15 conditions, as of a model with eight variants under two arithmetics, and of 4. A log time is
the sum of the process's deviation and of the machine's in the generation, both normal. Each condition is measured in 4
generations, and in more until its time and its ratio are settled, up to 60. fp32 is in all, with two processes.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pandas as pd

from tocompress.measurement.estimate import REFERENCE, Condition
from tocompress.measurement.statistics import Interval
from tocompress.measurement.stopping import Verdict, verdicts, worth_measuring
from tocompress.vocabulary.arithmetic import FLOAT

LEAST, MOST = 4, 60
CONDITIONS = (15, 4)
SPREADS = (0.02, 0.03, 0.05, 0.07, 0.10, 0.15)
MACHINES = (0.0, 0.05)
FEWEST = 20  # settled values that tell a share


class Settled(NamedTuple):
    """Values of some sessions: how many there are, how many are settled, and how many of these hold the truth."""

    values: int
    settled: int
    held: int

    def __str__(self) -> str:
        share = f"{self.held / self.settled:.3f}" if self.settled >= FEWEST else "-"
        return f"{self.settled / self.values:.2f} {share:>5}"


def log_times(random: np.random.Generator, conditions: int, spread: float, machine: float) -> pd.DataFrame:
    """Return log times [generation, condition] of the longest session, whose truth is 0."""
    processes = random.normal(0, spread, (MOST, conditions + 1))
    of_conditions = np.column_stack([processes[:, :2].mean(axis=1), processes[:, 2:]])
    names = [REFERENCE, *((f"v{number}", FLOAT) for number in range(1, conditions))]
    states = random.normal(0, machine, (MOST, 1))
    return pd.DataFrame(states + of_conditions, range(1, MOST + 1), pd.MultiIndex.from_tuples(names))


def session(whole: pd.DataFrame) -> tuple[dict[Condition, Verdict], int]:
    """Return the verdicts of a session that ends by the rule, and the number of its generations."""
    measured = whole.copy()
    measured.iloc[LEAST:] = np.nan
    for count in range(LEAST, MOST + 1):
        found = verdicts(measured[:count])
        chosen = worth_measuring(found, MOST - count)
        if not chosen or count == MOST:
            return found, count
        takes_part = [condition == REFERENCE or condition in chosen for condition in whole]
        measured.iloc[count] = whole.iloc[count].where(takes_part)
    raise AssertionError("the last generation returns")


def simulate(conditions: int, spread: float, machine: float, sessions: int) -> tuple[Settled, Settled, float]:
    """Return the settled times, the settled ratios and the mean number of generations."""
    random = np.random.default_rng(7)
    runs = [session(log_times(random, conditions, spread, machine)) for _ in range(sessions)]
    found = [verdict for of_session, _ in runs for verdict in of_session.values()]
    times = [(verdict.why_time_not is None, verdict.estimate.value) for verdict in found]
    ratios = [(verdict.why_ratio_not is None, verdict.estimate.ratio) for verdict in found if verdict.is_compared]
    return counted(times), counted(ratios), float(np.mean([count for _, count in runs]))


def counted(values: list[tuple[bool, Interval]]) -> Settled:
    held = [interval.low <= 1 <= interval.high for is_settled, interval in values if is_settled]
    return Settled(len(values), len(held), sum(held))


def main(sessions: int) -> None:
    print(f"of {sessions} sessions: share of values called settled, share of these that hold the truth")
    for conditions in CONDITIONS:
        for machine in MACHINES:
            print(f"\n{conditions} conditions, spread of the machine {machine:.0%}")
            print(f"{'spread of processes':>20}{'time':>14}{'ratio':>14}{'generations':>14}")
            for spread in SPREADS:
                times, ratios, generations = simulate(conditions, spread, machine, sessions)
                print(f"{f'{spread:.0%}':>20}{times!s:>14}{ratios!s:>14}{generations:>14.1f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
