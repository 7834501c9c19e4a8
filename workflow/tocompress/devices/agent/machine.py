"""Facts of the machine, its state, and the memory that a process takes of it."""

import ctypes
import os
import platform
import re
import shutil
import socket
import time
from contextlib import suppress
from typing import Dict, List, Optional

from tocompress.devices.agent.host import Record, Send
from tocompress.devices.agent.sensors import sensor_state
from tocompress.devices.agent.sysfs import celsius, first_line, memory_bytes, output_of, read, readable

#: Vector instructions of x86 and ARM, as /proc/cpuinfo names them. Products of integers need some of them.
_FEATURES = {
    *("amx_int8", "avx2", "avx512_vnni", "avx512f", "avx_vnni", "sse4_1"),
    *("asimd", "asimddp", "i8mm", "neon", "sve", "sve2"),
}

#: Implementer and part of a core, as /proc/cpuinfo gives them -> its name.
_ARM = {
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd49"): "Neoverse N2",
    ("0x41", "0xd4f"): "Neoverse V2",
    ("0x4e", "0x003"): "Denver 2",
    ("0x4e", "0x004"): "Carmel",
    ("0xc0", "0xac3"): "Ampere-1",
}


def machine(root: str) -> Record:
    """Return the facts of the machine that a reader needs to judge the numbers. They are constant in a session."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host_name": socket.gethostname(),
        "kernel": platform.release(),
        "processor_name": _processor(root),
        "processor_features": processor_features(root),
        "c_library": c_library(),
        "board": first_line(root, "proc/device-tree/model"),
        "l4t": first_line(root, "etc/nv_tegra_release"),
        "cuda": first_line(root, "usr/local/cuda/version.txt"),
        "power_mode": output_of("nvpmodel", "-q"),
        "cores": os.cpu_count(),
        "cores_online": first_line(root, "sys/devices/system/cpu/online"),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "clock_source": first_line(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "boot_id": first_line(root, "proc/sys/kernel/random/boot_id"),
        "process": os.getpid(),
    }


def _processor(root: str) -> str:
    """Return the processor's name. A board has it in the device tree, and another ARM in the numbers of its cores."""
    cpuinfo = read(os.path.join(root, "proc/cpuinfo")) or ""
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match.group(1) if match else first_line(root, "proc/device-tree/model") or _arm(cpuinfo)


def _arm(cpuinfo: str) -> str:
    """Return the names of an ARM's kinds of cores, as `Neoverse N1`, or the numbers of unknown ones."""
    codes = re.findall(r"^CPU implementer\s*:\s*(\S+)$.*?^CPU part\s*:\s*(\S+)$", cpuinfo, re.MULTILINE | re.DOTALL)
    kinds = [_ARM.get(code, "ARM implementer {}, part {}".format(*code)) for code in codes]
    return " and ".join(sorted(set(kinds))) or platform.processor()


def processor_features(root: str) -> List[str]:
    """Return the names of the vector instructions that all processors have, sorted. They tell its integer products."""
    lists = re.findall(r"^(?:flags|Features)\s*:(.*)$", read(os.path.join(root, "proc/cpuinfo")) or "", re.MULTILINE)
    common = set.intersection(*(set(names.split()) for names in lists)) if lists else set()
    return sorted(_FEATURES & common)


