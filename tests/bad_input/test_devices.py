"""A wrong device is told in one line; an agent does nothing for a host but what its commands are for."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from mutations import check_reader, chosen_seed
from pydantic import ValidationError
from stand_in import executable, interpreter

from tocompress.devices import Record, connection, reach
from tocompress.devices.agent import server, worker
from tocompress.devices.agent.host import RESIDENT, AgentError, Host, HostGone, Send
from tocompress.devices.agent.sampler import Sampler
from tocompress.devices.agent.sensors import find_sensors
from tocompress.devices.local import LocalAgent
from tocompress.devices.program import AGENT
from tocompress.devices.ssh import SshAgent, _Shell
from tocompress.errors import StudyError
from tocompress.measurement.check import check
from tocompress.measurement.power import read_meter
from tocompress.settings.device import LocalDevice, SshDevice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent is Linux's")

CONTENT = b'{"command": "clean"}\n'
DIGEST = hashlib.sha256(CONTENT).hexdigest()

BLOCK: Record = {
    "command": "block", "kind": "outputs", "artifact": DIGEST, "inputs": DIGEST, "input_ids": ["a"],
    "dequantization": "once", "processor": "cpu", "threads": 1, "inter_op_threads": 1, "warmup_runs": 1,
    "warmup_seconds": 0, "seconds": 0.5, "minimum_runs": 1, "profiled_runs": 1, "rails": [], "idle_seconds": 0,
    "tail_seconds": 0, "timeout_seconds": 60,
}  # fmt: skip
MEMBER = BLOCK | {"kind": "resident"}
GENERATION: Record = {
    "command": "generation", "members": [MEMBER, MEMBER], "batches": [["a"]],
    "memory_share": 1.0, "slice_seconds": 0.01, "slice_runs": 1, "timeout_seconds": 60,
}  # fmt: skip
ROUNDS: list[Record] = [
    {"command": "round", "number": 1, "turns": [[0, 0], [1, 0]]},
    {"command": "round", "number": 2, "turns": [[1, 0]]},
    {"command": "finish"},
]
HAS: Record = {"command": "has", "sha256": [DIGEST]}
PUT: Record = {"command": "put", "sha256": DIGEST, "bytes": len(CONTENT)}


def line(command: Record) -> bytes:
    return json.dumps(command).encode() + b"\n"


def paths(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All that is in a folder: mode, and content or where a link leads to."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        link, file = stat.S_ISLNK(mode), stat.S_ISREG(mode)
        content = os.readlink(path).encode() if link else path.read_bytes() if file else b""
        found[str(path.relative_to(folder))] = (mode, content)
    return found


# --- what an agent does for a host ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers here run no network, but do all else."""

    def work(runtime: Any, command: Record, send: Send, orders: Iterable[str]) -> None:
        if command["kind"] == RESIDENT:
            send({"record": "ready"})
            for _ in takewhile(json.loads, orders):
                send({"record": "ready"})
        send({"record": "outputs", "digests": {}})

    monkeypatch.setattr(worker, "work", work)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The agent's folder, beside a file that is none of its business."""
    (tmp_path / "secret").write_bytes(b"secret")
    board = tmp_path / "board"
    (board / "files").mkdir(parents=True)
    return board


def answers(board: Path, said: bytes) -> list[Record]:
    """What an agent answers a host that says this and goes."""
    with tempfile.TemporaryFile() as commands, tempfile.TemporaryFile("w+") as output:
        commands.write(said)
        commands.seek(0)
        with suppress(HostGone, AgentError):
            server.Server(Host(commands.fileno(), output, None), str(board), str(board), None).serve()
        output.seek(0)
        return [json.loads(text) for text in output]


def answers_while_there(board: Path, said: bytes) -> list[Record]:
    """What an agent answers a host that says this, at most 64 kB, and is there while blocks run."""
    reader, writer = os.pipe()
    os.write(writer, said + line({"command": "quit"}))
    with tempfile.TemporaryFile("w+") as output:
        server.Server(Host(reader, output, None), str(board), str(board), None).serve()
        output.seek(0)
        answered = [json.loads(text) for text in output]
    os.close(reader)
    os.close(writer)
    return answered


