"""Name the candidates of the judging, and judge them by fresh evidence.

At most three candidates are judged, in an order that is fixed before. So the evidence that chooses has chosen nothing
before, and the first candidate whose intervals meet all requirements is the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tocompress.measurement.statistics import Interval
from tocompress.search import evidence
from tocompress.search.evidence import Verdict, corrected, missing, overall, verdict
from tocompress.search.progress import JUDGED, Observed, Problem, Progress
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.vocabulary.levels import LEVEL

#: Below this chance to pass, a configuration is judged only where there are no others.
_UNLIKELY = 0.1
#: The best of many are less good than they look, so no chance counts as higher.
_SURE = 0.95
#: A search without a result is as bad as this logarithm of a cost.
_FAILURE = 1.0


@dataclass(frozen=True)
class Finding:
    """A candidate as it was judged: an interval for each requirement, and how far its worse bound is beyond."""

    configuration: Configuration
    intervals: Mapping[str, Interval]
    missing: Mapping[str, float]
    verdict: Verdict


@dataclass(frozen=True)
class Outcome:
    """The result of a search. `level` is the one of each interval, so that all hold together at `LEVEL`.

    `judged` are the candidates in their order. `tried` is the number of configurations that were screened.
    """

    chosen: Configuration | None
    level: float
    judged: tuple[Finding, ...]
    tried: int

    @property
    def met(self) -> bool:
        return self.chosen is not None

    @property
    def why(self) -> str:
        """Return the reason for the choice, or for none, in words."""
        if self.met:
            return "it is the first candidate whose intervals meet all requirements"
        if any(finding.verdict is Verdict.UNDECIDED for finding in self.judged):
            return "no candidate surely meets all requirements, and more observations may decide"
        return "every candidate surely misses a requirement"


def level_of(problem: Problem, candidates: Sequence[Configuration]) -> float:
    """Return the level of each interval of a judging, so that all of them hold together."""
    return corrected(LEVEL, len(candidates) * len(problem.by_chance))


def outcome(problem: Problem, screened: int, judging: Observed) -> Outcome:
    """Return the first candidate that surely meets all requirements in the judging, if there is one.

    The level counts every interval that may be wrong by chance: of each candidate and requirement.
    """
    candidates = judging.round.configurations
    level = level_of(problem, candidates)
    findings = tuple(_finding(problem, judging, candidate, level) for candidate in candidates)
    chosen = next((finding.configuration for finding in findings if finding.verdict is Verdict.MET), None)
    return Outcome(chosen, level, findings, screened)


def _finding(problem: Problem, judging: Observed, configuration: Configuration, level: float) -> Finding:
    intervals = {limit: evidence.bounded(limit, judging.evidence, configuration, level) for limit in problem.limits}
    return Finding(
        configuration,
        {limit.metric: interval for limit, interval in intervals.items()},
        {limit.metric: missing(limit, interval) for limit, interval in intervals.items()},
        overall([verdict(limit, interval) for limit, interval in intervals.items()]),
    )


def candidates(progress: Progress) -> tuple[Configuration, ...]:
    """Return the candidates in the order of the judging.

    Where the uncompressed network may meet the requirements, it is the last one, and the others surely cost less.
    """
    limits = progress.problem.limits
    if overall([verdict(limit, progress.bounded(limit, UNCOMPRESSED)) for limit in limits]) is Verdict.MISSED:
        return _in_order(progress, progress.tried[1:], JUDGED, _FAILURE) or (UNCOMPRESSED,)
    costs = progress.changes(progress.problem.search.minimize, UNCOMPRESSED, progress.tried[1:], progress.level)
    better = [entry for entry, change in costs.items() if change.high is not None and change.high < 0]
    return (*_in_order(progress, better, JUDGED - 1, 0.0), UNCOMPRESSED)


def _in_order(
    progress: Progress, configurations: Sequence[Configuration], places: int, otherwise: float
) -> tuple[Configuration, ...]:
    """Return the candidates whose judging ends at the least expected cost, the cheapest first.

    `otherwise` is the cost where none passes. Places that are left go to the safest of the rest.
    """
    chances = progress.chances
    costs = progress.changes(progress.problem.search.minimize, UNCOMPRESSED, configurations, LEVEL)
    front = _front(progress, costs)
    orders = [order for size in range(places + 1) for order in combinations(front, size)]
    expected = [_expected([(costs[entry].value, chances[entry]) for entry in order], otherwise) for order in orders]
    best = orders[expected.index(min(expected))]
    safest = sorted(configurations, key=lambda entry: -chances[entry])
    return (*best, *(entry for entry in safest if entry not in best))[:places]


def _front(progress: Progress, costs: Mapping[Configuration, Interval]) -> list[Configuration]:
    """Return the cheapest that may pass the judging, then the cheapest of the safer ones, and so on.

    Where others do not surely cost more than the cheapest, the safest of them stands for all.
    """
    chances = progress.chances
    left, front = [entry for entry in costs if chances[entry] >= _UNLIKELY], list[Configuration]()
    while left:
        cheapest = min(left, key=lambda entry: costs[entry].value)
        front.append(max(_as_good(progress, cheapest, left), key=lambda entry: chances[entry]))
        left = [entry for entry in left if chances[entry] > chances[front[-1]]]
    return front


def _as_good(progress: Progress, cheapest: Configuration, left: Sequence[Configuration]) -> list[Configuration]:
    """Return the cheapest, and those that do not surely cost more in the rounds that they shared."""
    shared = [entry for entry in left if entry != cheapest and progress.together(cheapest, entry)]
    found = progress.changes(progress.problem.search.minimize, cheapest, shared, progress.level)
    return [cheapest, *(entry for entry, change in found.items() if change.low is not None and change.low <= 0)]


def _expected(order: Sequence[tuple[float, float]], otherwise: float) -> float:
    """Return the expected cost of the first candidate that passes, from the cost and the chance of each."""
    total, left = 0.0, 1.0
    for cost, chance in order:
        total += left * min(chance, _SURE) * cost
        left *= 1 - min(chance, _SURE)
    return total + left * otherwise
