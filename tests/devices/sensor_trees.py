"""The files of real machines that tell of power, each as its driver shows it, and a program of a Raspberry Pi.

The layouts are of the kernel's documentation (hwmon: ina2xx, ina238, ltc4151, acpi_power_meter; powercap). The output
of the program has the lines of a Raspberry Pi 5.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Rail -> A, V, the numbers of both channels. The two last rails have no current.
PMIC = {
    "3V7_WL_SW": (0.00195186, 3.7072, 0, 8), "3V3_SYS": (0.1268709, 3.325809, 1, 9),
    "1V8_SYS": (0.1883545, 1.80415, 2, 10), "DDR_VDD2": (0.02147046, 1.111354, 3, 11),
    "DDR_VDDQ": (0.0, 0.6032961, 4, 12), "1V1_SYS": (0.1795711, 1.11282, 5, 13),
    "0V8_SW": (0.2595974, 0.8051274, 6, 14), "VDD_CORE": (0.5625900, 0.7679846, 7, 15),
    "3V3_DAC": (0.0, 3.321425, 17, 20), "3V3_ADC": (0.0, 3.329667, 18, 21),
    "0V8_AON": (0.0029304, 0.8017574, 16, 19), "HDMI": (0.0255189, 5.11746, 22, 23),
}  # fmt: skip
_VOLTAGES = {"EXT5V": (5.14158, 24), "BATT": (3.280339, 25)}


def pmic_text(scale: float = 1.0) -> str:
    """Return what the program prints, with all currents times `scale`."""
    currents = [f"{name + '_A':>11} current({number})={scale * a:.8f}A" for name, (a, _, number, _) in PMIC.items()]
    volts = [f"{name + '_V':>11} volt({number})={v:.8f}V" for name, (_, v, _, number) in PMIC.items()]
    others = [f"{name + '_V':>11} volt({number})={v:.8f}V" for name, (v, number) in _VOLTAGES.items()]
    return "\n".join([*currents, *volts, *others, ""])


def program(folder: Path, text: str) -> Path:
    """Put a `vcgencmd` into the folder that prints the file returned."""
    folder.mkdir(parents=True, exist_ok=True)
    printed = folder / "printed"
    printed.write_text(text)
    script = f'#!/bin/sh\n[ "$1" = pmic_read_adc ] || exit 1\nexec cat "{printed}"\n'
    (folder / "vcgencmd").write_text(script)
    (folder / "vcgencmd").chmod(0o755)
    return printed


def hwmon(root: Path, number: int, device: str, files: Mapping[str, object]) -> Path:
    """Make a chip of `device`, a path below sys/devices, and return its folder."""
    folder = root / "sys/devices" / device / f"hwmon/hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "device").symlink_to("../..")
    (root / "sys/class/hwmon").mkdir(parents=True, exist_ok=True)
    (root / f"sys/class/hwmon/hwmon{number}").symlink_to(folder)
    for name, content in files.items():
        (folder / name).write_text(f"{content}\n")
    return folder


def zone(root: Path, number: str, name: str, microjoule: int, wrap: int = 1_000_000) -> Path:
    """Make a zone of RAPL, and return the file of its counter."""
    folder = root / f"sys/class/powercap/intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{wrap}\n")
    (folder / "energy_uj").write_text(f"{microjoule:012d}\n")
    return folder / "energy_uj"


def raspberry_pi_5(root: Path) -> None:
    """Make the chips of the board that measure no power. The program tells its power."""
    hwmon(root, 0, "virtual/thermal/thermal_zone0", {"name": "cpu_thermal", "temp1_input": 46600})
    adc = {"name": "rp1_adc", "temp1_input": 51000} | {f"in{number}_input": 1400 + number for number in range(1, 5)}
    hwmon(root, 1, "platform/axi/1000120000.pcie/1f000c8000.adc", adc)
    hwmon(root, 2, "platform/cooling_fan", {"name": "pwmfan", "fan1_input": 3054, "pwm1": 100})
    hwmon(root, 3, "platform/soc/rpi_volt", {"name": "rpi_volt", "in0_lcrit_alarm": 0})
    (root / "dev").mkdir()
    (root / "dev/vcio").touch()


def monitor(root: Path, chip: str, number: int = 2, address: str = "1-0040", **more: object) -> Path:
    """Make an INA2xx, as its driver shows it: in0 is the shunt's voltage."""
    files = {"name": chip, "in0_input": 5, "in1_input": 5120, "curr1_input": 1500, "power1_input": 7_675_000}
    device = f"platform/soc/fe804000.i2c/i2c-1/{address}"
    return hwmon(root, number, device, files | {"shunt_resistor": 10000, "update_interval": 2} | more)


def laptop(root: Path) -> None:
    """Make a battery, the supply of a USB socket and a graphics card, which tell of themselves only."""
    pci = "pci0000:00/0000:00:08.1/0000:c1:00.0"
    battery = {"name": "BAT1", "in0_input": 17064, "curr1_input": 904, "power1_input": 15_430_000}
    hwmon(root, 0, "LNXSYSTM:00/PNP0C0A:00/power_supply/BAT1", battery)
    usb = {"name": "ucsi_source_psy_USBC000:001", "in0_input": 5000, "curr1_input": 0}
    hwmon(root, 1, "platform/USBC000:00/power_supply/ucsi-source-psy-USBC000:001", usb)
    hwmon(root, 2, pci, {"name": "amdgpu", "power1_average": 9_000_000, "power1_label": "PPT"})
    (root / "sys/devices" / pci / "drm").mkdir()


def overwrite(path: Path, text: str) -> None:
    """Replace a file's content in place, for its readers keep it open."""
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, text.encode(), 0)
    os.close(descriptor)
