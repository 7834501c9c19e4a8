"""A generation: one fresh process of each artifact, all loaded, which take turns in short slices.

The host orders each round, because the agents of several runtimes take turns too.
"""

import json
import os
from contextlib import ExitStack
from typing import Any, Dict, List, Optional

from tocompress.devices.agent.host import AgentError, Host, Record, checked_round
from tocompress.devices.agent.machine import available_memory
from tocompress.devices.agent.process import WorkerProcess

#: Share of the free memory that residents may take.
_USABLE = 0.9

#: A comparison needs the first member, which is fp32, and another one.
_FEWEST = 2


def run_generation(host: Host, root: str, runtime: Any, command: Record) -> None:
    """Load the members, let them run the slices of each round that the host orders, and send their records.

    Each record of a member tells it by its place in the command. The record `loaded` names the members that memory
    holds. A round's turns of other members are left out. Raise AgentError, which tells its member, where one fails.
    """
    with ExitStack() as stack:
        residents = _load(host, root, runtime, command, stack)
        host.send({"record": "loaded", "members": sorted(residents)})
        for line in host.lines():
            order = checked_round(json.loads(line), command)
            if order["command"] == "finish":
                break
            _run_round(host, residents, command, order)
            host.send({"record": "round"})
        for member, resident in residents.items():
            resident.order({})
            _relay(host, member, resident, command["timeout_seconds"])


def _run_round(host: Host, residents: Dict[int, WorkerProcess], command: Record, order: Record) -> None:
    present = [turn for turn in order["turns"] if turn[0] in residents]
    for place, (member, batch) in enumerate(present):
        slice_order = {
            "input_ids": command["batches"][batch],
            "seconds": command["slice_seconds"],
            "runs": command["slice_runs"],
            "place": {"batch": batch, "round": order["number"], "order": place},
        }
        residents[member].order(slice_order)
        _relay(host, member, residents[member], command["timeout_seconds"])


def _load(host: Host, root: str, runtime: Any, command: Record, stack: ExitStack) -> Dict[int, WorkerProcess]:
    """Load the members that memory holds, as many at a time as the cores allow.

    The first one, which is fp32, is loaded before the third begins, because it tells the need of the others.
    """
    seconds, threads = command["timeout_seconds"], command["members"][0]["threads"]
    at_a_time = max(1, len(os.sched_getaffinity(0)) // max(1, threads))
    room = Room(root, command["memory_share"])
    residents: Dict[int, WorkerProcess] = {}
    loading: List[int] = []
    for member, block in enumerate(command["members"]):
        if member >= _FEWEST and not room.holds(1 + len(loading)):
            break
        residents[member] = stack.enter_context(WorkerProcess(host, runtime, block))
        loading.append(member)
        if len(loading) == at_a_time or member == _FEWEST - 1:
            room.add(_relay(host, loading[0], residents[loading.pop(0)], seconds))
    for member in loading:
        _relay(host, member, residents[member], seconds)
    return residents


class Room:
    """The memory that residents may take, and the part that they hold already, in bytes.

    `share` is the part of the free memory that is not for the residents of another runtime.
    """

    def __init__(self, root: str, share: float) -> None:
        available = available_memory(root)
        self._total = float("inf") if available is None else share * _USABLE * available
        self._held = 0.0
        self._largest = 0.0

    def add(self, memory: List[Record]) -> None:
        """Take note of the records of the memory of a loaded member."""
        alone = max((_sum(record["uss"], record["nvmap"]) for record in memory), default=0.0)
        peak = max((_sum(record["vm_hwm"], record["nvmap"]) for record in memory), default=0.0)
        grown = peak - _sum(memory[0]["rss"], None) if memory else 0.0
        self._held += alone
        self._largest = max(self._largest, alone, grown)

    def holds(self, more: int) -> bool:
        """Return whether there is room for the peaks of so many members that are as large as the largest so far."""
        return self._held + more * self._largest <= self._total


def _relay(host: Host, member: int, resident: WorkerProcess, seconds: float) -> List[Record]:
    """Send the records of a resident up to its next `ready`. Return the records of its memory."""
    memory = []
    try:
        for record in resident.records(seconds):
            host.send(dict(record, member=member))
            if record["record"] == "memory":
                memory.append(record)
    except AgentError as error:
        error.member = member
        raise
    return memory


def _sum(first: Optional[int], second: Optional[int]) -> float:
    return float((first or 0) + (second or 0))
