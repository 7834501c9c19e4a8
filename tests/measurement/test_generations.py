"""The rounds of a generation, which the agents of all runtimes share, and when it has had enough of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tocompress.devices import ConnectionLost
from tocompress.measurement import generations
from tocompress.measurement.generations import GenerationFailed, run_generation

COMMANDS = {
    "tensorflow": {"command": "generation", "members": [{}] * 3, "batches": [["i"], ["ix8"]]},
    "litert": {"command": "generation", "members": [{}] * 2, "batches": [["i"], ["ix8"]]},
}


@dataclass
class Clock:
    """A clock that only agents move."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class Agent:
    """An agent whose members load in a second and whose round takes 0.3 s, of a journal that several share."""

    runtime: str
    clock: Clock
    journal: list[tuple[str, dict[str, Any]]]
    failing: str = "never"
    hello: dict[str, Any] = field(default_factory=dict)

    def order(self, order: dict[str, Any]) -> None:
        self.journal.append((self.runtime, order))

    def run(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.clock.now_s += 1.0
        if self.failing == "loading":
            yield {"record": "error", "error": "killed", "member": 1}
            return
        yield {"record": "loaded", "members": list(range(len(command["members"])))}
        while self.journal[-1][1]["command"] == "round":
            self.clock.now_s += 0.3
            if self.failing == "silent":
                return
            if self.failing == "lost":
                raise ConnectionLost("board: no answer for 120 s")
            yield {"record": "round"}
        yield {"record": "samples", "member": 0}
        yield {"record": "end", "load": 0.0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(generations, "time", clock)
    return clock


def agents(clock: Clock, journal: list[tuple[str, dict[str, Any]]], **failing: str) -> dict[str, Any]:
    return {runtime: Agent(runtime, clock, journal, failing.get(runtime, "never")) for runtime in COMMANDS}


def rounds_of(clock: Clock, minimum: int, seed: int = 1) -> list[tuple[str, dict[str, Any]]]:
    """Return the orders of all rounds, each with the runtime that took it."""
    journal: list[tuple[str, dict[str, Any]]] = []
    records = run_generation(agents(clock, journal), COMMANDS, minimum, np.random.default_rng(seed))
    assert all([record["record"] for record in found][-2:] == ["samples", "end"] for found in records.values())
    assert journal[-2:] == [(runtime, {"command": "finish"}) for runtime in COMMANDS]
    return journal[:-2]


def test_each_round_holds_every_member_of_both_runtimes_once_with_each_batch(clock: Clock) -> None:
    orders = rounds_of(clock, 12)
    assert [order["number"] for _, order in orders] == [number for number in range(1, 13) for _ in COMMANDS]
    for runtime, order in orders:
        members = len(COMMANDS[runtime]["members"])
        assert sorted(order["turns"]) == [(member, batch) for member in range(members) for batch in range(2)]


def test_the_order_of_runtimes_and_turns_is_random_by_the_seed_alone(clock: Clock) -> None:
    orders = rounds_of(clock, 12)
    assert {runtime for runtime, _ in orders[::2]} == set(COMMANDS)  # of the first of each round
    assert len({tuple(order["turns"]) for runtime, order in orders if runtime == "tensorflow"}) > 6
    clock.now_s = 0.0
    assert rounds_of(clock, 12) == orders
    assert rounds_of(clock, 12, seed=2) != orders


@pytest.mark.parametrize(("minimum", "most", "count"), [(2, 300, 4), (6, 300, 6), (2, 3, 3), (5, 3, 5)])
def test_rounds_go_on_for_their_minimum_and_as_long_as_the_loading(
    clock: Clock, minimum: int, most: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both load in 2 s, and a round of both takes 0.6 s."""
    monkeypatch.setattr(generations, "_MOST_ROUNDS", most)
    assert len(rounds_of(clock, minimum)) == count * len(COMMANDS)


def test_a_member_that_fails_is_told_with_its_runtime(clock: Clock) -> None:
    with pytest.raises(GenerationFailed, match=r"^killed$") as caught:
        run_generation(agents(clock, [], litert="loading"), COMMANDS, 2, np.random.default_rng(1))
    assert (caught.value.runtime, caught.value.member) == ("litert", 1)


def test_an_agent_that_ends_amid_a_round_fails_its_runtime(clock: Clock) -> None:
    with pytest.raises(GenerationFailed, match="ended without the record 'round'") as caught:
        run_generation(agents(clock, [], tensorflow="silent"), COMMANDS, 2, np.random.default_rng(1))
    assert (caught.value.runtime, caught.value.member) == ("tensorflow", None)


def test_a_connection_that_is_lost_amid_a_round_is_no_failure_of_a_member(clock: Clock) -> None:
    with pytest.raises(ConnectionLost, match="board: no answer"):
        run_generation(agents(clock, [], litert="lost"), COMMANDS, 2, np.random.default_rng(1))
