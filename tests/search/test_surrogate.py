"""The model knows the structure of the space and the sensitivities, and learns the rest from few configurations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tocompress.measurement.statistics import Interval
from tocompress.search.space import UNCOMPRESSED, Configuration, enumerated
from tocompress.search.surrogate import Knowledge, Surrogate, excess, gaps, proposals
from tocompress.settings.search import Limit, Space

SPACE = Space.model_validate({"bits": [4, 8], "arithmetic": ["integer", "float"], "share": [0, 0.5], "groups": 3})
KNOWN = Knowledge((1.0, 1.0, 2.0), {"top1": {4: (-0.05, 0.0, -0.01), 8: (0.0, 0.0, 0.0)}})
MODEL = Surrogate(enumerated(SPACE), KNOWN)


def mean(metric: str, observed: dict[Configuration, Interval], configuration: Configuration) -> float:
    draws = MODEL.draws(metric, observed, 2000, np.random.default_rng(1))
    return float(draws[:, MODEL.places([configuration])[0]].mean())


def test_a_space_is_every_combination_once_and_fp32() -> None:
    assert len(enumerated(SPACE)) == 2 * 2 * 2**3 + 1
    mixed = enumerated(Space.model_validate({"bits": [8, 32], "arithmetic": ["integer", "float"], "groups": 2}))
    assert set(mixed) == {
        UNCOMPRESSED,
        Configuration(0.0, "integer", (8, 8)),
        *(Configuration(0.0, "float", bits) for bits in ((8, 8), (8, 32), (32, 8))),
    }


def test_before_any_observation_sensitivities_and_numbers_of_weights_count() -> None:
    low = Configuration(0.0, "float", (4, 8, 4))
    assert mean("top1", {}, low) == pytest.approx(-0.06, abs=0.003)
    assert mean("size", {}, low) == pytest.approx(math.log((4 + 8 + 2 * 4) / (4 * 32)), abs=0.03)
    assert mean("top1", {}, UNCOMPRESSED) == 0


def test_effects_that_were_observed_apart_are_added() -> None:
    def latency(configuration: Configuration) -> Interval:
        change = -0.4 * (configuration.arithmetic == "integer") - 0.02 * sum(8 - bits for bits in configuration.bits)
        return Interval(change, change - 0.01, change + 0.01)

    seen = [Configuration(0.0, "float", bits) for bits in ((8, 8, 8), (4, 8, 8), (8, 4, 8), (8, 8, 4))]
    observed = {entry: latency(entry) for entry in (*seen, Configuration(0.0, "integer", (8, 8, 8)))}
    unseen = Configuration(0.0, "integer", (4, 4, 4))
    assert mean("latency", observed, unseen) == pytest.approx(latency(unseen).value, abs=0.05)


def test_an_exact_observation_stays_what_it_is() -> None:
    q8 = Configuration(0.0, "float", (8, 8, 8))
    draws = MODEL.draws("size", {q8: Interval(-1.2, -1.2, -1.2)}, 50, np.random.default_rng(1))
    assert draws[:, MODEL.places([q8])[0]] == pytest.approx(-1.2)


def test_draws_are_the_same_for_a_seed() -> None:
    first, second = (MODEL.draws("latency", {}, 5, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)


def test_gaps_are_beyond_limits_and_a_value_that_is_not_known_has_none() -> None:
    limits = [Limit("top1", "lose at most", 0.02), Limit("latency", "at most", 20.0), Limit("top1", "at least", 0.8)]
    drawn = {"top1": np.array([[-0.03]]), "latency": np.array([[math.log(0.5)]])}
    known = gaps(limits, drawn, {"latency": 30.0, "top1": 0.85})
    assert known.ravel() == pytest.approx([0.01, math.log(0.75), -0.02])
    assert excess(limits, known) == pytest.approx(0.1)
    assert gaps(limits, drawn, {}).ravel() == pytest.approx([0.01, -math.inf, -math.inf])


def test_the_best_of_each_draw_is_proposed_unless_it_is_known_or_hardly_better() -> None:
    meets = np.zeros((4, 4))
    cost = np.array([[0, -0.1, -0.2, -0.3], [0, -0.3, -0.2, -0.1], [0, -0.3, -0.305, -0.1], [0, 0.1, 0.2, 0.3]])
    assert proposals(meets, cost, np.array([0, 1])) == [3]
    assert proposals(meets, cost, np.array([0])) == [3, 1, 2]
    nearest = np.array([[3.0, 2.0, 1.0, 2.0]])
    assert proposals(nearest, cost[:1], np.array([0])) == [2]
