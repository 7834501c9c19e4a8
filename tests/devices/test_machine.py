"""What the agent reads off a board: a fake tree stands for the files of a Jetson."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tocompress.devices.agent.machine import available_memory, machine, nvmap, processor_features, state
from tocompress.devices.agent.tensorflow import _executions
from tocompress.vocabulary.processors import integer_products

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

#: Files of 2.2 GB in memory, which the kernel gives up, and 0.5 GB of a file system in memory, which it does not.
STAT = f"""\
file {2_700_000 * 1024}
shmem {500_000 * 1024}
inactive_file {1_500_000 * 1024}
active_file {700_000 * 1024}
"""


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


def cores(*codes: tuple[str, str]) -> str:
    """Return /proc/cpuinfo of an ARM with these implementers and parts."""
    return "\n".join(
        f"processor\t: {number}\nBogoMIPS\t: 50.00\nCPU implementer\t: {implementer}\nCPU architecture: 8\n"
        f"CPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 3\n"
        for number, (implementer, part) in enumerate(codes)
    )


@pytest.mark.parametrize(
    ("codes", "name"),
    [
        ([("0x41", "0xd0c")] * 4, "Neoverse N1"),
        ([("0x41", "0xd07"), ("0x4e", "0x003"), ("0x4e", "0x003"), ("0x41", "0xd07")], "Cortex-A57 and Denver 2"),
        ([("0x61", "0x022")], "ARM implementer 0x61, part 0x022"),
    ],
)
def test_an_arm_without_a_device_tree_is_named_by_its_cores(
    codes: list[tuple[str, str]], name: str, tmp_path: Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cores(*codes))
    assert machine(str(tmp_path))["processor_name"] == name


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


@pytest.mark.parametrize(
    ("limit", "used", "stat", "kilobytes"),
    [
        ("max", "0", "", 6_000_000),
        (str(8_000_000 * 1024), "0", "", 6_000_000),  # the machine has less
        (str(3_000_000 * 1024), str(1_000_000 * 1024), "", 2_000_000),
        (str(3_000_000 * 1024), str(2_900_000 * 1024), STAT, 2_300_000),
        (str(3_000_000 * 1024), None, "", 6_000_000),
    ],
    ids=["no limit", "more than the machine", "less", "full of files", "unknown use"],
)
def test_available_memory_is_the_least_of_the_machines_and_its_containers(
    board: str, limit: str, used: str | None, stat: str, kilobytes: int
) -> None:
    group = Path(board, "sys/fs/cgroup")
    group.mkdir(parents=True)
    for name, content in {"max": limit, "current": used, "stat": stat}.items():
        if content is not None:
            (group / f"memory.{name}").write_text(f"{content}\n")
    assert available_memory(board) == kilobytes * 1024


def test_available_memory_knows_the_limit_of_a_job_and_of_a_group_around_it(board: str) -> None:
    Path(board, "proc/self").mkdir(parents=True)
    Path(board, "proc/self/cgroup").write_text("0::/slurm/job_7\n")
    groups = Path(board, "sys/fs/cgroup")
    (groups / "slurm/job_7").mkdir(parents=True)
    for folder, limit in (("slurm", 3_000_000), ("slurm/job_7", 2_000_000)):
        (groups / folder / "memory.max").write_text(f"{limit * 1024}\n")
        (groups / folder / "memory.current").write_text(f"{500_000 * 1024}\n")
    assert available_memory(board) == 1_500_000 * 1024
    (groups / "slurm/job_7/memory.max").write_text("max\n")
    assert available_memory(board) == 2_500_000 * 1024


def test_available_memory_is_unknown_where_nothing_tells_it(tmp_path: Path) -> None:
    assert available_memory(str(tmp_path)) is None


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


#: What /proc/cpuinfo says of two processors of each machine.
CPUINFO = {
    "Xeon, Cascade Lake": """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz
flags\t\t: fpu sse2 ssse3 sse4_1 sse4_2 avx avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni md_clear
processor\t: 1
model name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz
flags\t\t: fpu sse2 ssse3 sse4_1 sse4_2 avx avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni md_clear
""",
    "Core, Skylake": """\
processor\t: 0
model name\t: Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz
flags\t\t: fpu sse2 ssse3 sse4_1 sse4_2 avx avx2 bmi2 clflushopt
""",
    "TX2, Cortex-A57 beside Denver": """\
processor\t: 0
model name\t: ARMv8 Processor rev 3 (v8l)
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32
CPU part\t: 0xd07
processor\t: 1
model name\t: ARMv8 Processor rev 0 (v8l)
Features\t: fp asimd aes pmull sha1 sha2 crc32
CPU part\t: 0x003
""",
    "Pi 5, Cortex-A76": """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU part\t: 0xd0b
""",
    "a phone, Cortex-X2 beside Cortex-A55": """\
processor\t: 0
Features\t: fp asimd asimdhp asimddp
processor\t: 7
Features\t: fp asimd asimdhp asimddp sve i8mm
""",
    "unreadable": "",
}


@pytest.mark.parametrize(
    ("machine", "features", "products"),
    [
        ("Xeon, Cascade Lake", ["avx2", "avx512_vnni", "avx512f", "sse4_1"], "VNNI"),
        ("Core, Skylake", ["avx2", "sse4_1"], "none"),
        ("TX2, Cortex-A57 beside Denver", ["asimd"], "none"),
        ("Pi 5, Cortex-A76", ["asimd", "asimddp"], "dot product"),
        ("a phone, Cortex-X2 beside Cortex-A55", ["asimd", "asimddp"], "dot product"),
        ("unreadable", [], "unknown"),
    ],
)
def test_the_features_that_all_processors_have_tell_their_integer_products(
    tmp_path: Path, machine: str, features: list[str], products: str
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(CPUINFO[machine])
    assert processor_features(str(tmp_path)) == features
    assert integer_products(features) == products


def test_newer_instructions_come_before_older_ones() -> None:
    assert integer_products(["avx2", "avx512_vnni", "amx_int8"]) == "AMX"
    assert integer_products(["avx2", "avx_vnni"]) == "VNNI"
    assert integer_products(["asimd", "asimddp", "i8mm", "sve"]) == "int8 matrix multiply"