NAMES: list[Any] = [
    "", ".", "..", "/etc/passwd", "../secret", f"../files/{DIGEST}", f"{DIGEST}/..", f"{DIGEST[:-1]}/", f"{DIGEST}\n",
    f"{DIGEST}\0", f"{DIGEST} ", DIGEST.upper(), f"{DIGEST}.1", "\N{FULLWIDTH DIGIT ZERO}" * 64, 5, ["/etc/passwd"],
    {"/": 0},
]  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        lambda name: line(HAS | {"sha256": [name]}),
        lambda name: line(PUT | {"sha256": name}) + CONTENT,
        lambda name: line(BLOCK | {"artifact": name}),
        lambda name: line(BLOCK | {"inputs": name}),
        lambda name: line(GENERATION | {"members": [MEMBER, MEMBER | {"artifact": name}]}),
    ],
    ids=["has", "put", "artifact", "inputs", "member"],
)
@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_file_has_no_name_but_its_digest(board: Path, name: Any, command: Callable[[Any], bytes]) -> None:
    (board / "files" / DIGEST).write_bytes(CONTENT)
    before = paths(board.parent)
    refused, has, end = answers(board, command(name) + line(HAS))
    assert refused["record"] == "error" and refused["error"].startswith("malformed command: "), refused
    assert "\n" not in refused["error"]
    assert has == {"record": "has", "sha256": [DIGEST]} and end["record"] == "end"
    assert paths(board.parent) == before


def plant_link(path: Path) -> None:
    path.symlink_to(path.parents[2] / "secret")


PLANTED: dict[str, Callable[[Path], None]] = {
    "a link to a file": plant_link,
    "a link to nothing": lambda path: path.symlink_to(path.parents[2] / "absent"),
    "a link without end": lambda path: path.symlink_to("/dev/zero"),
    "a link in a circle": lambda path: path.symlink_to(path),
    "a pipe": os.mkfifo,
    "other content": lambda path: path.write_bytes(b"other") and None,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", ["", f".{os.getpid()}"], ids=["whole", "unfinished"])
@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_in_a_files_place_is_replaced_and_never_followed(
    board: Path, planted: str, suffix: str
) -> None:
    PLANTED[planted](board / "files" / (DIGEST + suffix))
    has, _, end, again, _ = answers(board, line(HAS) + line(PUT) + CONTENT + line(HAS))
    assert (has["sha256"], end["record"], again["sha256"]) == ([], "end", [DIGEST])
    assert {name: content for name, (mode, content) in paths(board.parent).items() if not stat.S_ISDIR(mode)} == {
        "secret": b"secret",
        f"board/files/{DIGEST}": CONTENT,
    }


def test_a_block_takes_no_pipe_for_a_file(board: Path) -> None:
    os.mkfifo(board / "files" / DIGEST)
    assert answers(board, line(BLOCK)) == [
        {
            "record": "error",
            "error": f"the artifact {DIGEST[:16]}... is not on this machine: put it first",
            "member": None,
        }
    ]


def test_cleaning_removes_links_and_not_what_they_lead_to(board: Path) -> None:
    plant_link(board / "files" / DIGEST)
    (board / "files" / "mine").write_bytes(b"mine")
    (end,) = answers(board, line({"command": "clean"}))
    assert end["record"] == "end"
    assert {path.name for path in (board / "files").iterdir()} == {"mine"}
    assert (board.parent / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"\xff\xfe\n", "malformed command: "),
        (b"[]\n", "malformed command: not an object"),
        (b"[" * 100_000 + b"\n", "malformed command: maximum recursion depth exceeded"),
        (b'{"command": "quit\n', "malformed command: "),
        (
            line({"command": "exec"}),
            "malformed command: 'command' is one of block, generation, has, put, state, modes, mode, clean, quit",
        ),
        (line(PUT | {"bytes": 1e300}), "malformed command: 'bytes' cannot be 1e+300"),
        (line(BLOCK | {"threads": 10**30}), "malformed command: 'threads' cannot be 1000000000000000000000000000000"),
        (line(BLOCK | {"seconds": float("nan")}), "malformed command: 'seconds' cannot be nan"),
        (line(BLOCK | {"timeout_seconds": -1}), "malformed command: 'timeout_seconds' cannot be -1"),
        (line(ROUNDS[0]), "malformed command: 'command' is one of block"),
    ],
)
def test_a_malformed_command_is_told_in_one_line_and_the_next_is_heard(board: Path, said: bytes, error: str) -> None:
    first, has, _ = answers(board, said + line(HAS))
    assert first["record"] == "error" and first["error"].startswith(error) and "\n" not in first["error"], first
    assert has == {"record": "has", "sha256": []}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"\xff\xfe\n", "malformed command: "),
        (b"[]\n", "malformed command: a generation takes 'round' and 'finish' only"),
        (b'{"command": ["round"]}\n', "malformed command: a generation takes 'round' and 'finish' only"),
        (b"[" * 30_000 + b"\n", "malformed command: maximum recursion depth exceeded"),
        (line(ROUNDS[0] | {"number": 10**30}), "malformed command: 'number' cannot be 1" + "0" * 30),
        (line(ROUNDS[0] | {"turns": [[0, 0], [9, 0]]}), "malformed command: 'turns' holds pairs of the places"),
    ],
)
def test_a_malformed_order_ends_its_generation_in_one_line_and_the_next_command_is_heard(
    board: Path, said: bytes, error: str
) -> None:
    (board / "files" / DIGEST).write_bytes(CONTENT)
    told = answers_while_there(board, line(GENERATION) + line(ROUNDS[1]) + said + line(HAS))
    (refused,) = [record["error"] for record in told if record["record"] == "error"]
    assert refused.startswith(error) and "\n" not in refused
    assert [record["record"] for record in told[-2:]] == ["has", "end"]


