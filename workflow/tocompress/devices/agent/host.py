"""The host at the other end: its lines and bytes, the records for it, and the check of its commands."""

import json
import os
import select
import time
from typing import IO, Any, Callable, Dict, Iterator, Optional, Tuple

Record = Dict[str, Any]
Send = Callable[[Record], None]

#: The keys of a block and the types they may have. A number of JSON is an int or a float here.
BLOCK: Dict[str, Tuple[type, ...]] = {
    "kind": (str,),
    "artifact": (str, type(None)),
    "inputs": (str,),
    "input_ids": (list,),
    "dequantization": (str, type(None)),
    "processor": (str,),
    "threads": (int,),
    "inter_op_threads": (int,),
    "warmup_runs": (int,),
    "warmup_seconds": (int, float),
    "seconds": (int, float),
    "minimum_runs": (int,),
    "profiled_runs": (int,),
    "rails": (list,),
    "idle_seconds": (int, float),
    "tail_seconds": (int, float),
    "timeout_seconds": (int, float),
}

#: The keys of a generation. Its members are blocks.
GENERATION: Dict[str, Tuple[type, ...]] = {
    "members": (list,),
    "batches": (list,),
    "memory_share": (int, float),
    "slice_seconds": (int, float),
    "slice_runs": (int,),
    "timeout_seconds": (int, float),
}

#: The keys of a round of a generation.
ROUND: Dict[str, Tuple[type, ...]] = {"number": (int,), "turns": (list,)}

_KINDS = ("operations", "power", "outputs", "control")

#: The kind of a generation's members.
RESIDENT = "resident"

_PROCESSORS = ("cpu", "gpu")
_DEQUANTIZATIONS = ("every_inference", "once")

#: The largest number in a block: more than a machine lasts or runs.
_MOST = 10**9

#: Bytes of the longest command. The file that follows a `put` does not count.
_LONGEST_COMMAND = 1 << 22

#: Seconds of silence after which the host counts as gone. It sends a sign of life every 20.
SILENCE = 120.0


class AgentError(Exception):
    """A command that cannot be carried out, in one line. `member` tells which member of a generation failed."""

    member: Optional[int] = None


class HostGone(Exception):
    """The host does not listen any more."""


class Host:
    """The other end: lines and bytes from it, records to it. Its end of file or a long silence raises HostGone."""

    def __init__(self, descriptor: int, output: IO[str], silence: Optional[float]) -> None:
        self.descriptor = descriptor
        self.output = output
        self._silence = silence
        self._pending = b""
        self._heard = time.monotonic()

    def send(self, record: Record) -> None:
        """Send a record. Raise HostGone if the host cannot take it."""
        try:
            self.output.write(json.dumps(record) + "\n")
            self.output.flush()
        except OSError as error:
            raise HostGone() from error

    def lines(self) -> Iterator[bytes]:
        """Yield the lines as they come, without the empty ones."""
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if not newline:
                self._wait()
                continue
            self._pending = rest
            if line.strip():
                yield line

    def take(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes, in pieces."""
        while size:
            if not self._pending:
                self._wait()
            piece, self._pending = self._pending[:size], self._pending[size:]
            size -= len(piece)
            yield piece

    def listen(self) -> None:
        """Take the bytes that have come. Raise HostGone at their end, and when the silence is too long."""
        ready, _, _ = select.select([self.descriptor], [], [], 0)
        if ready:
            chunk = os.read(self.descriptor, 1 << 20)
            if not chunk:
                raise HostGone()
            self._pending += chunk
            self._heard = time.monotonic()
            if len(self._pending) > _LONGEST_COMMAND:
                raise AgentError(f"malformed command: of more than {_LONGEST_COMMAND} bytes")
        elif self._silence is not None and time.monotonic() - self._heard > self._silence:
            raise HostGone()

    def _wait(self) -> None:
        select.select([self.descriptor], [], [], self._silence)
        self.listen()


def checked_block(command: Record, kinds: Tuple[str, ...] = _KINDS) -> Record:
    """Return the command if it is a complete block. Raise AgentError otherwise."""
    _check_types(command, BLOCK, "block")
    for key, choices in (("kind", kinds), ("processor", _PROCESSORS)):
        if command[key] not in choices:
            raise AgentError(f"malformed command: '{key}' is one of {', '.join(choices)}")
    if not command["input_ids"]:
        raise AgentError("malformed command: 'input_ids' is empty")
    if command["kind"] != "control":
        if command["artifact"] is None:
            raise AgentError("malformed command: only a control block has no artifact")
        if command["dequantization"] not in _DEQUANTIZATIONS:
            raise AgentError(f"malformed command: 'dequantization' is one of {', '.join(_DEQUANTIZATIONS)}")
    return command


def checked_generation(command: Record) -> Record:
    """Return the command if it is a complete generation. Raise AgentError otherwise."""
    _check_types(command, GENERATION, "generation")
    if not command["members"]:
        raise AgentError("malformed command: 'members' is empty")
    for member in command["members"]:
        checked_block(member, (RESIDENT,))
    known = [member["input_ids"] for member in command["members"]]
    for batch in command["batches"]:
        if not batch or not all(name in names for names in known for name in batch):
            raise AgentError("malformed command: 'batches' holds lists of inputs that every member has")
    return command


def checked_round(order: Any, generation: Record) -> Record:
    """Return the order if it is a complete round of a generation, or its `finish`. Raise AgentError otherwise."""
    if not isinstance(order, dict) or order.get("command") not in ("round", "finish"):
        raise AgentError("malformed command: a generation takes 'round' and 'finish' only")
    if order["command"] == "round":
        _check_types(order, ROUND, "round")
        members, batches = len(generation["members"]), len(generation["batches"])
        if not all(_is_turn(turn, members, batches) for turn in order["turns"]):
            raise AgentError("malformed command: 'turns' holds pairs of the places of a member and a batch")
    return order


def _is_turn(turn: Any, members: int, batches: int) -> bool:
    if not isinstance(turn, list) or [type(place) for place in turn] != [int, int]:
        return False
    member, batch = turn
    return bool(0 <= member < members and 0 <= batch < batches)


def _check_types(command: Record, keys: Dict[str, Tuple[type, ...]], what: str) -> None:
    for key, types in keys.items():
        if key not in command:
            raise AgentError(f"malformed command: the {what} lacks '{key}'")
        value = command[key]
        # A bool is an instance of int.
        if type(value) not in types or (isinstance(value, (int, float)) and not 0 <= value <= _MOST):
            raise AgentError(f"malformed command: '{key}' cannot be {value!r}")


def one_line(error: BaseException) -> str:
    """Return the text of an error in one line."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, AgentError) else f"{type(error).__name__}: {text}"
