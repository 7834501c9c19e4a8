"""Whatever an agent answers, a session gets a block's records or ends with one line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import refusal
from mutations import check_reader, chosen_seed

from tocompress.devices import answered, connection, understood
from tocompress.devices.local import LocalAgent
from tocompress.measurement.check import check
from tocompress.measurement.records import Block, Kind, Member, Recorder
from tocompress.measurement.session import measure
from tocompress.measurement.subject import Subject
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.device import LocalDevice
from tocompress.settings.jobs import Condition
from tocompress.vocabulary.arithmetic import FLOAT

HELLO = json.dumps({"record": "hello", "process": 1, "rails": []})


def speaking(folder: Path, *lines: str) -> Path:
    """A stand-in for an agent, which says a line whenever it has heard one."""
    path = folder / "interpreter"
    said = "\nread command\n".join(f"cat {shlex.quote(str(folder / str(number)))}" for number in range(len(lines)))
    for number, line in enumerate(lines):
        (folder / str(number)).write_bytes(line.encode("latin-1"))
    path.write_text(f"#!/bin/sh\n{said}\n")
    path.chmod(0o755)
    return path


STATES = {
    "nothing": ("", "ended with exit code 0"),
    "a record cut short": ('{"record": "end", "lo', "ended with exit code 0"),
    "garbled bytes": ("\xff\xfe\x00{}\n", "not a record of the agent: "),
    "words": ("Segmentation fault\n", "not a record of the agent: 'Segmentation fault'; nothing else may print"),
    "a list": ('["record"]\n', "not a record of the agent"),
    "a thousand thousand brackets": ("[" * 1_000_000 + "\n", "not a record of the agent"),
    "a number that is none": ('{"record": "state", "load": NaN}\n', "not a record of the agent"),
    "an error without a word": ('{"record": "error"}\n', "not a record of this agent, but of another version"),
    "an error": ('{"record": "error", "error": "malformed command"}\n', "malformed command"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_wrong_answer_of_an_agent_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    answer, message = STATES[name]
    with LocalAgent(interpreter=speaking(tmp_path, HELLO + "\n", answer), name="tx2") as agent:
        assert message in refusal(lambda: answered(agent.run({"command": "state"}), "tx2: "))


@pytest.mark.parametrize(
    ("greeting", "message"),
    [
        ("", "tx2: ended with exit code 0: nothing on stderr"),
        ('{"record": "hello"}\n', "tx2: not a record of this agent, but of another version"),
        ('{"record": "error", "error": "is in use"}\n', "tx2: is in use"),
        ("Welcome\n" * 2000, "tx2: not a record of the agent: 'Welcome'; nothing else may print"),
    ],
)
def test_a_wrong_greeting_is_told_in_one_line(greeting: str, message: str, tmp_path: Path) -> None:
    def greet() -> None:
        with LocalAgent(interpreter=speaking(tmp_path, greeting), name="tx2"):
            pass

    assert message in refusal(greet)


def test_a_record_without_an_end_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_LONGEST_RECORD", 1 << 20)

    def hear() -> None:
        with LocalAgent(interpreter=speaking(tmp_path, HELLO + "\n", "x" * (3 << 20)), name="tx2") as agent:
            list(agent.run({"command": "state"}))

    message = refusal(hear)
    assert message == "tx2: a record of more than 1048576 bytes, which no agent sends"


def test_an_agent_of_another_kind_is_a_finding_in_one_line(tmp_path: Path) -> None:
    device = LocalDevice(transport="local", threads=1, interpreter=str(speaking(tmp_path, HELLO + "\n", "")))
    (finding,) = check("tx2", device)
    assert finding.problem and "the agent's answer is not the one to this command (KeyError: " in finding.problem


@pytest.mark.parametrize("interpreter", ["\0", "/dev/null", "/"])
def test_what_cannot_be_an_interpreter_is_told_in_one_line(interpreter: str) -> None:
    def enter() -> None:
        with LocalAgent(interpreter=interpreter, name="host"):
            pass

    assert "host: cannot start " in refusal(enter)


END: dict[str, Any] = {"record": "end", "load": 0.5}
SAMPLES: dict[str, Any] = {
    "record": "samples", "member": 0, "batch": [0, 0], "round": [0, 1], "order": [0, 1], "input_id": ["i", "i"],
    "start_s": [0.0, 1.0], "duration_s": [1.0, 1.0], "processor_s": [1.0, 1.0], "tokens": [None, None],
    "warmup": [True, False],
}  # fmt: skip
LOADED: dict[str, Any] = {"record": "loaded", "members": [0, 1]}
LOADING: dict[str, Any] = {"record": "loading", "member": 0, "duration_s": 0.1, "processor_s": 0.1}
OUTPUTS: dict[str, Any] = {"record": "outputs", "member": 0, "digests": {"i": "a"}}
MEMORY: dict[str, Any] = {
    "record": "memory", "member": 0, "phase": "start", "vm_hwm": None, "rss": 1, "pss": 1, "uss": 1, "nvmap": None
}  # fmt: skip
BOTH = [SAMPLES, SAMPLES | {"member": 1}]
GENERATION: list[dict[str, Any]] = [MEMORY, LOADING, LOADED, *BOTH, OUTPUTS, END]
WRONG_GENERATIONS: dict[str, list[dict[str, Any]]] = {
    "nothing": [END],
    "no samples": [LOADED, END],
    "samples of one of two": [LOADED, SAMPLES, END],
    "samples twice": [LOADED, *BOTH, SAMPLES, END],
    "no `loaded`": [*BOTH, END],
    "two `loaded`": [LOADED, LOADED, *BOTH, END],
    "nothing loaded": [LOADED | {"members": []}, END],
    "fp32 alone": [LOADED | {"members": [0]}, SAMPLES, END],
    "members that are absent": [LOADED | {"members": [0, 1, 9]}, *BOTH, SAMPLES | {"member": 9}, END],
    "members that are no list": [LOADED | {"members": 5}, *BOTH, END],
    "no member": [LOADED, *BOTH, {name: value for name, value in LOADING.items() if name != "member"}, END],
    "a batch that is absent": [LOADED, SAMPLES | {"batch": [0, 9]}, BOTH[1], END],
    "columns of other lengths": [LOADED, SAMPLES | {"duration_s": [1.0]}, BOTH[1], END],
    "words for numbers": [LOADED, SAMPLES | {"duration_s": ["fast", "slow"]}, BOTH[1], END],
    "no column": [LOADED, {"record": "samples", "member": 0}, BOTH[1], END],
    "outputs that are no object": [LOADED, *BOTH, OUTPUTS | {"digests": ["a"]}, END],
    "loading without a time": [LOADED, *BOTH, LOADING | {"duration_s": "long"}, END],
    "an end without a load": [LOADED, *BOTH, {"record": "end"}],
}
RAILS = {"VDD_IN": {"time_s": [0.0, 1.0], "watt": [1.0, 2.0], "failed": 0}}
POWER: dict[str, Any] = {"record": "power", "realtime": True, "period_s": 0.001, "rails": RAILS}
WINDOWS: dict[str, Any] = {
    "record": "windows", "runs": 2, "idle_before": [0.0, 1.0], "block": [1.0, 2.0], "idle_after": [2.0, 3.0]
}  # fmt: skip
TIMES: dict[str, Any] = {"record": "operations", "operation": ["a"], "type": ["MatMul"], "duration_s": [1.0], "run": 1}
BLOCKS: list[tuple[Kind, list[dict[str, Any]]]] = [
    ("control", [MEMORY, END]),
    ("operations", [TIMES, END]),
    ("power", [WINDOWS, POWER, END]),
]
WRONG: list[tuple[Kind, list[dict[str, Any]]]] = [
    ("control", [MEMORY, {"record": "end"}]),
    ("control", [MEMORY | {"rss": "much"}, END]),
    ("operations", [END]),
    ("operations", [TIMES | {"type": []}, END]),
    ("power", [WINDOWS, END]),
    ("power", [WINDOWS | {"block": [1.0]}, POWER, END]),
    ("power", [WINDOWS, POWER | {"rails": {"VDD_IN": []}}, END]),
]


class Answering:
    """An agent that answers every command with the same records, and rounds when they are ordered."""

    _order = ""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.hello: dict[str, Any] = json.loads(HELLO) | {"rails": ["VDD_IN"]}
        self._records = records

    def send(self, file: Path, sha256: str) -> None: ...

    def reconnect(self) -> None: ...

    def order(self, order: dict[str, Any]) -> None:
        self._order = order["command"]

    def run(self, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
        state = {"record": "state", "load": 0.0, "monotonic_s": 0.0, "clock": {}}
        for record in [state, END] if command["command"] == "state" else self._records:
            yield record
            while record["record"] == "loaded" and self._order == "round":
                yield {"record": "round"}


def session(folder: Path, records: list[dict[str, Any]]) -> object:
    np.savez(folder / "inputs.npz", **{"i/input": np.zeros(1, np.float32)})
    (folder / "fp32.pb").touch()
    fp32 = Condition("tensorflow", "fp32", FLOAT)
    subject = Subject("tiny", {fp32[:2]: folder / "fp32.pb"}, folder / "inputs.npz", [fp32])
    device, settings = LocalDevice(transport="local", threads=1), Benchmark(generations=2, maximum_generations=2)
    return measure({"tensorflow": Answering(records)}, subject, device, settings, lambda *_: None)


@pytest.mark.parametrize("name", WRONG_GENERATIONS)
def test_records_of_another_command_end_the_session_in_one_line(name: str, tmp_path: Path) -> None:
    message = refusal(lambda: session(tmp_path, WRONG_GENERATIONS[name]))
    assert message.startswith("benchmark of tiny: generation 1: ")
    unlike = "the agent's answer is not the one to this command ("
    assert unlike in message or message.endswith("the generation ended without the record 'loaded'")


@pytest.mark.parametrize("member", [9, "a", [0], {"a": 0}, 0.5])
def test_an_error_of_a_member_that_is_none_ends_the_session_in_one_line(member: object, tmp_path: Path) -> None:
    message = refusal(lambda: session(tmp_path, [{"record": "error", "error": "lost", "member": member}]))
    assert message.startswith("benchmark of tiny: generation 1: the agent's answer is not the one to this command (")


@pytest.mark.parametrize(("kind", "records"), WRONG)
def test_a_block_is_recorded_only_with_what_it_has_to_tell(kind: Kind, records: Any) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        Recorder().add(Block(kind, "tensorflow", "fp32", FLOAT, 1), records)


# --- whatever is wrong ------------------------------------------------------------------------------------------------


def answers(path: Path) -> object:
    """What the host reads of an agent, and what it makes of a block."""
    with LocalAgent(interpreter=path.with_name("interpreter"), name=path.name) as agent:
        records = answered(agent.run({"command": "block"}), f"{path.name}: ")
    told = {record["record"] for record in records}
    recorder = Recorder()
    with understood(path.name):
        if "loaded" in told:
            recorder.add_generation(
                [Member("tensorflow", "fp32", FLOAT, 1, process) for process in (1, 2)], [1], records
            )
        else:
            kind = next((kind for kind, (first, *_) in BLOCKS if first["record"] in told), "operations")
            recorder.add(Block(kind, "tensorflow", "fp32", FLOAT, 1), records)
    return [recorder.table(name) for name in ("latency", "loading", "memory", "operations", "power", "windows")]


def stream(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def fuzz(folder: Path, count: int, seed: int) -> None:
    path, contents = (
        folder / "agent",
        [stream(records) for records in (GENERATION, *(records for _, records in BLOCKS))],
    )
    speaker = folder / "interpreter"
    speaker.write_text(f"#!/bin/sh\necho '{HELLO}'\nread command\ncat {shlex.quote(str(path))}\n")
    speaker.chmod(0o755)
    check_reader(answers, path, contents, count=count, seed=seed)


def test_damaged_answers_are_records_or_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, 200, 1)


@pytest.mark.long
def test_no_damage_at_all_is_taken_ill(tmp_path: Path) -> None:
    fuzz(tmp_path, 1000, chosen_seed())
