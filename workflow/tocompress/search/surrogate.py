"""Predict configurations by an additive model, and propose those that may be the best (Thompson sampling).

The space can be listed, each choice acts nearly by itself, and sensitivities are known before, so some ten observed
configurations tell of all others. Optuna's samplers and pymoo's populations take one number a trial, without its
noise, its pairing or such knowledge, and want a hundred trials or more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from tocompress.measurement.statistics import Interval
from tocompress.search.space import Configuration
from tocompress.settings.search import UNQUANTIZED, Limit
from tocompress.vocabulary.arithmetic import INTEGER
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import ACCURACY, METRICS

#: Standard deviations of effects before anything is observed: of a logarithm of costs, and of points of accuracy.
_COST, _POINTS = 0.3, 3.0
#: Of the part of an effect that is not additive.
_COST_APART, _POINTS_APART = 0.02, 0.3
#: A known harm is right within half of it, and half a point.
_HARM, _HARM_POINTS = 0.5, 0.5

#: A draw proposes a configuration that beats all observed ones by this logarithm. Less is not worth a measurement.
_WORTH = 0.01


@dataclass(frozen=True)
class Knowledge:
    """The facts that are known before the search.

    `weights` are the numbers of weights of the groups. `harms` are the changes of accuracy where each group alone gets
    so many bits, by metric and bits, in the metric's unit.
    """

    weights: tuple[float, ...]
    harms: Mapping[str, Mapping[int, tuple[float, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Surrogate:
    """A listed space, and the knowledge of it."""

    configurations: tuple[Configuration, ...]
    knowledge: Knowledge

    @cached_property
    def _bits(self) -> np.ndarray:
        """Return the bits of each group, int [configurations, groups]."""
        groups = len(self.knowledge.weights)
        return np.array([entry.bits or (UNQUANTIZED,) * groups for entry in self.configurations])

    @cached_property
    def _effects(self) -> tuple[tuple[int, int], ...]:
        """Return each group and number of bits that has an effect of its own."""
        return tuple(
            (group, int(bits))
            for group, column in enumerate(self._bits.T)
            for bits in np.unique(column)
            if bits != UNQUANTIZED
        )

    @cached_property
    def _features(self) -> np.ndarray:
        """Return which choices a configuration makes, float [configurations, choices]. The uncompressed makes none."""
        shares = np.array([entry.share for entry in self.configurations])
        integer = np.array([entry.arithmetic == INTEGER for entry in self.configurations])
        columns = [shares == share for share in np.unique(shares) if share > 0]
        columns += [integer, *(self._bits[:, group] == bits for group, bits in self._effects)]
        return np.stack(columns, axis=1).astype(float)

    def _expected(self, metric: str) -> np.ndarray:
        """Return the change of each configuration that is expected before anything is observed."""
        weights = np.array(self.knowledge.weights, float)
        if metric in ACCURACY:
            harms = [(group, bits, self._harm(metric, group, bits) or 0.0) for group, bits in self._effects]
            expected = np.zeros(len(self.configurations))
            for group, bits, harm in harms:
                expected[self._bits[:, group] == bits] += harm
            return expected
        kept = np.log1p([-entry.share for entry in self.configurations])
        if metric == "size":
            kept = kept + np.log(self._bits @ weights / (UNQUANTIZED * weights.sum()))
        return np.asarray(kept)

    def _harm(self, metric: str, group: int, bits: int) -> float | None:
        harms = self.knowledge.harms.get(metric, {}).get(bits)
        return None if harms is None else harms[group]

    def _spreads(self, metric: str) -> np.ndarray:
        """Return the standard deviation of each choice's effect before anything is observed."""
        groups = len(self.knowledge.weights)
        wide, point = (_POINTS, _point(metric)) if metric in ACCURACY else (_COST, 1.0)
        alone = [wide * point] * (self._features.shape[1] - len(self._effects))
        harms = [self._harm(metric, *effect) for effect in self._effects] if metric in ACCURACY else []
        if not harms:
            return np.array(alone + [wide * point / math.sqrt(groups)] * len(self._effects))
        known = [wide * point if harm is None else _HARM * abs(harm) + _HARM_POINTS * point for harm in harms]
        return np.array(alone + known)

    def draws(
        self, metric: str, observed: Mapping[Configuration, Interval], number: int, random: np.random.Generator
    ) -> np.ndarray:
        """Return likely changes of each configuration, float [number, configurations], given the changes observed."""
        places = [self._places[configuration] for configuration in observed]
        expected, features = self._expected(metric), self._features
        apart = (_POINTS_APART * _point(metric) if metric in ACCURACY else _COST_APART) ** 2
        noise = np.array([_variance(interval) for interval in observed.values()])
        target = np.array([interval.value for interval in observed.values()]) - expected[places]
        effects = _posterior(features[places], target, noise + apart, self._spreads(metric), number, random)
        drawn = effects @ features.T + expected
        part, own = np.zeros(len(self.configurations)), np.zeros_like(drawn)
        part[places] = apart / (apart + noise)
        own[:, places] = (target + expected[places] - drawn[:, places]) * part[places]
        own[:, 1:] += random.normal(size=own[:, 1:].shape) * np.sqrt(apart * (1 - part[1:]))
        return np.asarray(drawn + own)

    @cached_property
    def _places(self) -> dict[Configuration, int]:
        return {configuration: place for place, configuration in enumerate(self.configurations)}

    def places(self, configurations: Sequence[Configuration]) -> np.ndarray:
        """Return the places of configurations in the list, int [N]."""
        return np.array([self._places[configuration] for configuration in configurations], int)


