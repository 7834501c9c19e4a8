"""What a check of a device finds, on a board made of files and on a stand-in for its agent."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocompress.devices import Record, reach
from tocompress.errors import StudyError
from tocompress.measurement import check
from tocompress.settings.device import LocalDevice

BOARD = {
    "etc/nv_tegra_release": "# R32 (release), REVISION: 7.6",
    "proc/device-tree/model": "quill",
    "proc/meminfo": "MemAvailable:    6000000 kB\n",
    "sys/devices/system/cpu/online": "0-3",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "2035200",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2035200",
    "sys/class/thermal/thermal_zone0/type": "GPU-therm",
    "sys/class/thermal/thermal_zone0/temp": "41500",
    "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/rail_name_0": "VDD_IN",
    "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/in_power0_input": "1649",
    "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/rail_name_1": "VDD_SYS_CPU",
    "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/in_power1_input": "306",
}

HELLO = {
    "python": "3.6.9", "tensorflow": "1.15.5", "numpy": "1.19.4", "machine": "aarch64", "kernel": "4.9.337-tegra",
    "board": "quill", "processor_name": "quill", "l4t": "# R32", "power_mode": "NV Power Mode: MAXN; 0",
    "processor_features": ["asimd"], "c_library": "glibc 2.27", "cores_allowed": 4, "cores_online": "0-3",
    "rails": ["0-0041/VDD_IN"],
}  # fmt: skip

STATE = {
    "clock": {"sys/class/devfreq/gpu/min_freq": "1", "sys/class/devfreq/gpu/max_freq": "1"},
    "celsius": {"GPU-therm": 41.5, "Tboard": None}, "load": 0.1, "memory_available": 5e9, "disk_free": 9e9,
    "unix_s": 0.0,
}  # fmt: skip

DEVICE = LocalDevice(transport="local", threads=4, clocks="locked")


class StandIn:
    """An agent that answers as a good board would, but for what a test changes."""

    def __init__(
        self,
        hello: Record,
        state: Record,
        product: Any = ((7, 10), (15, 22)),
        watt: Sequence[float] = (1.0,) * 2000,
        refusal: str | None = None,
    ) -> None:
        self._refusal = refusal
        self.hello = HELLO | hello
        self._state = STATE | state
        self._product = product
        self._watt = watt

    def send(self, file: Path, sha256: str) -> None:
        assert file.is_file()

    def run(self, command: Record) -> Iterator[Record]:
        match command:
            case {"command": "state"}:
                yield self._state | {"record": "state"}
            case {"command": "modes"}:
                yield {"record": "modes", "modes": ["15W", "MAXN"], "mode": "MAXN", "refusal": self._refusal}
            case {"kind": "outputs"} if isinstance(self._product, str):
                yield {"record": "error", "error": self._product}
                return
            case {"kind": "outputs"}:
                product = np.array(self._product, np.float32)
                content = base64.b64encode(product.tobytes()).decode()
                yield {
                    "record": "values", "input_id": "probe", "dtype": "<f4", "shape": product.shape, "base64": content,
                }  # fmt: skip
            case {"kind": "power"}:
                rail = {"time_s": [0.001 * i for i in range(len(self._watt))], "watt": self._watt}
                rails = {name: rail | {"failed": 0} for name in command["rails"]}
                yield {"record": "power", "period_s": 0.001, "realtime": True, "rails": rails}
        yield {"record": "end"}


def problems(monkeypatch: pytest.MonkeyPatch, agent: StandIn, **changes: Any) -> list[str]:
    monkeypatch.setattr(check, "reach", reaching({"tensorflow": agent}))
    findings = check.check("tx2", DEVICE.model_copy(update=changes))
    return [f"{finding.what}: {finding.problem}" for finding in findings if finding.problem]


def reaching(board: Mapping[str, StandIn]) -> Callable[..., AbstractContextManager[dict[str, StandIn]]]:
    """Return a stand-in for `reach`, on a board with the agents of these runtimes."""

    @contextmanager
    def stand_in(name: str, _: Any, runtimes: tuple[str, ...], **__: Any) -> Iterator[dict[str, StandIn]]:
        for runtime in runtimes:
            if runtime not in board:
                raise StudyError(f"{name}: python3 cannot import {runtime}")
        yield {runtime: board[runtime] for runtime in runtimes}

    return stand_in


def test_a_board_is_looked_at_from_its_sensors_to_its_arithmetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, content in BOARD.items():
        (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / path).write_text(content)
    monkeypatch.setattr(reach, "LOCK", tmp_path / "lock")
    runtimes = ("litert", "tensorflow")
    device = LocalDevice(transport="local", threads=1, clocks="locked", root=str(tmp_path / "root"), runtimes=runtimes)
    found = check.check("tx2", device)
    findings = {finding.what: finding for finding in found}
    assert [finding for finding in found if finding.problem] == []
    assert findings["machine"].found.startswith("quill, ")
    assert findings["tensorflow"].found.endswith(", computes on the cpu")
    assert findings["litert"].found.endswith(", computes on the cpu")
    assert findings["integers"].found == "products in one step: unknown"
    assert findings["sensors"].found == (
        "0-0041/VDD_IN, 0-0041/VDD_SYS_CPU; total: 0-0041/VDD_IN; which leaves out the carrier board"
    )
    assert "readings a second" in findings["sampling"].found
    litert, tensorflow = (finding.found for finding in found if finding.what == "sizes")
    assert litert.startswith("litert: fits: all; estimated")
    assert "resnet_v1_152; does not fit: vgg_16 (needs 7.2 GB), vgg_19" in tensorflow
    assert findings["clocks"].found.startswith("locked")
    assert findings["temperature"].found == "42 °C (GPU-therm)"


def test_only_the_rails_of_the_total_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a session will not read may be broken."""
    stand_in = StandIn({"rails": ["0-0041/VDD_IN", "0-0041/VDD_SYS_CPU"]}, {})
    commands: list[Record] = []

    def run(command: Record) -> Iterator[Record]:
        commands.append(command)
        return StandIn.run(stand_in, command)

    monkeypatch.setattr(stand_in, "run", run)
    assert problems(monkeypatch, stand_in) == []
    assert [command["rails"] for command in commands if command.get("kind") == "power"] == [["0-0041/VDD_IN"]]


