"""Decide, from all rounds so far, which configurations are observed next, or which is chosen.

A round of screening observes some configurations a little. The next one observes the better half again with more
effort, and new ones that may be better still. Where no more are worth it, or time is short, the judging follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tocompress.search import surrogate
from tocompress.search.judging import Outcome, candidates, outcome
from tocompress.search.progress import JUDGED, Observed, Problem, Progress, Round
from tocompress.search.space import Configuration

#: The most configurations of a round of screening, beside the uncompressed network.
SCREENED = 8
#: Effort of the judging, and the most of a round of screening. The first round has 1.
JUDGING, SCREENING = 8, 4
#: A configuration that meets the limits in fewer draws comes behind all others.
_UNLIKELY = 0.1


def next_round(problem: Problem, history: Sequence[Observed]) -> Round | Outcome:
    """Return the round to observe after `history`, or the outcome of the search after the judging.

    There is always one round of screening. Another follows where the time suffices for it and for the judging.
    """
    if history and history[-1].round.kind == "judge":
        screened = Progress(problem, tuple(history[:-1]))
        return outcome(problem, len(screened.tried) - 1, history[-1])
    progress = Progress(problem, tuple(history))
    screening = _screening(progress)
    if not history or (screening.configurations and _fits(screening, progress)):
        return screening
    return Round("judge", candidates(progress), JUDGING)


def _fits(planned: Round, progress: Progress) -> bool:
    """Return whether the time suffices for a round and for the judging, at the slowest pace so far."""
    history = progress.history
    new = len({*planned.configurations} - {*progress.tried})
    to_build = max(seen.building / max(len(seen.round.configurations), 1) for seen in history)
    to_observe = max((seen.seconds - seen.building) / seen.round.work for seen in history)
    needed = new * to_build + (planned.work + (JUDGED + 1) * JUDGING) * to_observe
    return sum(seen.seconds for seen in history) + needed <= progress.problem.search.budget


def _screening(progress: Progress) -> Round:
    """Return the next round of screening, of nothing where it would tell no more."""
    problem, last = progress.problem, progress.last
    beyond = surrogate.excess(problem.limits, progress.gaps + progress.margins[:, None, None])
    cost = progress.drawn[problem.search.minimize]
    kept = _better_half(progress, beyond, cost)
    new = surrogate.proposals(beyond, cost, progress.places)[: SCREENED - len(kept)]
    if not new and (len(kept) <= 1 or last.effort == SCREENING):
        return Round("screen", (), 1)
    proposed = tuple(problem.surrogate.configurations[place] for place in new)
    return Round("screen", (*kept, *proposed), min(max(2 * last.effort, 1), SCREENING))


def _better_half(progress: Progress, beyond: np.ndarray, cost: np.ndarray) -> tuple[Configuration, ...]:
    """Return the better half of the last round: those that may well meet the limits first, then by cost."""
    configurations = progress.last.configurations
    places = progress.problem.surrogate.places(configurations)
    unlikely = (beyond[:, places] <= 0).mean(axis=0) < _UNLIKELY
    order = np.lexsort((cost[:, places].mean(axis=0), unlikely))
    return tuple(configurations[place] for place in order[: (len(configurations) + 1) // 2])