def c_library() -> Optional[str]:
    """Return the C library with its version as `glibc 2.31`, or None where it is not glibc."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return None


def state(root: str, folder: str) -> Record:
    """Return all that may change in a session: clocks, temperatures, cooling, load, sensors, free memory and disk.

    Frequencies of processors are in kHz, all others in Hz. Temperatures are in degrees Celsius, None where unreadable.
    """
    clocks = readable(
        root,
        "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
        "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_*_freq",
        "sys/class/devfreq/*/*_freq",
        "sys/class/devfreq/*/governor",
        "sys/kernel/debug/bpmp/debug/clk/emc/*rate*",
        "sys/devices/pwm-fan/*_pwm",
    )
    temperatures = {
        content: celsius(os.path.join(root, os.path.dirname(path), "temp"))
        for path, content in readable(root, "sys/class/thermal/thermal_zone*/type").items()
    }
    cooling = {
        path: content
        for path, content in readable(root, "sys/class/thermal/cooling_device*/cur_state").items()
        if content != "0"
    }
    return {
        "load": os.getloadavg()[0],
        "unix_s": time.time(),
        "monotonic_s": time.monotonic(),
        "memory_available": available_memory(root),
        "disk_free": shutil.disk_usage(folder).free,
        "clock": clocks,
        "celsius": temperatures,
        "cooling": cooling,
        "sensor": sensor_state(root),
    }


def available_memory(root: str) -> Optional[int]:
    """Return the bytes that processes can still take, of the machine and of this container, or None if unknown."""
    rooms = [memory_bytes(read(os.path.join(root, "proc/meminfo")), "MemAvailable")]
    rooms += [_room_in(group) for group in _control_groups(root)]
    known = [room for room in rooms if room is not None]
    return min(known) if known else None


def _control_groups(root: str) -> List[str]:
    """Return the folders of this process's control group and of the groups around it. Each may have a limit."""
    own = re.search(r"^0::/(.*)$", read(os.path.join(root, "proc/self/cgroup")) or "", re.MULTILINE)
    names = own.group(1).split("/") if own else []
    return [os.path.join(root, "sys/fs/cgroup", *names[:depth]) for depth in range(len(names) + 1)]


def _room_in(group: str) -> Optional[int]:
    """Return the bytes that processes of a control group can still take, or None where it has no limit."""
    limit, used, told = (read(os.path.join(group, "memory." + name)) for name in ("max", "current", "stat"))
    if not (limit and used and limit.isdigit()):
        return None
    # The kernel gives up cached files, as in MemAvailable.
    cached = re.findall(r"^(?:in)?active_file (\d+)$", told or "", re.MULTILINE)
    return int(limit) - int(used) + sum(map(int, cached))


class Phases:
    """The bytes that this process holds at the end of each phase of a worker. `vm_hwm` is the peak within the phase.

    Each phase begins by returning freed memory to the system and resetting the peak. Otherwise glibc keeps the memory
    that the graph optimizer frees: more than half of the process with a network of 100 MB. That would hide the need of
    inference itself. Where the kernel cannot reset the peak, `vm_hwm` is null.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start()

    def _start(self) -> None:
        with suppress(OSError, AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
            self._peak_known = True
        except OSError:
            self._peak_known = False

    def end(self, phase: str) -> None:
        """Send the record of the phase that ends here, and start the next."""
        # A child inherits ru_maxrss from its parent, so VmHWM is read instead.
        status = read("/proc/self/status")
        record = {
            "record": "memory",
            "phase": phase,
            "vm_hwm": memory_bytes(status, "VmHWM") if self._peak_known else None,
            "rss": memory_bytes(status, "VmRSS"),
            "nvmap": nvmap(read("/sys/kernel/debug/nvmap/iovmm/clients"), os.getpid()),
        }
        self._send(dict(record, **_resident()))
        self._start()


def _resident() -> Record:
    """Return the proportional and unique resident bytes. Before Linux 4.14 they are the sums over all mappings."""
    text = read("/proc/self/smaps_rollup") or read("/proc/self/smaps")
    if text is None:
        return {"pss": None, "uss": None}
    kilobytes: Dict[str, int] = {}
    for key, value in re.findall(r"^(Pss|Private_Clean|Private_Dirty):\s*(\d+) kB$", text, re.MULTILINE):
        kilobytes[key] = kilobytes.get(key, 0) + int(value)
    private = kilobytes.get("Private_Clean", 0) + kilobytes.get("Private_Dirty", 0)
    return {"pss": 1024 * kilobytes.get("Pss", 0), "uss": 1024 * private}


def nvmap(clients: Optional[str], process: int) -> Optional[int]:
    """Return the bytes of a Jetson's graphics memory that a process holds. Its resident memory excludes them.

    `clients` is the content of /sys/kernel/debug/nvmap/iovmm/clients, which only root can read.
    """
    if clients is None:
        return None
    sizes = re.findall(r"^\s*\S+\s+\S+\s+" + str(process) + r"\s+(\d+)K\s*$", clients, re.MULTILINE)
    return 1024 * sum(map(int, sizes))
