"""Measure a machine in each of its power modes, and leave it in the mode that it was found in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tocompress.devices import Agent, Record, answered, understood
from tocompress.errors import StudyError
from tocompress.settings.jobs import BenchmarkJob
from tocompress.vocabulary.modes import in_mode

Tables = Mapping[str, pd.DataFrame]


class InMode:
    """An agent whose machine is in a power mode, which every new connection sets again."""

    def __init__(self, agent: Agent, mode: str, settling_seconds: float) -> None:
        self._agent = agent
        self._mode = mode
        self._settling_seconds = settling_seconds
        self._set()

    def send(self, file: Path, sha256: str) -> None:
        self._agent.send(file, sha256)

    def run(self, command: Record) -> Iterator[Record]:
        return self._agent.run(command)

    def order(self, order: Record) -> None:
        self._agent.order(order)

    def reconnect(self) -> None:
        self._agent.reconnect()
        self._set()

    def _set(self) -> None:
        """Change to the mode, and wait until the machine has settled in it."""
        told = answered(self._agent.run({"command": "mode", "name": self._mode}))[0]
        cores = {"cores_allowed": told["cores"], "cores_online": told["cores_online"]}
        self.hello = self._agent.hello | {"power_mode": self._mode, **cores}
        time.sleep(self._settling_seconds)


def in_each_mode(
    agents: Mapping[str, Agent], session: BenchmarkJob, measured: Callable[[Mapping[str, Agent]], Tables]
) -> dict[str, Tables]:
    """Return the tables of a measurement in each mode of a device, by the device's name in that mode.

    The order of the modes is random. Each mode is tried before the first measurement. Raise StudyError where the
    machine lacks one, may not set it, or has too few processors in it. The first agent holds the machine.
    """
    first, holder = next(iter(agents.items()))
    modes, settings = session.device.modes, session.benchmark
    with understood(session.name):
        found = answered(holder.run({"command": "modes"}))[0]["mode"]
        for mode in modes:
            _try(holder, mode, session)
    order = [modes[place] for place in np.random.default_rng(settings.seed).permutation(len(modes))]
    tables: dict[str, Tables] = {}
    for mode in order:
        print(f"power mode {mode}", flush=True)
        there = InMode(holder, mode, settings.settling_seconds)
        tables[mode] = measured({**agents, first: there})
    shared = {"mode/found": found, "mode/order": "; ".join(order), "mode/restored": _restored(holder)}
    return {in_mode(session.name, mode): _with_facts(own, {**shared, "mode/set": mode}) for mode, own in tables.items()}


def _try(holder: Agent, mode: str, session: BenchmarkJob) -> None:
    """Change to a mode. Raise StudyError where that fails, or leaves too few processors."""
    where = f"devices.{session.name}.modes: "
    cores, threads = answered(holder.run({"command": "mode", "name": mode}), where)[0]["cores"], session.device.threads
    if cores < threads:
        raise StudyError(f"{where}'{mode}' leaves {cores} cores for the device's {threads} threads; leave it out")


def _restored(holder: Agent) -> str:
    """Return the mode that the machine is left in, or why that is not known. Its guardian restores it then."""
    try:
        with understood("power mode"):
            return str(answered(holder.run({"command": "mode", "name": None}))[0]["mode"])
    except StudyError as error:
        print(f"power mode: {error}", flush=True)
        return f"unknown: {error}"


def _with_facts(tables: Tables, facts: Mapping[str, str]) -> Tables:
    more = pd.DataFrame({"key": list(facts), "value": list(facts.values())})
    return {**tables, "session": pd.concat([tables["session"], more], ignore_index=True)}
