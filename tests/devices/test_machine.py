"""What the agent reads off a board: a fake tree stands for the files of a Jetson."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tocompress.devices.agent.machine import machine, nvmap, state
from tocompress.devices.agent.tensorflow import _executions

FILES = {
    "etc/nv_tegra_release": "# R32 (release), REVISION: 7.6, GCID: 38171779, BOARD: t186ref\n# more",
    "proc/device-tree/model": "quill\0",
    "proc/meminfo": "MemTotal:        8048000 kB\nMemAvailable:    6000000 kB\n",
    "sys/devices/system/cpu/online": "0,3-5",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2035200",
    "sys/class/devfreq/17000000.gp10b/min_freq": "1300500000",
    "sys/kernel/debug/bpmp/debug/clk/emc/rate": "1866000000",
    "sys/class/thermal/thermal_zone0/type": "GPU-therm",
    "sys/class/thermal/thermal_zone0/temp": "41500",
    "sys/class/thermal/thermal_zone1/type": "Tboard_tegra",
    "sys/class/thermal/cooling_device0/cur_state": "0",
    "sys/class/thermal/cooling_device1/cur_state": "2",
}


@pytest.fixture
def board(tmp_path: Path) -> str:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return str(tmp_path)


def test_a_board_says_what_it_is(board: str) -> None:
    facts = machine(board)
    assert facts["l4t"].startswith("# R32 (release), REVISION: 7.6")
    assert facts["board"] == facts["processor_name"] == "quill"
    assert facts["cores_online"] == "0,3-5"
    assert facts["cuda"] is None


def test_a_state_holds_clocks_temperatures_and_what_cools(board: str) -> None:
    facts = state(board, board)
    assert facts["clock"] == {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2035200",
        "sys/class/devfreq/17000000.gp10b/min_freq": "1300500000",
        "sys/kernel/debug/bpmp/debug/clk/emc/rate": "1866000000",
    }
    assert facts["celsius"] == {"GPU-therm": 41.5, "Tboard_tegra": None}
    assert facts["cooling"] == {"sys/class/thermal/cooling_device1/cur_state": "2"}
    assert facts["memory_available"] == 6_000_000 * 1024


def test_graphics_memory_is_that_of_the_process() -> None:
    clients = """\
CLIENT                        PROCESS      PID        SIZE
user                         nvgpu_gpu     17        800K
user                          python3     171      20480K
user                          python3     171         12K
user                             Xorg    1711       1000K
total                                               22292K
"""
    assert nvmap(clients, 171) == 20492 * 1024
    assert nvmap(clients, 9) == 0
    assert nvmap(None, 171) is None


def step_stats(**devices: list[tuple[str, str, int]]) -> Any:
    """Devices as RunMetadata has them: (name of a node, its label, nanoseconds)."""
    return SimpleNamespace(
        dev_stats=[
            SimpleNamespace(
                device=device if device.startswith("/") else f"/job:localhost/replica:0/task:0/device:{device}",
                node_stats=[
                    SimpleNamespace(
                        node_name=name, timeline_label=label, op_start_rel_nanos=5, op_end_rel_nanos=5 + time
                    )
                    for name, label, time in nodes
                ],
            )
            for device, nodes in devices.items()
        ]
    )


def test_on_a_processor_operations_are_told_by_their_labels() -> None:
    stats = step_stats(
        **{
            "CPU:0": [("a/b", "a/b = Conv2D(x, y)", 7), ("_SOURCE", "unknown", 1)],
            "/host:CPU": [("a/b:Conv2D", "", 0)],
        }
    )
    assert list(_executions(stats)) == [("a/b", "Conv2D", 7), ("_SOURCE", "_SOURCE", 1)]


def test_on_a_gpu_kernels_count_once_and_their_launches_do_not() -> None:
    stats = step_stats(
        **{
            "GPU:0": [("a/b", "a/b = Conv2D(x, y)", 3)],
            "GPU:0/stream:all": [("a/b:Conv2D", "", 70), ("c:MatMul", "", 20)],
            "GPU:0/stream:13": [("a/b:Conv2D", "", 70)],
            "GPU:0/memcpy": [("edge_1:MEMCPYHtoD", "", 9)],
            "CPU:0": [("d", "d = Cast(x)", 2)],
        }
    )
    assert sorted(_executions(stats)) == [("a/b", "Conv2D", 70), ("c", "MatMul", 20), ("d", "Cast", 2)]