def _point(metric: str) -> float:
    """Return a percentage point or a point of BLEU in the unit of a metric."""
    return 0.01 if METRICS[metric].unit == "fraction" else 1.0


def _variance(interval: Interval) -> float:
    """Return the variance of an estimate from its interval at `LEVEL`."""
    assert interval.low is not None and interval.high is not None
    return float(min((interval.high - interval.low) / 2 / ndtri(0.5 + 0.5 * LEVEL), 10.0) ** 2)


def _posterior(
    features: np.ndarray,
    target: np.ndarray,
    noise: np.ndarray,
    spreads: np.ndarray,
    number: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Return draws of the effects, float [number, choices], by ridge regression with a penalty for each choice."""
    weighted = features.T / noise
    root = np.linalg.cholesky(weighted @ features + np.diag(spreads**-2))
    mean = np.linalg.solve(root.T, np.linalg.solve(root, weighted @ target))
    return np.asarray(mean + np.linalg.solve(root.T, random.normal(size=(len(spreads), number))).T)


def gaps(limits: Sequence[Limit], drawn: Mapping[str, np.ndarray], reference: Mapping[str, float]) -> np.ndarray:
    """Return how far draws are beyond limits, float [limits, draws, configurations]. Within them it is negative.

    Costs count in logarithms, and accuracies in their unit. `reference` holds the values of the uncompressed network.
    Nothing is beyond a limit of a value that is not known yet.
    """
    found = []
    for limit in limits:
        change, known = drawn[limit.metric], reference.get(limit.metric)
        if limit.kind == "lose at most":
            found.append(-change - limit.bound)
        elif known is None:
            found.append(np.full_like(change, -np.inf))
        elif limit.kind == "at least":
            found.append(limit.bound - known - change)
        else:
            found.append(change + math.log(known / limit.bound))
    return np.stack(found)


def excess(limits: Sequence[Limit], beyond: np.ndarray) -> np.ndarray:
    """Return the sum of gaps beyond limits, float [draws, configurations]. Ten points count as a logarithm of 1."""
    scales = [1.0 if limit.kind == "at most" else 10 * _point(limit.metric) for limit in limits]
    return np.asarray((np.maximum(beyond, 0) / np.reshape(scales, (-1, 1, 1))).sum(axis=0))


def proposals(beyond: np.ndarray, cost: np.ndarray, observed: np.ndarray) -> list[int]:
    """Return the places that are the best of a draw and not observed yet, in the order of the draws.

    `beyond` and `cost` are float [draws, configurations]. Where none meets all limits, the nearest is the best.
    """
    meets = beyond <= 0
    score = np.where(meets.any(axis=1, keepdims=True), np.where(meets, cost, np.inf), beyond)
    worth = score.min(axis=1) < score[:, observed].min(axis=1) - _WORTH
    return [int(place) for place in dict.fromkeys(score[worth].argmin(axis=1))]
