"""The rounds of a search so far, and all that they tell of its configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from tocompress.errors import StudyError
from tocompress.measurement.statistics import Interval
from tocompress.search import evidence, surrogate
from tocompress.search.evidence import Evidence, corrected
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.search.surrogate import Knowledge, Surrogate
from tocompress.settings.search import Limit, Search
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import COSTS, COUNTED

#: The most candidates of the judging.
JUDGED = 3
#: Draws of the model. They resolve a probability of some 3 %.
_DRAWS = 64
#: The judging observes at least so many times as much as screening.
_MORE = 2.0
#: Errors are no smaller, as of a size, and no larger, as of a single observation.
_LEAST, _MOST = 1e-9, 10.0


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
    """A round, its evidence on `round.observed`, and its seconds. Some of them, `building`, made new configurations."""

    round: Round
    evidence: Evidence
    seconds: float
    building: float = 0.0


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
    def by_chance(self) -> tuple[Limit, ...]:
        """Return the limits of metrics that are not exact."""
        return tuple(limit for limit in self.limits if limit.metric not in COUNTED)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the metrics to observe."""
        return tuple(dict.fromkeys((self.search.minimize, *(limit.metric for limit in self.limits))))


def problem(search: Search, configurations: Sequence[Configuration], knowledge: Knowledge, seed: int = 1) -> Problem:
    """Return the problem of a search among some configurations, which includes the uncompressed network."""
    listed = tuple(dict.fromkeys((UNCOMPRESSED, *configurations)))
    return Problem(search, Surrogate(listed, knowledge), seed)


@dataclass(frozen=True)
class Progress:
    """The rounds of a search so far. Raise StudyError where a metric was not observed."""

    problem: Problem
    history: tuple[Observed, ...]

    def __post_init__(self) -> None:
        for observed in self.history:
            for metric in self.problem.metrics:
                values = observed.evidence.values.get(metric)
                # Where memory does not hold all variants, a generation leaves some out.
                if values is None or not np.isfinite(values).any(axis=1).all():
                    raise StudyError(
                        f"search: '{metric}' has no value of each configuration; name a device that measures it, or"
                        " leave it out"
                    )

    @property
    def last(self) -> Round:
        """Return the last round, or one of nothing before the first."""
        return self.history[-1].round if self.history else Round("screen", (), 0)

    @cached_property
    def tried(self) -> tuple[Configuration, ...]:
        """Return the configurations that were observed, the uncompressed network first."""
        seen = [entry for observed in self.history for entry in observed.round.observed]
        return tuple(dict.fromkeys([UNCOMPRESSED, *seen]))

    @cached_property
    def places(self) -> np.ndarray:
        """Return the places of these configurations in the list, int [N]."""
        return self.problem.surrogate.places(self.tried)

    @property
    def level(self) -> float:
        """Return the level of a comparison. Each configuration may be compared after each round."""
        return corrected(LEVEL, len(self.tried) * len(self.history))

    def together(self, *configurations: Configuration) -> list[Evidence]:
        """Return the evidence of the rounds that observed all of some configurations."""
        return [seen.evidence for seen in self.history if {*configurations} <= {*seen.round.observed}]

    def changes(
        self, metric: str, reference: Configuration, configurations: Sequence[Configuration], level: float
    ) -> dict[Configuration, Interval]:
        """Return the change of each configuration against a reference.

        All rounds with both count for a cost. Examples are the same in each round, and so only the last round counts.
        """
        before, after = [], []
        for configuration in configurations:
            rounds = self.together(reference, configuration)[0 if metric in COSTS else -1 :]
            before.append(np.concatenate([seen.of(metric, reference) for seen in rounds]))
            after.append(np.concatenate([seen.of(metric, configuration) for seen in rounds]))
        return dict(zip(configurations, evidence.changes(metric, before, after, level), strict=True))

    def bounded(self, limit: Limit, configuration: Configuration) -> Interval:
        """Return the interval that a limit bounds, by the last round with a configuration."""
        return evidence.bounded(limit, self.together(configuration)[-1], configuration, LEVEL)

    @cached_property
    def drawn(self) -> Mapping[str, np.ndarray]:
        """Return likely changes of every configuration, by metric, float [draws, configurations]."""
        random = np.random.default_rng((self.problem.seed, len(self.history)))
        return {
            metric: self.problem.surrogate.draws(
                metric, self.changes(metric, UNCOMPRESSED, self.tried[1:], LEVEL), _DRAWS, random
            )
            for metric in self.problem.metrics
        }

    @cached_property
    def gaps(self) -> np.ndarray:
        """Return how far draws are beyond the limits, float [limits, draws, configurations]."""
        reference = {
            metric: evidence.value(metric, self.history[-1].evidence.of(metric, UNCOMPRESSED), LEVEL).value
            for metric in (self.problem.metrics if self.history else ())
        }
        return surrogate.gaps(self.problem.limits, self.drawn, reference)

    @cached_property
    def _errors(self) -> np.ndarray:
        """Return the standard errors that the judging will have, float [limits, observed configurations]."""
        return np.array([[self._error(limit, entry) for entry in self.tried] for limit in self.problem.limits])

    def _error(self, limit: Limit, configuration: Configuration) -> float:
        interval = self.bounded(limit, configuration)
        assert interval.low is not None and interval.high is not None
        half = (interval.high - interval.low) / 2
        if limit.metric in COSTS:  # whose gaps are logarithms
            half /= interval.value
        return float(np.clip(half / ndtri(0.5 + 0.5 * LEVEL) / np.sqrt(_MORE), _LEAST, _MOST))

    @property
    def _quantile(self) -> float:
        """Return how many standard errors a bound of the judging is from its estimate."""
        return float(ndtri(0.5 + 0.5 * corrected(LEVEL, JUDGED * len(self.problem.by_chance))))

    @cached_property
    def margins(self) -> np.ndarray:
        """Return how far within its limits a configuration passes the judging as often as not, float [limits]."""
        if not self.history:
            return np.zeros(len(self.problem.limits))
        return np.asarray(self._quantile * np.median(self._errors, axis=1))

    @cached_property
    def chances(self) -> Mapping[Configuration, float]:
        """Return the probability of each observed configuration to pass the judging, by its bounds."""
        beyond = self.gaps[:, :, self.places]
        passed = ndtr(-beyond / self._errors[:, None] - self._quantile).prod(axis=0).mean(axis=0)
        return dict(zip(self.tried, passed.tolist(), strict=True))