def test_a_good_board_has_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, StandIn({}, {})) == []


@pytest.mark.parametrize(
    ("agent", "changes", "problem"),
    [
        (StandIn({}, {"clock": {"sys/class/devfreq/gpu/min_freq": "0"}}), {}, "clocks: lock them (jetson_clocks"),
        (StandIn({}, {"disk_free": 1e9}), {}, "disk free: a benchmark needs 2 GB"),
        (StandIn({}, {"memory_available": 4e8}), {}, "memory free: a benchmark needs 1 GB"),
        (StandIn({"cores_allowed": 2}, {}), {}, "threads: there are only 2 cores"),
        (StandIn({}, {}), {"rails": ("VDD_OUT",)}, "sensors: devices.<name>.rails: no VDD_OUT among the rails"),
        (StandIn({"rails": ["0-0040/A"]}, {}), {}, "sensors: no known total among the power rails 0-0040/A"),
        (StandIn({"rails": []}, {}), {"rails": ("VDD_IN",)}, "sensors: devices.<name>.rails: no VDD_IN"),
        (StandIn({}, {}), {"meter": "nowhere.csv"}, "sensors: nowhere.csv: the power meter's file is not readable"),
        (StandIn({}, {}, watt=()), {}, "sampling: nothing can be read from 0-0041/VDD_IN"),
        (StandIn({}, {}, watt=(-1.0, -0.5)), {}, "sampling: 0-0041/VDD_IN: always below 0 W; see how the sensor"),
        (StandIn({}, {}), {"modes": ("15W", "25W")}, "modes: no 25W; name others"),
        (StandIn({}, {}, refusal="`sudo` is not allowed"), {"modes": ("15W",)}, "modes: `sudo` is not allowed"),
        (StandIn({}, {}, product="this TensorFlow finds no GPU"), {}, "tensorflow: this TensorFlow finds no GPU"),
        (StandIn({}, {}, product=((7, 10), (15, 23))), {}, "tensorflow: it multiplies two matrices wrongly"),
    ],
)
def test_what_is_wrong_with_a_board_is_told(
    monkeypatch: pytest.MonkeyPatch, agent: StandIn, changes: dict[str, Any], problem: str
) -> None:
    (found,) = problems(monkeypatch, agent, **changes)
    assert found.startswith(problem)


def test_a_board_without_sensors_is_fit_but_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, StandIn({"rails": []}, {})) == []


def test_sensors_that_this_user_may_not_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = {"rails": [], "unreadable": ["/sys/class/powercap/intel-rapl:*/energy_uj"]}
    monkeypatch.setattr(check, "reach", reaching({"tensorflow": StandIn(hidden, {})}))
    (sensors,) = [finding for finding in check.check("tx2", DEVICE) if finding.what == "sensors"]
    assert sensors.problem is None
    assert sensors.found.startswith(
        check.NO_SENSORS + "; no permission to read /sys/class/powercap/intel-rapl:*/energy"
    )
    with pytest.raises(StudyError, match=r"tx2: none: .*; no permission to read /sys/class/powercap"):
        check.check_power("tx2", DEVICE)


