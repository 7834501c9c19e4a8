"""Decide, from all rounds so far, which configurations are observed next, or which is chosen.

Rounds of screening observe many configurations a little, then the better half again with more effort. The judging
observes at most three anew, in an order that is fixed before. So the evidence that chooses has chosen nothing before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from tocompress.measurement.statistics import Interval
from tocompress.search import evidence, surrogate
from tocompress.search.evidence import Evidence, Verdict, corrected, missing, overall, verdict
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.search.surrogate import Knowledge, Surrogate
from tocompress.settings.search import Limit, Search
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import COSTS, COUNTED

#: Configurations of a round of screening, beside the uncompressed network.
SCREENED = 8
#: Candidates of the judging.
JUDGED = 3
#: Effort of the judging, and the most of a round of screening. The first round has 1.
JUDGING, SCREENING = 8, 4
#: Draws of the model. They resolve a probability of some 3 %.
_DRAWS = 64
#: The judging observes at least so many times as many examples as screening.
_MORE = 2.0
#: The best of many are less good than they look, so no chance counts as higher.
_SURE = 0.95
#: A search without a result is as bad as this logarithm of costs.
_FAILURE = 1.0
#: Below this probability, a configuration is left out where there are others.
_UNLIKELY = 0.1
#: An error of nothing, as of a size, for a division.
_EXACT = 1e-9


@dataclass(frozen=True)
class Round:
    """The configurations to observe together, and how much: the effort is a multiple of the first round's."""

    kind: Literal["screen", "judge"]
    configurations: tuple[Configuration, ...]
    effort: int

    @property
    def observed(self) -> tuple[Configuration, ...]:
        """Return the configurations to observe. The uncompressed network is always the first."""
        return tuple(dict.fromkeys((UNCOMPRESSED, *self.configurations)))

    @property
    def work(self) -> int:
        return len(self.observed) * self.effort


@dataclass(frozen=True)
class Observed:
    """A round, its evidence on `round.observed`, and the time that it took."""

    round: Round
    evidence: Evidence
    seconds: float


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

    `judged` are the candidates in their order. `tried` is the number of configurations that were observed.
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
        """Return the reason for the choice, or for none, as the end of a sentence."""
        if self.met:
            return "it is the first candidate whose intervals meet all requirements"
        if any(finding.verdict is Verdict.UNDECIDED for finding in self.judged):
            return "no candidate surely meets all requirements, and more observations may decide"
        return "every candidate surely misses a requirement"


@dataclass(frozen=True)
class Problem:
    """A search, the configurations that it may choose, and the knowledge of them."""

    search: Search
    surrogate: Surrogate
    seed: int = 1

    @property
    def limits(self) -> tuple[Limit, ...]:
        return self.search.limits

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the metrics to observe."""
        return tuple(dict.fromkeys((self.search.minimize, *(limit.metric for limit in self.limits))))


def problem(search: Search, configurations: Sequence[Configuration], knowledge: Knowledge, seed: int = 1) -> Problem:
    """Return the problem of a search among some configurations, which includes the uncompressed network."""
    listed = tuple(dict.fromkeys((UNCOMPRESSED, *configurations)))
    return Problem(search, Surrogate(listed, knowledge), seed)


def next_round(problem: Problem, history: Sequence[Observed]) -> Round | Outcome:
    """Return the round to observe after those of `history`, or the outcome of the search after the judging."""
    if not history:
        return _screening(problem, history) or Round("screen", (), 1)
    if history[-1].round.kind == "judge":
        return _outcome(problem, history)
    screening = _screening(problem, history)
    if screening and _fits(problem.search.budget, screening, history):
        return screening
    return Round("judge", _candidates(problem, history), JUDGING)


def _fits(budget: float, planned: Round, history: Sequence[Observed]) -> bool:
    """Return whether the time suffices for a round and for the judging, at the pace of the slowest round."""
    pace = max(observed.seconds / observed.round.work for observed in history)
    judging = (JUDGED + 1) * JUDGING
    return sum(observed.seconds for observed in history) + pace * (planned.work + judging) <= budget


def _tried(history: Sequence[Observed]) -> tuple[Configuration, ...]:
    """Return the configurations that were observed, the uncompressed network first."""
    return tuple(dict.fromkeys([UNCOMPRESSED, *(entry for observed in history for entry in observed.round.observed)]))


def _screening(problem: Problem, history: Sequence[Observed]) -> Round | None:
    """Return the next round of screening: the better half of the last one, and new ones. None would tell no more."""
    drawn = _draw(problem, history)
    wanted = _gaps(problem, history, drawn) + _margins(problem, history)[:, None, None]
    beyond, cost = surrogate.excess(problem.limits, wanted), drawn[problem.search.minimize]
    last = history[-1].round if history else Round("screen", (), 0)
    kept = _better_half(problem, last.configurations, beyond, cost)
    new = surrogate.proposals(beyond, cost, problem.surrogate.places(_tried(history)))[: SCREENED - len(kept)]
    if not new and (len(kept) <= 1 or last.effort == SCREENING):
        return None
    proposed = tuple(problem.surrogate.configurations[place] for place in new)
    return Round("screen", (*kept, *proposed), min(max(2 * last.effort, 1), SCREENING))


def _better_half(
    problem: Problem, configurations: Sequence[Configuration], beyond: np.ndarray, cost: np.ndarray
) -> tuple[Configuration, ...]:
    """Return the better half: those that may well meet the limits first, then by cost."""
    places = problem.surrogate.places(configurations)
    unlikely = (beyond[:, places] <= 0).mean(axis=0) < _UNLIKELY
    order = np.lexsort((cost[:, places].mean(axis=0), unlikely))
    return tuple(configurations[place] for place in order[: (len(configurations) + 1) // 2])


def _draw(problem: Problem, history: Sequence[Observed]) -> dict[str, np.ndarray]:
    """Return likely changes of every configuration, by metric, float [draws, configurations]."""
    random = np.random.default_rng((problem.seed, len(history)))
    compared = _tried(history)[1:]
    observed = {metric: _changes(metric, history, UNCOMPRESSED, compared, LEVEL) for metric in problem.metrics}
    return {metric: problem.surrogate.draws(metric, observed[metric], _DRAWS, random) for metric in problem.metrics}


def _gaps(problem: Problem, history: Sequence[Observed], drawn: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return how far draws are beyond the limits, float [limits, draws, configurations]."""
    reference = {
        metric: evidence.value(metric, _last(history, UNCOMPRESSED).of(metric, UNCOMPRESSED), LEVEL).value
        for metric in (problem.metrics if history else ())
    }
    return surrogate.gaps(problem.limits, drawn, reference)


