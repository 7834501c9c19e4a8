"""How often the intervals of values that are called converged hold the truth, by the spread between processes.

    PYTHONPATH=workflow python benchmarks/converged.py [sessions]

Sessions of 18 conditions, as of a model with eight variants under both modes, and of 4. The medians of their processes
scatter normally by the spread around a known time; each condition has five processes at least and eight at most, as in
the default config. The rule asks for a condition's own interval alone, or also for the one that the session's usual
spread gives (`stopping.process_widths`). In the last rows one condition scatters by 40 % and is not counted.
"""

from __future__ import annotations

import sys

import numpy as np

from tocompress.measurement.statistics import between_processes
from tocompress.measurement.stopping import process_widths, usual_spread, within
from tocompress.vocabulary.levels import LEVEL, TARGET

LEAST, MOST = 5, 8
SPREADS = (0.02, 0.03, 0.05, 0.07, 0.10, 0.15)
WILD = 0.4


def settled(observed: list[np.ndarray], *, usual: bool) -> list[bool]:
    """Whether each condition is, by its own interval or also by the session's usual spread."""
    spread = usual_spread(observed)
    widths = [process_widths(medians, spread, LEVEL) for medians in observed]
    names = ["process_width", "usual_width"] if usual else ["process_width"]
    return [within(TARGET, {name: found[name] for name in names}) for found in widths]


def session(medians: np.ndarray, *, usual: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of medians [condition, process] around 1: which converge, which intervals hold 1, and how many processes ran."""
    counts = np.full(len(medians), LEAST)
    while True:
        observed = [row[:count] for row, count in zip(medians, counts, strict=True)]
        converged = np.array(settled(observed, usual=usual))
        going_on = ~converged & (counts < MOST)
        if not going_on.any():
            break
        going_on[0] |= counts[0] < MOST  # fp32, beside those that go on
        counts += going_on
    intervals = [between_processes(row) for row in observed]
    held = np.array([low is not None and low <= 1 <= high for _, low, high in intervals])
    return converged, held, counts


def simulate(conditions: int, spread: float, sessions: int, *, usual: bool, wild: bool) -> str:
    random = np.random.default_rng(7)
    spreads = np.full((conditions, 1), spread)
    if wild:
        spreads[-1] = WILD
    counted = slice(None, -1 if wild else None)
    runs = [session(random.normal(1, spreads, (conditions, MOST)), usual=usual) for _ in range(sessions)]
    converged, held, counts = (np.concatenate([part[counted] for part in parts]) for parts in zip(*runs, strict=True))
    share = f"{held[converged].mean():.2f}" if converged.sum() >= 20 else "-"
    return f"{converged.mean():.3f} {share:>4} {counts.mean():.1f}"


def main(sessions: int) -> None:
    print(f"of {sessions} sessions: share of values called converged, share of these that hold the truth, processes")
    print(f"{'':44}" + "".join(f"{f'spread {spread:.0%}':>16}" for spread in SPREADS))
    for conditions, wild in ((18, False), (4, False), (18, True)):
        for usual, rule in ((False, "own interval"), (True, "and usual spread")):
            cells = (simulate(conditions, spread, sessions, usual=usual, wild=wild) for spread in SPREADS)
            name = f"{conditions} conditions{', one wild' * wild}, {rule}"
            print(f"{name:44}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