def test_a_board_that_cannot_be_reached_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise StudyError("tx2: board cannot be reached")

    monkeypatch.setattr(check, "reach", refuse)
    assert check.check("tx2", DEVICE) == [check.Finding("connection", "this machine", "board cannot be reached")]


@pytest.mark.parametrize(
    ("runtimes", "board", "findings"),
    [
        (
            ("litert",),
            {"litert": StandIn({"litert": "ai-edge-litert 2.3.0"}, {})},
            [
                "litert: ai-edge-litert 2.3.0, numpy 1.19.4, computes on the cpu",
                "tensorflow: python3 cannot import tensorflow",
            ],
        ),
        (
            ("litert", "tensorflow"),
            {
                "litert": StandIn(
                    {"litert": "tflite-runtime 2.13.0", "python": "3.9.5", "c_library": "glibc 2.31"}, {}
                ),
                "tensorflow": StandIn({}, {}),
            },
            [
                "litert: tflite-runtime 2.13.0, numpy 1.19.4; ai-edge-litert==2.1.0 fits too, computes on the cpu",
                "tensorflow: TensorFlow 1.15.5, numpy 1.19.4, computes on the cpu",
            ],
        ),
        (
            ("tensorflow",),
            {"tensorflow": StandIn({"python": "3.8.0"}, {})},
            [
                "tensorflow: TensorFlow 1.15.5, numpy 1.19.4, computes on the cpu",
                "litert: python3 cannot import litert",
            ],
        ),
        (
            ("tensorflow",),
            {"tensorflow": StandIn({}, {}), "litert": StandIn({"litert": "ai-edge-litert 2.3.0"}, {})},
            [
                "tensorflow: TensorFlow 1.15.5, numpy 1.19.4, computes on the cpu",
                "litert: ai-edge-litert 2.3.0, numpy 1.19.4, not among the device's `runtimes`",
            ],
        ),
        (
            ("tensorflow",),
            {"litert": StandIn({"litert": "ai-edge-litert 2.3.0"}, {})},
            [
                "tensorflow: not usable PROBLEM python3 cannot import tensorflow",
                "litert: ai-edge-litert 2.3.0, numpy 1.19.4, not among the device's `runtimes`",
            ],
        ),
        (
            ("tensorflow", "litert"),
            {"tensorflow": StandIn({}, {})},
            [
                "tensorflow: TensorFlow 1.15.5, numpy 1.19.4, computes on the cpu",
                "litert: not usable PROBLEM python3 cannot import litert",
            ],
        ),
    ],
)
def test_each_runtime_is_named_that_a_board_has_or_could_have(
    monkeypatch: pytest.MonkeyPatch, runtimes: tuple[str, ...], board: dict[str, StandIn], findings: list[str]
) -> None:
    monkeypatch.setattr(check, "reach", reaching(board))
    found = check.check("tx2", DEVICE.model_copy(update={"runtimes": runtimes}))
    told = [finding for finding in found if finding.what in ("tensorflow", "litert")]
    assert [
        f"{finding.what}: {finding.found}" + (f" PROBLEM {finding.problem}" if finding.problem else "")
        for finding in told
    ] == findings


def test_a_board_with_neither_runtime_is_told_about_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "reach", reaching({}))
    found = check.check("tx2", DEVICE.model_copy(update={"runtimes": ("tensorflow", "litert")}))
    assert [finding.problem for finding in found] == [
        "python3 cannot import tensorflow",
        "python3 cannot import litert",
    ]


def test_the_table_marks_what_is_wrong() -> None:
    findings = [check.Finding("python", "3.6.9"), check.Finding("disk free", "0.1 GB", "a benchmark needs 2 GB")]
    assert check.table("tx2", findings).splitlines() == [
        "device tx2",
        "  python       3.6.9",
        "! disk free    0.1 GB",
        "               PROBLEM: a benchmark needs 2 GB",
    ]


@pytest.mark.parametrize(
    ("rails", "message"),
    [
        ([], "tx2: none: power and energy will be unavailable; require no energy or power, or name a meter in `dev"),
        (["0-0040/A"], "tx2: no known total among the power rails 0-0040/A"),
    ],
)
def test_power_that_a_search_needs_and_the_board_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch, rails: list[str], message: str
) -> None:
    monkeypatch.setattr(check, "reach", reaching({"tensorflow": StandIn({"rails": rails}, {})}))
    with pytest.raises(StudyError) as refused:
        check.check_power("tx2", DEVICE)
    assert str(refused.value).startswith(message)
    monkeypatch.setattr(check, "reach", reaching({"tensorflow": StandIn({}, {})}))
    check.check_power("tx2", DEVICE)
