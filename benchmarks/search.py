"""The search of a configuration against random search, in simulated studies whose true values are known.

    PYTHONPATH=workflow python benchmarks/search.py [runs]

For each space it prints, of the search and of random search: the share of runs that end within 5 % of the best latency
that can be shown to meet the requirements, the share whose choice truly violates one, the mean regret of the chosen
latency, and the mean number of configurations observed. Random search screens and judges alike, among as many
configurations as the search observed, drawn at random.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from simulated_search import JUDGED, Truth, knowledge, searched, world

from tocompress.search.halving import problem
from tocompress.search.space import UNCOMPRESSED, Configuration, enumerated
from tocompress.settings.search import Search

LOSS, SIZE = 0.02, 3e6
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


def provable(truth: Truth) -> bool:
    """Return whether a configuration meets the requirements by so much that the judging shows it nearly always."""
    margin = 4 * np.sqrt(truth.discordant / JUDGED)
    return truth.size <= SIZE and -truth.change + margin <= LOSS


def judged(chosen: Configuration | None, truth: Callable[[Configuration], Truth], best: float) -> tuple[float, ...]:
    """Return whether a choice is within 5 % of the best, whether it violates a requirement, and its regret."""
    found = truth(chosen or UNCOMPRESSED)
    violates = chosen is not None and (found.size > SIZE or found.change < -LOSS)
    regret = found.latency / best - 1
    return float(chosen is not None and not violates and regret <= 0.05), float(violates), regret


def compared(space: dict[str, object], budget: float, seed: int) -> np.ndarray:
    """Return the judgement of the search and of random search, float [2, 4]."""
    search = search_of(space, budget)
    everything = enumerated(search.space)
    truth = world(search.space, seed)
    known = knowledge(truth, search.space.groups, seed)
    best = min((found.latency for found in map(truth, everything) if provable(found)), default=truth(UNCOMPRESSED).latency)
    own = searched(problem(search, everything, known, seed), truth, seed)
    drawn = np.random.default_rng(seed).permutation(len(everything))[: own.tried]
    other = searched(problem(search, [everything[place] for place in drawn], known, seed), truth, seed)
    return np.array([(*judged(outcome.chosen, truth, best), outcome.tried) for outcome in (own, other)])


def main(runs: int) -> None:
    print(f"{'space':12} {'':8} {'found':>6} {'violates':>9} {'regret':>7} {'observed':>9}")
    for name, (space, budget) in SPACES.items():
        means = np.mean([compared(space, budget, seed) for seed in range(runs)], axis=0)
        for how, (found, violates, regret, tried) in zip(("search", "random"), means, strict=True):
            print(f"{name:12} {how:8} {found:6.0%} {violates:9.1%} {regret:7.1%} {tried:9.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
