"""Run a generation on the agents of all runtimes, which take turns round by round."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tocompress.devices import Agent, AgentFailed, Record

#: The most rounds of a generation.
_MOST_ROUNDS = 300


class Generation:
    """A generation under way on one agent. Its members are loaded when it is made."""

    def __init__(self, runtime: str, agent: Agent, command: Record) -> None:
        self.records: list[Record] = []
        self._runtime = runtime
        self._agent = agent
        self._answer: Iterator[Record] = agent.run(command)
        members, batches = len(command["members"]), len(command["batches"])
        self._turns = [(member, batch) for member in range(members) for batch in range(batches)]
        self._until("loaded")

    def round(self, number: int, random: np.random.Generator) -> None:
        """Let every member run a slice of every batch, in random order."""
        turns = [self._turns[place] for place in random.permutation(len(self._turns))]
        self._agent.order({"command": "round", "number": number, "turns": turns})
        self._until("round")

    def finish(self) -> None:
        """Let the members send their samples."""
        self._agent.order({"command": "finish"})
        self._until("end")

    def _until(self, last: str) -> None:
        """Take the records up to the one of this kind. Raise GenerationFailed where the agent ends the generation."""
        for record in self._answer:
            self.records.append(record)
            if record["record"] == "error":
                raise GenerationFailed(self._runtime, record)
            if record["record"] == last:
                return
        raise GenerationFailed(self._runtime, {"error": f"the generation ended without the record '{last}'"})


class GenerationFailed(AgentFailed):
    """A member of a generation failed. `member` is its place in the generation of `runtime`, if the agent tells it."""

    def __init__(self, runtime: str, record: Record) -> None:
        super().__init__(record["error"])
        self.runtime = runtime
        self.member: Any = record.get("member")


def run_generation(
    agents: Mapping[str, Agent], commands: Mapping[str, Record], minimum_rounds: int, random: np.random.Generator
) -> dict[str, list[Record]]:
    """Return the records of a generation by runtime. Each round holds the slices of every runtime, in random order.

    After the minimum of rounds, rounds begin until they have taken as long as the loading. Raise GenerationFailed
    and ConnectionLost.
    """
    begin = time.monotonic()
    generations = {runtime: Generation(runtime, agents[runtime], command) for runtime, command in commands.items()}
    loaded = time.monotonic()
    for number in range(1, max(_MOST_ROUNDS, minimum_rounds) + 1):
        if number > minimum_rounds and time.monotonic() - loaded >= loaded - begin:
            break
        for runtime in random.permutation(list(generations)):
            generations[runtime].round(number, random)
    for generation in generations.values():
        generation.finish()
    return {runtime: generation.records for runtime, generation in generations.items()}