def _last(history: Sequence[Observed], *configurations: Configuration) -> Evidence:
    """Return the evidence of the last round that observed all of some configurations."""
    return _together(history, *configurations)[-1].evidence


def _together(history: Sequence[Observed], *configurations: Configuration) -> list[Observed]:
    return [observed for observed in history if {*configurations} <= {*observed.round.observed}]


def _changes(
    metric: str,
    history: Sequence[Observed],
    reference: Configuration,
    configurations: Sequence[Configuration],
    level: float,
) -> dict[Configuration, Interval]:
    """Return the change of each configuration against a reference.

    All rounds with both count for a cost. Examples are the same in each round, and so only the last round counts.
    """
    before, after = [], []
    for configuration in configurations:
        rounds = _together(history, reference, configuration)
        rounds = rounds if metric in COSTS else rounds[-1:]
        before.append(np.concatenate([observed.evidence.of(metric, reference) for observed in rounds]))
        after.append(np.concatenate([observed.evidence.of(metric, configuration) for observed in rounds]))
    return dict(zip(configurations, evidence.changes(metric, before, after, level), strict=True))


def _candidates(problem: Problem, history: Sequence[Observed]) -> tuple[Configuration, ...]:
    """Return the candidates of the judging in their order.

    Where the uncompressed network may meet the requirements, it is the last one, and the others surely cost less.
    """
    chances = _chances(problem, history)
    others = _tried(history)[1:]
    if overall(_verdicts(problem, history, UNCOMPRESSED)) is Verdict.MISSED:
        return _in_order(problem, history, chances, others, JUDGED, _FAILURE) or (UNCOMPRESSED,)
    better = _surely_better(problem, history, others)
    return (*_in_order(problem, history, chances, better, JUDGED - 1, 0.0), UNCOMPRESSED)


def _surely_better(
    problem: Problem, history: Sequence[Observed], configurations: Sequence[Configuration]
) -> tuple[Configuration, ...]:
    """Return the configurations that surely cost less than the uncompressed network."""
    found = _changes(problem.search.minimize, history, UNCOMPRESSED, configurations, _level(history))
    return tuple(entry for entry, change in found.items() if change.high is not None and change.high < 0)


def _level(history: Sequence[Observed]) -> float:
    """Return the level of a comparison in screening. Each configuration may be compared after each round."""
    return corrected(LEVEL, len(_tried(history)) * len(history))


def _in_order(
    problem: Problem,
    history: Sequence[Observed],
    chances: Mapping[Configuration, float],
    configurations: Sequence[Configuration],
    places: int,
    otherwise: float,
) -> tuple[Configuration, ...]:
    """Return the candidates, from the cheapest to the safest, whose judging ends at the least expected cost.

    `otherwise` is the cost where none passes. Places that are left go to the safest of the rest.
    """
    costs = _changes(problem.search.minimize, history, UNCOMPRESSED, configurations, LEVEL)
    front = _front(problem, history, chances, costs)
    orders = [order for size in range(places + 1) for order in combinations(front, size)]
    best = min(
        orders, key=lambda order: _expected([(costs[entry].value, chances[entry]) for entry in order], otherwise)
    )
    safest = sorted(configurations, key=lambda entry: -chances[entry])
    return (*best, *(entry for entry in safest if entry not in best))[:places]