def test_a_command_without_an_end_ends_the_agent(board: Path) -> None:
    with tempfile.TemporaryFile() as commands, tempfile.TemporaryFile("w") as output:
        commands.write(b"x" * (5 << 20))
        commands.seek(0)
        with pytest.raises(AgentError, match="malformed command: of more than 4194304 bytes"):
            server.Server(Host(commands.fileno(), output, None), str(board), "/", None).serve()


def test_a_sampler_that_fails_is_told_by_its_own_words(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(sampler: Sampler) -> Record:
        os.kill(sampler._process, signal.SIGKILL)
        return original(sampler)

    original = Sampler.stop
    monkeypatch.setattr(Sampler, "stop", stop)
    monkeypatch.setattr(worker, "work", lambda *arguments: arguments[2]({"record": "settled"}))
    (board / "files" / DIGEST).write_bytes(CONTENT)
    assert answers_while_there(board, line(BLOCK)) == [
        {"record": "error", "error": "the power sampler was ended by signal 9", "member": None}
    ]


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "lock").symlink_to(tmp_path / "secret")
    with (
        pytest.raises(StudyError, match=r"tx2: \S+lock is a link, .*remove it$"),
        LocalAgent(interpreter=interpreter(tmp_path), name="tx2", lock=tmp_path / "lock"),
    ):
        pass
    assert (tmp_path / "secret").read_bytes() == b"secret"


# --- what ssh is told -------------------------------------------------------------------------------------------------

SSH = """\
# As OpenSSH: options, then the host, then words that are joined to a line for the shell there.
while [ "$1" != -- ]; do shift; done
shift 2
cd "$BOARD" && PATH="$BOARD/bin:$PATH" exec sh -c "$*"
"""
PYTHON = """\
[ "$1" = -c ] && { echo 3 6 9; exit; }
printf '%s\\0' "$@" > "$BOARD/arguments"
echo "{\\"record\\": \\"hello\\", \\"process\\": $$}"
while read -r command; do
  case "$command" in *quit*) exit ;; *) echo '{"record": "end"}' ;; esac
done
"""

