"""The search of a configuration against random search, in simulated studies whose true values are known.

    PYTHONPATH=workflow python benchmarks/search.py [runs]

For each space it prints, of the search and of random search, the share of runs that end within 5 % of the best latency
that nearly always passes the judging. Then the share whose choice truly violates a requirement, and the mean number of
configurations observed. The regret is the mean excess of the chosen latency over the best that passes as often as not.
Random search has the same time, rounds and judging, and proposes at random.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from unittest.mock import patch

import numpy as np
from simulated_search import JUDGED, Truth, knowledge, searched, world

from tocompress.search import surrogate
from tocompress.search.judging import Outcome
from tocompress.search.progress import problem
from tocompress.search.space import UNCOMPRESSED, Configuration, enumerated
from tocompress.settings.search import Search

LOSS, SIZE = 0.02, 3e6
QUANTILE = 2.4  # standard errors from an estimate to its bound, where three candidates are judged
EIGHT = [0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5]
SPACES = {
    "24 uniform": ({"bits": [4, 6, 8], "arithmetic": ["integer", "float"], "share": [0, 0.15, 0.3, 0.5]}, 250),
    "3^4 x 4": ({"bits": [4, 6, 8], "share": [0, 0.15, 0.3, 0.5], "groups": 4}, 400),
    "3^6 x 8": ({"bits": [4, 6, 8], "share": EIGHT, "groups": 6}, 500),
}


def search_of(space: dict[str, object], budget: float) -> Search:
    requirements = {"top1": {"lose at most": 100 * LOSS}, "size": {"at most": SIZE}}
    return Search.model_validate(
        {"device": "host", "runtime": "litert", "requirements": requirements, "space": space, "budget": budget}
    )


def passes(truth: Truth, errors: float) -> bool:
    """Return whether a configuration meets the requirements, and the loss by some standard errors of the judging."""
    margin = errors * np.sqrt(truth.discordant / JUDGED)
    return truth.size <= SIZE and -truth.change + margin <= LOSS


def at_random(beyond: np.ndarray, cost: np.ndarray, observed: np.ndarray) -> list[int]:
    """Return all places that are not observed yet, in a random order."""
    left = np.setdiff1d(np.arange(beyond.shape[1]), observed)
    return np.random.default_rng(len(observed)).permutation(left).tolist()


def judged(outcome: Outcome, truth: Callable[[Configuration], Truth], space: Sequence[Configuration]) -> list[float]:
    """Return whether an outcome is nearly the best, whether it violates a requirement, its regret, and its effort."""
    known = [truth(configuration) for configuration in space]
    sure, likely = (
        min((found.latency for found in known if passes(found, errors)), default=truth(UNCOMPRESSED).latency)
        for errors in (QUANTILE + 1.6, QUANTILE)
    )
    found = truth(outcome.chosen or UNCOMPRESSED)
    violates = outcome.met and not passes(found, 0)
    nearly = not violates and found.latency <= 1.05 * sure
    return [float(nearly), float(violates), found.latency / likely - 1, outcome.tried]


def compared(space: dict[str, object], budget: float, seed: int) -> np.ndarray:
    """Return the judgement of the search and of random search, float [2, 4]."""
    search = search_of(space, budget)
    everything = enumerated(search.space)
    truth = world(search.space, seed)
    of = problem(search, everything, knowledge(truth, search.space.groups, seed), seed)
    own = searched(of, truth, seed)
    with patch.object(surrogate, "proposals", at_random):
        other = searched(of, truth, seed)
    return np.array([judged(outcome, truth, everything) for outcome in (own, other)])


def main(runs: int) -> None:
    print(f"{'space':12} {'':8} {'found':>6} {'violates':>9} {'regret':>7} {'observed':>9}")
    for name, (space, budget) in SPACES.items():
        means = np.mean([compared(space, budget, seed) for seed in range(runs)], axis=0)
        for how, (found, violates, regret, tried) in zip(("search", "random"), means, strict=True):
            print(f"{name:12} {how:8} {found:6.0%} {violates:9.1%} {regret:7.1%} {tried:9.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