def _front(
    problem: Problem,
    history: Sequence[Observed],
    chances: Mapping[Configuration, float],
    costs: Mapping[Configuration, Interval],
) -> list[Configuration]:
    """Return the cheapest that may pass the judging, then the cheapest of the safer ones, and so on."""
    left, front = [entry for entry in costs if chances[entry] >= _UNLIKELY], list[Configuration]()
    while left:
        cheapest = min(left, key=lambda entry: costs[entry].value)
        front.append(max(_as_good(problem, history, cheapest, left), key=lambda entry: chances[entry]))
        left = [entry for entry in left if chances[entry] > chances[front[-1]]]
    return front


def _expected(candidates: Sequence[tuple[float, float]], otherwise: float) -> float:
    """Return the expected cost of the first candidate that passes, from the cost and the chance of each."""
    total, left = 0.0, 1.0
    for cost, chance in candidates:
        total += left * min(chance, _SURE) * cost
        left *= 1 - min(chance, _SURE)
    return total + left * otherwise


def _as_good(
    problem: Problem, history: Sequence[Observed], cheapest: Configuration, left: Sequence[Configuration]
) -> list[Configuration]:
    """Return the cheapest, and those that do not surely cost more in the rounds that they shared."""
    shared = [entry for entry in left if entry != cheapest and _together(history, cheapest, entry)]
    found = _changes(problem.search.minimize, history, cheapest, shared, _level(history))
    return [cheapest, *(entry for entry, change in found.items() if change.low is not None and change.low <= 0)]


def _verdicts(
    problem: Problem, history: Sequence[Observed], configuration: Configuration, level: float = LEVEL
) -> list[Verdict]:
    of_last = _last(history, configuration)
    return [verdict(limit, evidence.bounded(limit, of_last, configuration, level)) for limit in problem.limits]


def _chances(problem: Problem, history: Sequence[Observed]) -> dict[Configuration, float]:
    """Return the probability of each observed configuration to pass the judging, by its bounds."""
    tried = _tried(history)
    drawn = _draw(problem, history)
    beyond = _gaps(problem, history, drawn)[:, :, problem.surrogate.places(tried)]
    errors = _errors(problem, history)
    passed = ndtr(-beyond / errors[:, None] - _quantile(problem)).prod(axis=0).mean(axis=0)
    return dict(zip(tried, passed.tolist(), strict=True))


def _quantile(problem: Problem) -> float:
    """Return how many standard errors a bound of the judging is from the estimate."""
    return float(ndtri(0.5 + 0.5 * corrected(LEVEL, JUDGED * len(_by_chance(problem)))))


def _by_chance(problem: Problem) -> list[Limit]:
    """Return the limits of metrics that are not exact."""
    return [limit for limit in problem.limits if limit.metric not in COUNTED]


def _margins(problem: Problem, history: Sequence[Observed]) -> np.ndarray:
    """Return how far within each limit a configuration must be to pass the judging as often as not, float [limits]."""
    if not history:
        return np.zeros(len(problem.limits))
    return np.asarray(_quantile(problem) * np.median(_errors(problem, history), axis=1))


def _errors(problem: Problem, history: Sequence[Observed]) -> np.ndarray:
    """Return the standard errors that the judging will have, float [limits, observed configurations]."""
    return np.array([[_error(limit, history, entry) for entry in _tried(history)] for limit in problem.limits])


def _error(limit: Limit, history: Sequence[Observed], configuration: Configuration) -> float:
    """Return the standard error that the judging will have, in the unit of gaps."""
    interval = evidence.bounded(limit, _last(history, configuration), configuration, LEVEL)
    assert interval.low is not None and interval.high is not None
    half = (interval.high - interval.low) / 2
    if limit.metric in COSTS:
        half /= interval.value
    return max(float(half / ndtri(0.5 + 0.5 * LEVEL) / np.sqrt(_MORE)), _EXACT)


def _outcome(problem: Problem, history: Sequence[Observed]) -> Outcome:
    """Return the first candidate that surely meets all requirements in the judging, if there is one."""
    *screenings, judging = history
    level = corrected(LEVEL, len(judging.round.configurations) * len(_by_chance(problem)))
    findings = tuple(_finding(problem, judging, entry, level) for entry in judging.round.configurations)
    chosen = next((finding.configuration for finding in findings if finding.verdict is Verdict.MET), None)
    return Outcome(chosen, level, findings, len(_tried(screenings)) - 1)


def _finding(problem: Problem, judging: Observed, configuration: Configuration, level: float) -> Finding:
    intervals = {limit: evidence.bounded(limit, judging.evidence, configuration, level) for limit in problem.limits}
    return Finding(
        configuration,
        {limit.metric: interval for limit, interval in intervals.items()},
        {limit.metric: missing(limit, interval) for limit, interval in intervals.items()},
        overall([verdict(limit, interval) for limit, interval in intervals.items()]),
    )