#: Names that mean something to a shell or to a program.
ODD = st.tuples(
    st.sampled_from(["", "/", "~/", "~/-", "./"]),
    st.text(st.sampled_from("""ab/-~.'"\\$`!;&|<>(){}[]*?#%=@^, é"""), min_size=1, max_size=12),
).map("".join)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of an `ssh` that leads to a folder here, and of a Python that says how it was called."""
    folder = tmp_path_factory.mktemp("programs")
    executable(folder / "ssh", SSH)
    executable(folder / "python", PYTHON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield folder


def device(**keys: Any) -> SshDevice:
    try:
        return SshDevice(transport="ssh", threads=1, host="board", **keys)
    except ValidationError:
        reject()


def parts(path: str) -> tuple[str, ...]:
    return Path(path.removeprefix("~/").lstrip("/")).parts


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(folder=ODD, program=ODD)
def test_every_path_that_the_settings_accept_is_one_argument_and_no_option(
    programs: Path, folder: str, program: str
) -> None:
    device(folder=folder, interpreter=program)
    assume(not {"bin", "arguments", *parts(program)[:1]} & {*parts(folder)[:1]})
    assume(parts(program) and program[-1] not in "/." and parts(folder))
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARD", home)
        called, kept = Path(home, *parts(program)), Path(home, *parts(folder))
        if "/" not in program:
            called = Path(home, "bin", program)
        called.parent.mkdir(parents=True, exist_ok=True)
        called.symlink_to(programs / "python")
        before = paths(Path(home))
        names = {"folder": folder, "interpreter": program}
        names = {key: home + name if name.startswith("/") else name for key, name in names.items()}
        with SshAgent(device(**names), name="tx2") as there:
            isolated, installed, option, told, *_ = Path(home, "arguments").read_text().split("\0")
            assert (isolated, option) == ("-I", "--folder")
            assert not installed.startswith("-") and not told.startswith("-")
            assert Path(home, told) == kept and Path(home, installed).parent == kept
            assert Path(home, installed).read_bytes() == AGENT
            there.clean()
        Path(home, "arguments").unlink()
        assert not kept.exists()
        after = paths(Path(home))
        assert {name: after[name] for name in before} == before
        assert all(stat.S_ISDIR(mode) for name, (mode, _) in after.items() if name not in before)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(user=st.sampled_from(["", "a@", "-a@", "@"]), host=st.text(st.sampled_from("ab1-.:%[]@$;' \n"), max_size=5))
def test_a_host_is_refused_or_one_argument_and_no_option(user: str, host: str) -> None:
    try:
        accepted = SshDevice(transport="ssh", threads=1, host=user + host)
    except ValidationError:
        return
    command = _Shell("tx2", accepted).command("true")
    assert command[-3:] == ["--", user + host, "exec sh -c true"]
    assert not (user + host).startswith("-") and not set(host) & set("@$;' \n")
    assert "StrictHostKeyChecking=yes" in command and "KnownHosts" not in " ".join(command)


# --- what is read of a device -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "watt"),
    [
        (b"8000\n", 8.0),
        (b"-1500\n", -1.5),
        (b"65535\n", None),  # of a bus on which nobody answers
        (b"", None),
        (b"\n", None),
        (b"8 000", None),
        (b"0x1f40", None),
        (b"8.0\n", None),
        (b"\xff\xfe8\n", None),
        (b"garbage" * 100, None),
    ],
)
def test_a_sensor_tells_a_number_or_nothing(tmp_path: Path, content: bytes, watt: float | None) -> None:
    chip = tmp_path / "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device0"
    chip.mkdir(parents=True)
    (chip / "rail_name_0").write_text("VDD_IN\n")
    (chip / "in_power0_input").write_bytes(content)
    (sensor,) = find_sensors(str(tmp_path))
    assert sensor.watts() == (None if watt is None else [watt])


@pytest.mark.parametrize(
    ("millivolt", "milliampere", "watt"),
    [(19168, 240, 4.60032), (19168, -8, -0.153344), (65535, 240, None), (65528, 65535, None), (-8, -4, None)],
)
def test_a_chip_tells_what_its_registers_can_hold_or_nothing(
    tmp_path: Path, millivolt: int, milliampere: int, watt: float | None
) -> None:
    chip = tmp_path / "sys/class/hwmon/hwmon0"
    chip.mkdir(parents=True)
    values = {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": millivolt, "curr1_input": milliampere}
    for name, value in values.items():
        (chip / name).write_text(f"{value}\n")
    (sensor,) = find_sensors(str(tmp_path))
    assert sensor.watts() == (None if watt is None else pytest.approx([watt]))


@pytest.mark.parametrize(("wrap", "watts"), [("0", [None]), ("", []), ("many", []), ("1e6", [])])
def test_a_counter_that_does_not_say_where_it_wraps_tells_nothing(
    tmp_path: Path, wrap: str, watts: list[float | None]
) -> None:
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, content in {"name": "package-0", "energy_uj": "5", "max_energy_range_uj": wrap}.items():
        (zone / name).write_text(content)
    assert [sensor.watts() for sensor in find_sensors(str(tmp_path))] == watts


def test_a_sensor_whose_name_or_file_cannot_be_read_is_no_rail_or_has_a_name(tmp_path: Path) -> None:
    chip = tmp_path / "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device0"
    chip.mkdir(parents=True)
    (chip / "rail_name_0").write_bytes(b"VDD\xff\n")
    (chip / "in_power0_input").write_text("8000")
    (chip / "rail_name_1").write_text("VDD_GONE\n")
    (chip / "rail_name_2").write_text("VDD_FOLDER\n")
    (chip / "in_power2_input").mkdir()
    assert [sensor.names for sensor in find_sensors(str(tmp_path))] == [["0-0041/VDD\N{REPLACEMENT CHARACTER}"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "not a CSV file of a power meter"),
        (b"time,watt\n9023-11-14T22:13:20Z,5\n", "`time` is UNIX seconds or ISO 8601 with a time zone, of these years"),
        (b"time,watt\n-14,5\n", "`time` is UNIX seconds or ISO 8601 with a time zone, of these years"),
        (b"time,watt\n22:13:20,5\n", "line 2: `time` is UNIX seconds or ISO 8601 with a time zone"),
        (b"time,watt\n1,5\n2,\n", "line 3: `time` is UNIX seconds or ISO 8601 with a time zone, `watt` a number"),
        (b"time,watt\n1,inf\n", "line 2: "),
    ],
)
def test_a_meter_of_another_clock_or_with_no_numbers_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "meter.csv"
    path.write_bytes(content)
    with pytest.raises(StudyError) as caught:
        read_meter(path)
    assert str(caught.value).startswith(f"{path}: {message}")


# --- whatever is wrong ------------------------------------------------------------------------------------------------

HELLO: Record = {
    "record": "hello", "process": 1, "python": "3.6.9", "tensorflow": "1.15.5", "numpy": "1.19.4", "machine": "aarch64",
    "kernel": "4.9", "board": "quill", "processor_name": "quill", "l4t": "# R32", "power_mode": None,
    "processor_features": ["asimd"], "c_library": "glibc 2.27",
    "cores_allowed": 4, "cores_online": "0-3", "rails": ["0-0041/VDD_IN"],
}  # fmt: skip
PRODUCT: Record = {
    "record": "values", "input_id": "probe", "dtype": "<f4", "shape": [2, 2],
    "base64": base64.b64encode(np.array([[7, 10], [15, 22]], np.float32).tobytes()).decode(),
}  # fmt: skip
RAIL: Record = {"time_s": [0.0, 0.001, 0.002], "watt": [7.9, 8.0, 8.1], "failed": 0}
POWER: Record = {"record": "power", "period_s": 0.001, "realtime": True, "rails": {"0-0041/VDD_IN": RAIL}}
STATE: Record = {
    "record": "state", "clock": {"sys/class/devfreq/gpu/min_freq": "1", "sys/class/devfreq/gpu/max_freq": "1"},
    "celsius": {"GPU-therm": 41.5, "Tboard": None}, "load": 0.1, "memory_available": 5e9, "disk_free": 9e9,
    "unix_s": 1.0,
}  # fmt: skip
MODES: Record = {"record": "modes", "modes": ["15W", "MAXN"], "mode": "15W", "refusal": None}
END: Record = {"record": "end", "load": 0.1}

#: Says what it is told to, and ends with its host.
TALKER = """cat "$(dirname "$0")/board.talk"
exec >&-
while read -r command; do case "$command" in *quit*) exit ;; esac; done
"""


def listen(path: Path) -> object:
    """Have an agent carry out the commands in a file."""
    board = path.parent / "board"
    said = answers(board, path.read_bytes())
    assert {name for name in paths(path.parent) if not name.startswith("board/files/")} == {
        "secret", "board", "board/files", path.name
    }  # fmt: skip
    assert (path.parent / "secret").read_bytes() == b"secret"
    for kept in (board / "files").iterdir():
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name
    errors = [record["error"] for record in said if record["record"] == "error"]
    for error in errors:
        assert "\n" not in error and len(error) < 500, error
        raise StudyError(f"{path.name}: {error}")
    return said


def look(path: Path) -> object:
    """Check a device whose agent says what is in a file."""
    talker = path.with_name("talker")
    if not talker.exists():
        executable(talker, TALKER)
    findings = check(path.name, LocalDevice(transport="local", threads=4, interpreter=str(talker)))
    for finding in findings:
        if finding.problem is not None:
            raise StudyError(f"{path.name}: {finding.problem}")
    return findings


def commands(folder: Path) -> list[bytes]:
    put = line(PUT) + CONTENT
    return [
        line(HAS) + put + line(HAS) + b"\n" + line(BLOCK) + line({"command": "quit"}),
        put + line(BLOCK | {"kind": "control", "artifact": None}) + line({"command": "state"}),
        put + b"".join(map(line, [GENERATION, *ROUNDS, HAS])),
        put + put + line({"command": "clean"}) + line(HAS),
    ]


def talk(folder: Path) -> list[bytes]:
    return [b"".join(map(line, [HELLO, POWER, END, STATE, END, MODES, END, PRODUCT, END]))]


def meters(folder: Path) -> list[bytes]:
    return [
        b"time,watt\n1700000000.25,5\n1700000000.5,6.5\n1700000001,7\n",
        b"watt, time, note\n5, 2023-11-14T22:13:20.25Z, a\n6.5, 2023-11-14 23:13:20.5+01:00, b\n",
    ]


READERS: dict[str, tuple[Callable[[Path], object], str, Callable[[Path], list[bytes]]]] = {
    "commands to an agent": (listen, "board.commands", commands),
    "what a board says": (look, "board.talk", talk),
    "an external meter's file": (read_meter, "meter.csv", meters),
}


def read_damaged(name: str, board: Path, monkeypatch: pytest.MonkeyPatch, count: int, seed: int) -> None:
    monkeypatch.setattr(connection, "_SECONDS_TO_QUIT", 0.02)  # the talker does not end by itself
    monkeypatch.setattr(reach, "LOCK", None)
    read, file, valid = READERS[name]
    path, contents = board.parent / file, valid(board.parent)
    path.write_bytes(contents[0])
    read(path)  # pyarrow reserves a gigabyte when it is used first
    check_reader(read, path, contents, count=count, seed=seed)


@pytest.mark.parametrize("name", READERS)
def test_damage_is_read_or_refused(name: str, board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_damaged(name, board, monkeypatch, 120, 1)


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
def test_no_damage_at_all_is_taken_ill(name: str, board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_damaged(name, board, monkeypatch, 1000, chosen_seed())
