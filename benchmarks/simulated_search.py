"""A study that is not run: its configurations have true costs and accuracies, and their observations have noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tocompress.search.evidence import Evidence
from tocompress.search.halving import next_round
from tocompress.search.judging import Outcome
from tocompress.search.progress import Observed, Problem, Round
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.search.surrogate import Knowledge
from tocompress.settings.search import Space
from tocompress.vocabulary.arithmetic import INTEGER

#: Noise of the logarithm of a latency, so that a ratio has 2.5 %, and a slow drift that a round's configurations share.
NOISE, DRIFT, PERSISTENCE = 0.025 / np.sqrt(2), 0.02, 0.8
BLOCKS, SCREENED, JUDGED = 6, 1000, 2000
ACCURACY = 0.85


@dataclass(frozen=True)
class Truth:
    """A latency in ms, a size in bytes, and the change of accuracy, with the share of examples that change."""

    latency: float
    size: float
    change: float
    discordant: float = 0.04


@dataclass
class Oracle:
    """The true values by configuration, and the state of chance."""

    truth: Callable[[Configuration], Truth]
    random: np.random.Generator

    def observe(self, round: Round) -> Observed:
        found = [self.truth(entry) for entry in round.observed]
        values = {
            "latency": self._latency(np.array([entry.latency for entry in found]), BLOCKS * round.effort),
            "size": np.array([[entry.size] for entry in found]),
            "top1": self._hits(found, JUDGED if round.kind == "judge" else SCREENED),
        }
        return Observed(round, Evidence(round.observed, values), float(round.work))

    def _latency(self, true: np.ndarray, blocks: int) -> np.ndarray:
        drift = np.zeros(blocks)
        drift[0] = self.random.normal(0, DRIFT)
        for block in range(1, blocks):
            step = self.random.normal(0, DRIFT * np.sqrt(1 - PERSISTENCE**2))
            drift[block] = PERSISTENCE * drift[block - 1] + step
        return true[:, None] * np.exp(drift + self.random.normal(0, NOISE, (len(true), blocks)))

    def _hits(self, found: list[Truth], examples: int) -> np.ndarray:
        whole = self.random.random(examples) < ACCURACY
        rows = [whole]
        for entry in found[1:]:
            lost, gained = (entry.discordant - entry.change) / 2, (entry.discordant + entry.change) / 2
            flips = self.random.random(examples) < np.where(whole, lost / ACCURACY, gained / (1 - ACCURACY))
            rows.append(whole ^ flips)
        return np.array(rows, float)


def searched(problem: Problem, truth: Callable[[Configuration], Truth], seed: int) -> Outcome:
    """Return the outcome of a whole search."""
    oracle, history = Oracle(truth, np.random.default_rng(seed)), list[Observed]()
    while not isinstance(step := next_round(problem, history), Outcome):
        history.append(oracle.observe(step))
    return step


@dataclass(frozen=True)
class World:
    """True effects that add up: of shares, of integers, and of the bits of each group, on latency and accuracy.

    Each configuration also has a latency of its own, apart from these, and there is half of it in the accuracy.
    """

    shares: Mapping[float, tuple[float, float]]
    integer: tuple[float, float]
    bits: Mapping[tuple[int, int], tuple[float, float]]
    apart: float
    seed: int

    def __call__(self, configuration: Configuration) -> Truth:
        if configuration == UNCOMPRESSED:
            return Truth(30, 10e6, 0)
        effects = [self.shares[configuration.share], *(self.bits[pair] for pair in enumerate(configuration.bits))]
        if configuration.arithmetic == INTEGER:
            effects.append(self.integer)
        own = np.random.default_rng([self.seed, abs(hash(configuration.bits)), round(100 * configuration.share)])
        logarithm, change = np.sum(effects, axis=0)
        mean_bits = np.mean(configuration.bits) if configuration.bits else 32
        change += 0.1 * own.normal(0, self.apart)
        return Truth(
            latency=30 * np.exp(logarithm + own.normal(0, self.apart)),
            size=10e6 * mean_bits / 32 * (1 - configuration.share),
            change=change,
            discordant=min(0.03 + abs(change), 0.3),
        )


def world(space: Space, seed: int) -> World:
    """Return a world of random effects. Fewer bits and greater shares harm, and each group does so differently."""
    random = np.random.default_rng(seed)
    scale = random.lognormal(0, 0.7, space.groups) / space.groups
    bits = {
        (group, bits): (random.normal(0, 0.2) / np.sqrt(space.groups), -0.03 * scale[group] * 4.0 ** ((4 - bits) / 2))
        for group in range(space.groups)
        for bits in space.bits
    }
    shares = {share: (-0.7 * share + random.normal(0, 0.03) * (share > 0), -0.05 * share**2) for share in space.share}
    return World(shares, (random.normal(-0.2, 0.1), -0.001), bits, 0.01, seed)


def knowledge(world: World, groups: int, seed: int) -> Knowledge:
    """Return sensitivities as a scan of 1,000 examples shows them, with an error of a third and a fifth of a point."""
    random = np.random.default_rng(seed)
    harms: dict[int, tuple[float, ...]] = {}
    for bits in dict.fromkeys(bits for _, bits in world.bits):
        true = np.array([world.bits[group, bits][1] for group in range(groups)])
        harms[bits] = tuple(true * random.lognormal(0, 0.3, groups) + random.normal(0, 0.002, groups))
    return Knowledge((1.0,) * groups, {"top1": harms})
